//! The Stable Diffusion family as a generator.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use image::RgbaImage;

use super::{GenerateError, Generator, GeneratorRegistry, ModelCard, Step};
use crate::{
    diffusion::{
        DeviceKind, DiffusionError, DrawRequest, EditRequest, Interrupt, ModelFiles, Noise,
        StableDiffusion,
    },
    recipe::{Recipe, style::BUILT_IN_MODEL},
};

/// A loaded model; clones share it.
#[derive(Clone)]
struct StableDiffusionGenerator {
    card: ModelCard,
    pipeline: Arc<Mutex<StableDiffusion>>,
}

impl GeneratorRegistry {
    /// The registry with everything that is built in: diffusers folders of the Stable Diffusion
    /// family, and the model that ships with the crate.
    ///
    /// The model that was loaded last stays loaded for as long as the registry lives, so that
    /// loading it again costs nothing.
    #[must_use]
    pub fn built_in(device: DeviceKind) -> Self {
        let kept: Mutex<Option<(String, StableDiffusionGenerator)>> = Mutex::default();
        let mut registry = Self::default();
        registry.register(move |model| {
            let mut kept = lock(&kept);
            if let Some((name, generator)) = &*kept
                && name == model
            {
                return Some(Ok(Box::new(generator.clone())));
            }
            // Two large models at once may not fit the memory.
            *kept = None;
            Some(match StableDiffusionGenerator::load(model, device) {
                Ok(generator) => {
                    *kept = Some((model.to_owned(), generator.clone()));
                    Ok(Box::new(generator))
                }
                Err(error) => Err(error.into()),
            })
        });
        registry
    }
}

impl StableDiffusionGenerator {
    fn load(model: &str, device: DeviceKind) -> Result<Self, DiffusionError> {
        let files = match model {
            BUILT_IN_MODEL => ModelFiles::built_in(),
            folder => ModelFiles::open(folder)?,
        };
        let pipeline = StableDiffusion::load(&files, device)?;
        let card = ModelCard::of(&files, &pipeline)?;
        Ok(Self { card, pipeline: Arc::new(Mutex::new(pipeline)) })
    }
}

impl Generator for StableDiffusionGenerator {
    fn model(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        parent: Option<&RgbaImage>,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<RgbaImage, GenerateError> {
        let noise = Noise::Seed(recipe.noise_seed());
        let Recipe { prompt, negative_prompt, size, sampler, edit, .. } = recipe.clone();
        let mut pipeline = lock(&self.pipeline);
        let image = match edit {
            None => {
                let request = DrawRequest { prompt, negative_prompt, size, sampler, noise };
                pipeline.draw(&request, interrupt, on_step, None)?
            }
            Some(edit) => {
                let missing = || GenerateError::NoParent("none was given".to_owned());
                let picture = parent.ok_or_else(missing)?.clone();
                let edit = edit.of_take(recipe.take);
                let request =
                    EditRequest { picture, prompt, negative_prompt, edit, sampler, noise };
                pipeline.edit(&request, interrupt, on_step, None)?
            }
        };
        Ok(image)
    }
}

/// What a panic interrupted is still whole: all that changes are caches.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
