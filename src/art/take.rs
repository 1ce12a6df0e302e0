//! One candidate picture made from a recipe.

use std::path::{Path, PathBuf};

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::ArtError;
use crate::{generator::ModelCard, recipe::Recipe, storyboard::ShotId};

/// The name of a take: 16 hexadecimal digits of the blake3 over recipe and model hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TakeId(String);

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

/// Writes takes into an art folder, from any thread.
#[derive(Clone, Debug)]
pub struct TakeWriter {
    root: PathBuf,
}

impl TakeId {
    /// The name of what this model draws from this recipe.
    #[must_use]
    pub fn of(_recipe: &Recipe, _model: &ModelCard) -> Self {
        todo!()
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for TakeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Take {
    /// Reads the picture.
    ///
    /// # Errors
    /// When the file is not there any more, or is no PNG.
    pub fn image(&self) -> Result<RgbaImage, ArtError> {
        todo!()
    }
}

impl TakeWriter {
    /// Writes a take, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(
        &self,
        _shot: &ShotId,
        _image: &RgbaImage,
        _provenance: Provenance,
    ) -> Result<Take, ArtError> {
        todo!()
    }

    /// The art folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}
