//! A model family: its networks and one implementation of [`Family`], added to the loader.

use std::{borrow::Cow, sync::Arc};

use bevy_illustrator::{
    control::{Control, Interrupt},
    diffusion::{
        Autoencoder, Conditioning, Denoiser, DenoiserInput, DiffusionError, DrawRequest, Family,
        LatentSpec, LoadOptions, Model, ModelParts, Noise, TextEncoder, family,
        hooks::Surroundings, scheduler::SchedulerConfig,
    },
    model::{ModelError, Package, package::INDEX, tensors::TensorSource},
    recipe::{Images, Loss, LossKind, ResolvedSampler, Size},
};
use candle_core::{DType, Device, Tensor};

/// A package in memory, without tensors.
#[derive(Debug)]
struct GradientPackage;

impl Package for GradientPackage {
    fn name(&self) -> String {
        "gradient".to_owned()
    }

    fn location(&self, file: &str) -> String {
        format!("gradient/{file}")
    }

    fn has(&self, file: &str) -> bool {
        file == INDEX
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        assert_eq!(file, INDEX, "there is no other file");
        Ok(Cow::Borrowed(br#"{"_class_name": "GradientPipeline"}"#))
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        panic!("{part} has no tensors")
    }

    fn hash(&self, _: &Interrupt) -> Result<String, ModelError> {
        Ok("0".repeat(64))
    }

    fn licence(&self) -> Option<String> {
        None
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(Self)
    }
}

/// Models that draw a gradient from black to white and ignore the prompt.
struct Gradient;

impl Family for Gradient {
    fn name(&self) -> &str {
        "gradients"
    }

    fn detect(&self, package: &dyn Package) -> bool {
        package.index().is_ok_and(|index| index["_class_name"] == "GradientPipeline")
    }

    fn load(
        &self,
        _: &dyn Package,
        options: &LoadOptions,
        _: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        let parts = ModelParts {
            text_encoder: Box::new(NoText),
            denoiser: Box::new(Ramp),
            autoencoder: Arc::new(Pixels),
            scheduler: SchedulerConfig::from_json(r#"{"prediction_type": "sample"}"#)?,
            surroundings: Surroundings::Noised,
            package: None,
            loaders: None,
            low_memory: false,
            device: options.device.open()?,
        };
        Model::new(parts)
    }
}

struct NoText;

impl TextEncoder for NoText {
    fn encode(&self, _: &str, _: &Interrupt) -> Result<Conditioning, DiffusionError> {
        Ok(Conditioning::new(Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu)?))
    }
}

/// Predicts the finished latents: a ramp from left to right.
struct Ramp;

impl Denoiser for Ramp {
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError> {
        let width = input.latents.dim(3)?;
        let ramp = (0..width).map(|x| x as f32 / (width - 1) as f32 * 2.0 - 1.0);
        let ramp = Tensor::from_iter(ramp, input.latents.device())?;
        Ok(ramp.broadcast_as(input.latents.shape())?.contiguous()?)
    }

    fn latent_channels(&self) -> usize {
        3
    }
}

/// Latents that are pixels.
struct Pixels;

impl Autoencoder for Pixels {
    fn encode(&self, image: &Tensor, _: &Interrupt) -> Result<Tensor, DiffusionError> {
        Ok(image.clone())
    }

    fn decode(&self, latents: &Tensor, _: &Interrupt) -> Result<Tensor, DiffusionError> {
        Ok(latents.clone())
    }

    fn spec(&self) -> LatentSpec {
        LatentSpec { channels: 3, scale: 1 }
    }
}

#[test]
fn a_package_of_an_added_family_is_loaded_and_draws() {
    let mut families = family::families();
    families.push(Arc::new(Gradient));
    let interrupt = Interrupt::default();
    let options = LoadOptions::default();
    let mut model = family::load(&families, &GradientPackage, &options, &interrupt).unwrap();
    let request = DrawRequest {
        prompt: "anything".to_owned(),
        negative_prompt: String::new(),
        size: Size::new(18, 16),
        sampler: ResolvedSampler { steps: 4, ..ResolvedSampler::default() },
        noise: Noise::Seed(5),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let picture = model.draw(&request, &interrupt, &mut []).unwrap().image;
    assert_eq!(picture.dimensions(), (18, 16));
    for (x, _, pixel) in picture.enumerate_pixels() {
        let expected = (x * 15) as u8;
        assert!(pixel.0[..3].iter().all(|value| value.abs_diff(expected) <= 1), "{x}: {pixel:?}");
    }
    // The model does not compare pictures with words, but it measures colours.
    let request = DrawRequest { score: true, ..request };
    let error = model.draw(&request, &interrupt, &mut []).unwrap_err().to_string();
    assert!(error.contains("a score needs a loss"), "{error}");
    let losses = vec![Loss::new(LossKind::TotalVariation)];
    let drawn = model.draw(&DrawRequest { losses, ..request }, &interrupt, &mut []).unwrap();
    assert_eq!(drawn.losses.len(), 1);
}

#[test]
fn a_package_of_an_unknown_family_is_refused_with_its_class() {
    let options = LoadOptions::default();
    let families = family::families();
    let loaded = family::load(&families, &GradientPackage, &options, &Interrupt::default());
    let error = loaded.err().unwrap().to_string();
    assert!(
        error.contains("GradientPipeline") && error.contains("gradient/model_index.json"),
        "{error}"
    );
}
