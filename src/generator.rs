//! Generators turn recipes into pictures. The registry finds the generator of a model.

mod error;
mod inputs;
mod latents;
mod library;
mod local;
mod named_files;
mod open;
mod registry;
mod told;

use crate::recipe::Recipe;

pub use crate::{
    control::{Control, Step},
    diffusion::Drawn,
    model::ModelCard,
};
pub use error::GenerateError;
pub use inputs::{BlobUse, Inputs, MissingBlob};
pub use latents::LatentOptimization;
pub use library::{FoundModel, find_models};
pub use local::{LocalModels, draw_request, load_model, prepare_model};
pub use named_files::{embedding_files, lora_files};
pub use open::{inspect, open_model, open_package};
pub use registry::{GeneratorRegistry, ModelLoader};

/// Turns a recipe into a picture. It runs on the worker thread and may cache loaded data.
pub trait Generator: Send {
    /// The model, for the provenance of its pictures.
    fn card(&self) -> &ModelCard;

    /// Whether the files of the model are still those that it was loaded from. If not, the studio loads the model again
    /// before the next picture.
    fn is_current(&self) -> bool {
        true
    }

    /// Whether the free memory suffices for the picture of a recipe. If not, the studio loads the model again, which may
    /// then use less memory. `true` by default.
    fn has_memory_for(&self, recipe: &Recipe) -> bool {
        let _ = recipe;
        true
    }

    /// Loads what a recipe needs besides the model, such as its low-rank adapters and textual inversions. [`Self::card`] then describes the model
    /// with them. By default, nothing.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] if interrupted. Otherwise the reason why it cannot be loaded.
    fn prepare(&mut self, recipe: &Recipe, control: &dyn Control) -> Result<(), GenerateError> {
        let _ = (recipe, control);
        Ok(())
    }

    /// Draws one picture of exactly `recipe.size`, and measures the final values of its losses. If the recipe is an
    /// edit, `inputs` has the picture to edit.
    ///
    /// # Errors
    /// [`GenerateError::Cancelled`] if interrupted. Otherwise the reason why the picture cannot be
    /// drawn.
    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError>;
}
