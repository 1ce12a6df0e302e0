//! Lists the takes in an art folder.

use std::{collections::BTreeMap, fs, io, path::Path, time::SystemTime};

use super::{
    ArtError, Blobs, InlineBlobs, Provenance, Take, TakeId,
    folder::Folder,
    picture_file::{self, PictureError},
    take,
};
use crate::{
    recipe::{Blob, BlobId},
    storyboard::ShotId,
};

/// Lists the takes below `root/kind`, by shot, oldest first. A file that cannot be read as a take is left in place and
/// reported in the log.
///
/// # Errors
/// If a folder cannot be listed. A folder that does not exist is empty.
pub(super) fn scan(
    root: &Path,
    kind: &str,
    inline: &mut InlineBlobs,
) -> Result<BTreeMap<ShotId, Vec<Take>>, ArtError> {
    let mut takes = BTreeMap::new();
    for folder in entries(&root.join(kind))? {
        let Some(shot) = name(&folder).and_then(|name| ShotId::new(name).ok()) else {
            log::warn!("{} is skipped: its name is not a shot id", folder.path().display());
            continue;
        };
        if !folder.path().is_dir() {
            log::warn!("{} is skipped: it is not a folder", folder.path().display());
            continue;
        }
        let found = takes_of(&shot, &folder.path(), inline)?;
        if !found.is_empty() {
            takes.insert(shot, found);
        }
    }
    Ok(takes)
}

/// Turns the pictures in `pictures/` whose shots have no takes into takes, as in a copy of that folder alone. A picture
/// that cannot become a take is left in place and reported in the log.
///
/// # Errors
/// If the folder cannot be listed.
pub(super) fn adopt(
    folder: &Folder,
    is_known: impl Fn(&ShotId) -> bool,
) -> Result<Vec<Take>, ArtError> {
    let mut adopted = Vec::new();
    for file in entries(&folder.root().join("pictures"))? {
        let name = name(&file).unwrap_or_default();
        let shot = name.strip_suffix(".png").and_then(|stem| ShotId::new(stem).ok());
        let Some(shot) = shot.filter(|shot| !is_known(shot)) else { continue };
        let path = file.path();
        let Ok(contents) = picture_file::provenance_with_blobs(&path) else { continue };
        match adopt_picture(folder, &path, shot, contents) {
            Ok(take) => adopted.push(take),
            Err(error) => log::warn!("{} does not become a take: {error}", path.display()),
        }
    }
    Ok(adopted)
}

fn adopt_picture(
    folder: &Folder,
    picture: &Path,
    shot: ShotId,
    (provenance, contained): (Provenance, BTreeMap<BlobId, Blob>),
) -> Result<Take, ArtError> {
    let blobs = Blobs::new(folder.clone());
    for blob in contained.values() {
        blobs.put(blob)?;
    }
    let id = provenance.take_id();
    let path = take::take_path(folder.root(), "takes", &shot, &id);
    let bytes = fs::read(picture).map_err(ArtError::io("read", picture))?;
    take::make_room(folder, &path)?;
    folder.write_bytes(&path, &bytes)?;
    Ok(Take { id, shot, path, provenance })
}

/// Lists the takes of one shot in a folder, oldest first.
///
/// # Errors
/// If the folder cannot be listed. A folder that does not exist is empty.
fn takes_of(shot: &ShotId, folder: &Path, inline: &mut InlineBlobs) -> Result<Vec<Take>, ArtError> {
    let mut found = Vec::new();
    for file in entries(folder)? {
        match read(shot, &file, inline) {
            Ok(take) => found.push(take),
            Err(why) => log::warn!("{} is skipped: {why}", file.path().display()),
        }
    }
    sort(&mut found);
    Ok(found)
}

/// Sorts takes, oldest first.
pub(super) fn sort(takes: &mut [Take]) {
    takes.sort_by_cached_key(|take| {
        // `made` has a resolution of one second. The time of the file orders takes of the same second.
        let written = fs::metadata(&take.path).and_then(|data| data.modified());
        let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
        (take.provenance.made, written, take.provenance.recipe.take, take.id.clone())
    });
}

fn read(shot: &ShotId, file: &fs::DirEntry, inline: &mut InlineBlobs) -> Result<Take, String> {
    let path = file.path();
    let name = name(file).unwrap_or_default();
    let stem = name.strip_suffix(".png").ok_or("it is not a .png file")?;
    let id = TakeId::new(stem).map_err(|error| error.to_string())?;
    let provenance = provenance(&path, inline).map_err(|error| error.to_string())?;
    Ok(Take { id, shot: shot.clone(), path, provenance })
}

/// Reads the provenance of a picture, and moves inline masks and scribbles to `blobs/`.
fn provenance(path: &Path, inline: &mut InlineBlobs) -> Result<Provenance, PictureError> {
    Ok(picture_file::read(path)?.provenance(|blob| inline.id(&blob))?)
}

fn name(entry: &fs::DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, ArtError> {
    match fs::read_dir(folder).and_then(Iterator::collect) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(ArtError::io("read", folder)),
    }
}
