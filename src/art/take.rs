//! One candidate picture made from a recipe.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::{
    ArtError,
    folder::{Folder, read_if_there},
    picture_file,
};
use crate::{generator::ModelCard, recipe::Recipe, storyboard::ShotId};

/// The name of a take: 16 hexadecimal digits of the blake3 over recipe and model hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TakeId(String);

/// Why a text is no [`TakeId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no take: takes are named by 16 of the digits 0-9 and a-f")]
pub struct TakeIdError {
    /// The text.
    pub text: String,
}

/// One candidate picture made from a recipe, on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Take {
    /// Its name.
    pub id: TakeId,
    /// Whose picture it is.
    pub shot: ShotId,
    /// The PNG file.
    pub path: PathBuf,
    /// Where it says that it comes from.
    pub provenance: Provenance,
}

/// Where a picture comes from; stands as JSON in its PNG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// What was asked for.
    pub recipe: Recipe,
    /// What drew it.
    pub model: ModelCard,
    /// Name and version of this program.
    pub program: String,
    /// When, in seconds since 1970 in UTC.
    pub made: u64,
    /// How long drawing took, in milliseconds.
    pub took_ms: u64,
}

/// Writes takes into an art folder, from any thread. The folder stays locked as long as a writer of it
/// lives.
#[derive(Clone, Debug)]
pub struct TakeWriter {
    folder: Folder,
}

impl TakeId {
    /// The name of what this model draws from this recipe.
    #[must_use]
    pub fn of(recipe: &Recipe, model: &ModelCard) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(recipe.id().0.as_bytes());
        hash.update(model.hash.as_bytes());
        Self(hash.finalize().to_hex()[..16].to_owned())
    }

    /// Checks a text.
    ///
    /// # Errors
    /// When it is not 16 hexadecimal digits in small letters.
    pub fn new(text: impl Into<String>) -> Result<Self, TakeIdError> {
        let text = text.into();
        let fits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text)) } else { Err(TakeIdError { text }) }
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TakeId {
    type Error = TakeIdError;

    fn try_from(text: String) -> Result<Self, TakeIdError> {
        Self::new(text)
    }
}

impl From<TakeId> for String {
    fn from(id: TakeId) -> Self {
        id.0
    }
}

impl Take {
    /// Reads the picture.
    ///
    /// # Errors
    /// When the file is not there any more, or is no PNG.
    pub fn image(&self) -> Result<RgbaImage, ArtError> {
        picture_file::pixels(&self.path)
    }

    /// What was asked for.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.provenance.recipe
    }
}

impl Provenance {
    /// The provenance of a picture that this program has finished just now.
    #[must_use]
    pub fn now(recipe: Recipe, model: ModelCard, took: Duration) -> Self {
        Self {
            recipe,
            model,
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")).to_owned(),
            made: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |d| d.as_secs()),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl TakeWriter {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// Writes a take, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(
        &self,
        shot: &ShotId,
        image: &RgbaImage,
        provenance: Provenance,
    ) -> Result<Take, ArtError> {
        let id = TakeId::of(&provenance.recipe, &provenance.model);
        let path = take_path(self.root(), "takes", shot, &id);
        let bytes =
            picture_file::encode(image, &provenance).map_err(ArtError::io("write", &path))?;
        self.folder.write_bytes(&path, &bytes)?;
        Ok(Take { id, shot: shot.clone(), path, provenance })
    }

    /// Copies a take to `pictures/<shot>.png`, whole or not at all, unless it stands there already, and
    /// returns that path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn publish(&self, take: &Take) -> Result<PathBuf, ArtError> {
        let path = self.picture_path(&take.shot);
        let bytes = std::fs::read(&take.path).map_err(ArtError::io("read", &take.path))?;
        if read_if_there(&path)?.as_ref() != Some(&bytes) {
            self.folder.write_bytes(&path, &bytes)?;
        }
        Ok(path)
    }

    /// Takes `pictures/<shot>.png` away; the takes stay.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn unpublish(&self, shot: &ShotId) -> Result<(), ArtError> {
        self.folder.remove(&self.picture_path(shot))
    }

    /// Where [`Self::publish`] puts the picture of a shot.
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.root().join("pictures").join(format!("{shot}.png"))
    }

    /// The art folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// The art folder as a place to write to.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// `takes/<shot>/<take>.png`, or the same below `discarded`.
pub(super) fn take_path(root: &Path, kind: &str, shot: &ShotId, take: &TakeId) -> PathBuf {
    root.join(kind).join(shot.as_str()).join(format!("{take}.png"))
}
