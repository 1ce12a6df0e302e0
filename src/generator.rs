//! Generators turn recipes into pictures. The registry finds the generator of a model.

mod error;
mod inputs;
mod local;
mod registry;

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use crate::{
    diffusion::{DiffusionError, Model, ModelFiles},
    edit::Grid,
    recipe::Recipe,
};

pub use crate::control::{Control, Step};
pub use error::GenerateError;
pub use inputs::Inputs;
pub use local::LocalModels;
pub use registry::{GeneratorRegistry, ModelLoader};

/// Turns a recipe into a picture. It runs on the worker thread and may keep what it has loaded.
pub trait Generator: Send {
    /// The model, for the provenance of its pictures.
    fn card(&self) -> &ModelCard;

    /// Draws one picture of exactly `recipe.size`. If the recipe is an edit, `inputs` has the picture
    /// to edit.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] when interrupted; otherwise why the picture cannot be drawn.
    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<RgbaImage, GenerateError>;
}

/// What is known of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Its name or folder.
    pub name: String,
    /// The blake3 hash of its weight files, as hexadecimal digits.
    pub hash: String,
    /// Its licence, if it names one.
    pub licence: Option<String>,
    /// The grid of its latents.
    #[serde(default)]
    pub grid: Grid,
}

impl ModelCard {
    /// The card of a loaded model.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(files: &ModelFiles, model: &Model) -> Result<Self, DiffusionError> {
        let (name, hash, licence) = (files.name(), files.hash()?, files.licence());
        Ok(Self { name, hash, licence, grid: model.grid() })
    }
}
