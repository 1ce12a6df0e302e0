//! Something that turns a recipe into a picture, and the registry of such things.

pub mod registry;
pub mod stable_diffusion;

use std::path::PathBuf;

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use crate::{
    diffusion::{DiffusionError, Grid, Interrupt, ModelFiles, StableDiffusion},
    recipe::Recipe,
};

pub use crate::diffusion::Step;
pub use registry::{GeneratorRegistry, ModelLoader};

/// Turns a recipe into a picture. It lives on the worker thread and may keep what it loaded.
pub trait Generator: Send {
    /// What draws: for provenance.
    fn model(&self) -> &ModelCard;

    /// Draws one picture of exactly `recipe.size`. For a recipe that is an edit, `parent` is the picture to
    /// edit.
    ///
    /// `interrupt` is looked at between network blocks, `on_step` is called after each step.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] when interrupted; otherwise what went wrong.
    fn generate(
        &mut self,
        recipe: &Recipe,
        parent: Option<&RgbaImage>,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<RgbaImage, GenerateError>;
}

/// What drew a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Its name or folder.
    pub name: String,
    /// The blake3 over its weight files, as hexadecimal digits.
    pub hash: String,
    /// Its licence, where it says one.
    pub licence: Option<String>,
    /// The grid on which it sees pictures that it edits.
    #[serde(default)]
    pub grid: Grid,
}

impl ModelCard {
    /// What a loaded model says of itself, and its files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(files: &ModelFiles, model: &StableDiffusion) -> Result<Self, DiffusionError> {
        let (name, hash, licence) = (files.name(), files.hash()?, files.licence());
        Ok(Self { name, hash, licence, grid: model.grid() })
    }
}

/// Why no picture was drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// Somebody cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// The networks could not be loaded or run.
    #[error(transparent)]
    Diffusion(DiffusionError),
    /// Nothing in the registry can run this model.
    #[error("no generator can run {path} ({what}): see `illustrate models inspect {path}`")]
    NoGenerator {
        /// The folder.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// An edit of nothing.
    #[error("the picture that is to be edited is not there: {0}")]
    NoParent(String),
    /// The generator panicked; the job fails, the worker goes on.
    #[error("the generator panicked: {0}")]
    Panicked(String),
}

impl From<DiffusionError> for GenerateError {
    fn from(error: DiffusionError) -> Self {
        if matches!(error, DiffusionError::Cancelled) {
            Self::Cancelled
        } else {
            Self::Diffusion(error)
        }
    }
}
