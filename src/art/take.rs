//! Takes: the candidate pictures of a shot.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use image::RgbaImage;

use super::{ArtError, Provenance, copies, folder::Folder, picture_file};
use crate::{
    recipe::{Recipe, TakeId},
    storyboard::ShotId,
};

/// One candidate picture made from a recipe, on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// Its name.
    pub id: TakeId,
    /// The shot that it was drawn for.
    pub shot: ShotId,
    /// The PNG file.
    pub path: PathBuf,
    /// The provenance in the file.
    pub provenance: Provenance,
}

impl Take {
    /// Reads the picture.
    ///
    /// # Errors
    /// If the file does not exist, or is not a PNG.
    pub fn image(&self) -> Result<RgbaImage, ArtError> {
        picture_file::pixels(&self.path)
    }

    /// The time of the last change of the file, if the system provides it.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        fs::metadata(&self.path).and_then(|file| file.modified()).ok()
    }

    /// The requested recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.provenance.recipe
    }

    /// Returns whether it is a take of the recipe `shot`, or an edit of one. A value that was left to the model
    /// counts as the model's default at that time.
    #[must_use]
    pub fn is_for(&self, shot: &Recipe) -> bool {
        let Provenance { recipe, sampler, .. } = &self.provenance;
        let shot_size = recipe.edit.as_ref().and_then(|edit| edit.shot_size);
        shot_size.unwrap_or(recipe.size) == shot.size
            && shot.sampler.is_met_by(&recipe.sampler, sampler)
            && recipe.is_wanted_whatever_the_sampler(shot)
    }

    /// Returns whether it is a take of `recipe`, with any number.
    #[must_use]
    pub fn is_take_of(&self, recipe: &Recipe) -> bool {
        let Provenance { recipe: own, sampler, .. } = &self.provenance;
        recipe.sampler.is_met_by(&own.sampler, sampler) && own.same_but_take_and_sampler(recipe)
    }

    /// The take that this one was edited from.
    #[must_use]
    pub fn parent(&self) -> Option<&TakeId> {
        self.recipe().edit.as_ref()?.parent.as_ref()
    }
}

/// `takes/<shot>/<take>.png`, or the same below `discarded`.
pub(super) fn take_path(root: &Path, kind: &str, shot: &ShotId, take: &TakeId) -> PathBuf {
    root.join(kind).join(shot.as_str()).join(format!("{take}.png"))
}

/// Writes the file of a take. An old file with the same picture is replaced; anything else is set aside.
///
/// # Errors
/// If an operation on a file fails, for example because the old file cannot be read at the moment.
pub(super) fn write_take(folder: &Folder, path: &Path, bytes: &[u8]) -> Result<(), ArtError> {
    let _changes = folder.changes();
    folder.replace(path, bytes, old_copy(folder, path, bytes)?.as_deref())
}

/// The contents of the file at the path of a take if they are a copy of the new ones.
///
/// # Errors
/// If the file exists and cannot be read. It may be a take: permissions or a share may make it unreadable at the moment,
/// and the file of a Git LFS pointer is on another machine.
pub(super) fn old_copy(
    folder: &Folder,
    path: &Path,
    new: &[u8],
) -> Result<Option<Vec<u8>>, ArtError> {
    let Some(old) = folder.read(path)? else { return Ok(None) };
    ArtError::check_pointer(path, &old)?;
    Ok(Some(old).filter(|old| copies::is_copy(old, new)))
}

/// Adds a take to the takes of its shot. It replaces a take with the same name, which has the same file.
pub(super) fn enter(takes: &mut Vec<Take>, take: Take) {
    takes.retain(|other| other.id != take.id);
    takes.push(take);
}
