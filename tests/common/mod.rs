//! What tests share: a generator that draws at once, without any model.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bevy_illustrator::{
    diffusion::{DiffusionError, Interrupt},
    generator::{GenerateError, Generator, GeneratorRegistry, ModelCard, Step},
    recipe::Recipe,
};
use image::{Rgba, RgbaImage};

/// A generator that fills a picture with one colour, which its recipe decides.
#[derive(Clone, Debug, Default)]
pub struct Painter {
    /// How long a picture takes.
    pub takes: Duration,
    /// How many pictures were finished.
    pub finished: Arc<AtomicUsize>,
    card: ModelCard,
}

impl Painter {
    /// One that takes this long for a picture.
    pub fn slow(takes: Duration) -> Self {
        Self { takes, ..Self::default() }
    }

    /// A registry in which it runs every model.
    pub fn registry(&self) -> GeneratorRegistry {
        let painter = self.clone();
        let mut registry = GeneratorRegistry::default();
        registry.register(move |_| Some(Ok(Box::new(painter.clone()))));
        registry
    }

    /// How many pictures were finished.
    pub fn finished(&self) -> usize {
        self.finished.load(Ordering::SeqCst)
    }

    /// The colour of the picture of a recipe.
    pub fn colour(recipe: &Recipe) -> [u8; 4] {
        let mut hash = blake3::Hasher::new();
        hash.update(recipe.prompt.as_bytes()).update(&recipe.noise_seed().to_le_bytes());
        let [red, green, blue, ..] = *hash.finalize().as_bytes();
        [red, green, blue, 255]
    }
}

impl Generator for Painter {
    fn model(&self) -> &ModelCard {
        &self.card
    }

    fn generate(
        &mut self,
        recipe: &Recipe,
        interrupt: &Interrupt,
        on_step: &mut dyn FnMut(Step),
    ) -> Result<RgbaImage, GenerateError> {
        let end = Instant::now() + self.takes;
        loop {
            interrupt.check().map_err(|_| DiffusionError::Cancelled)?;
            if Instant::now() >= end {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        on_step(Step { done: 1, of: 1, preview: None });
        self.finished.fetch_add(1, Ordering::SeqCst);
        let colour = Rgba(Self::colour(recipe));
        Ok(RgbaImage::from_pixel(recipe.size.width, recipe.size.height, colour))
    }
}
