//! Pictures without a diffusion network.

use super::{
    Drawn, GenerateError, Generator, Inputs, LocalModels, ModelCard, ModelLoader,
    local::{LocalGenerator, draw_request},
};
use crate::{
    control::Control,
    diffusion::{DiffusionError, LoadOptions},
    model::ModelDefaults,
    recipe::{
        Recipe,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
};

/// Loads the generator [`LATENTS_MODEL`]: an optimizer changes latents of the built-in model until their losses are
/// small. See [`Model::optimize`](crate::diffusion::Model::optimize).
pub struct LatentOptimization(LocalModels);

struct LatentsGenerator {
    card: ModelCard,
    built_in: LocalGenerator,
}

impl LatentOptimization {
    /// A loader with these options.
    #[must_use]
    pub fn new(options: LoadOptions) -> Self {
        Self(LocalModels::new(options))
    }
}

impl ModelLoader for LatentOptimization {
    fn load(
        &self,
        model: &str,
        control: &dyn Control,
    ) -> Option<Result<Box<dyn Generator>, GenerateError>> {
        let load = || {
            let built_in = self.0.load_named(BUILT_IN_MODEL, control)?;
            let card = built_in.card.clone().of_latents();
            Ok(Box::new(LatentsGenerator { card, built_in }) as Box<dyn Generator>)
        };
        (model == LATENTS_MODEL).then(load)
    }

    fn defaults(&self, model: &str) -> Option<ModelDefaults> {
        (model == LATENTS_MODEL).then(ModelDefaults::of_latents)
    }
}

impl Generator for LatentsGenerator {
    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        inputs: &Inputs,
        control: &dyn Control,
    ) -> Result<Drawn, GenerateError> {
        if recipe.edit.is_some() {
            return Err(GenerateError::NoEdits { model: self.card.name.clone() });
        }
        if !recipe.with_choices_made().loras.is_empty() {
            return Err(DiffusionError::NoLoras.into());
        }
        if recipe.vae.is_some() {
            return Err(DiffusionError::NoVae.into());
        }
        if !recipe.text_encoders.is_empty() {
            return Err(DiffusionError::NoTextEncoders.into());
        }
        if let Some(component) = recipe.components.keys().next() {
            return Err(DiffusionError::NoComponent { component: component.clone() }.into());
        }
        let request = draw_request(recipe, inputs, &self.card.defaults)?;
        Ok(self.built_in.model()?.optimize(&request, control)?)
    }
}
