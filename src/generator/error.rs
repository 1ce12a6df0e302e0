//! Errors of drawing a picture.

use std::{error::Error, path::PathBuf};

use super::MissingBlob;
use crate::{
    control::Cancelled,
    diffusion::DiffusionError,
    recipe::{Recipe, Size, style::BUILT_IN_MODEL},
};

use image::RgbaImage;

/// An error of drawing a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The work was cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// A model cannot be loaded or run.
    #[error(transparent)]
    Diffusion(DiffusionError),
    /// No loader in the registry knows the model.
    #[error("no generator can run {path} ({what}): see `illustrate models inspect {path}`")]
    NoGenerator {
        /// The name or folder of the model.
        path: PathBuf,
        /// The kind of the file or folder.
        what: String,
    },
    /// The picture to edit is missing.
    #[error("the picture to edit is missing: {0}")]
    NoInitImage(String),
    /// The generator draws whole pictures only.
    #[error(
        "`{model}` draws whole pictures only: to edit parts, choose another model, such as `{BUILT_IN_MODEL}`"
    )]
    NoEdits {
        /// The name of the model.
        model: String,
    },
    /// A mask or an image of the recipe is missing.
    #[error(transparent)]
    NoBlob(#[from] MissingBlob),
    /// The picture's size differs from the recipe's.
    #[error("the generator returned a picture of {found} pixels instead of {expected}")]
    Size {
        /// The size of the picture.
        found: Size,
        /// The size in the recipe.
        expected: Size,
    },
    /// The generator panicked. Its job fails; the worker continues.
    #[error("the generator panicked: {0}")]
    Panicked(String),
    /// The error of a generator from another crate.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl GenerateError {
    /// Wraps the error of a generator from another crate.
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into())
    }

    /// Checks that a picture has its recipe's size.
    ///
    /// # Errors
    /// [`Self::Size`] with both sizes.
    pub fn check_size(recipe: &Recipe, image: &RgbaImage) -> Result<(), Self> {
        let found = Size::new(image.width(), image.height());
        match found == recipe.size {
            true => Ok(()),
            false => Err(Self::Size { found, expected: recipe.size }),
        }
    }
}

impl From<DiffusionError> for GenerateError {
    fn from(error: DiffusionError) -> Self {
        match error {
            DiffusionError::Cancelled => Self::Cancelled,
            error => Self::Diffusion(error),
        }
    }
}

impl From<Cancelled> for GenerateError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}
