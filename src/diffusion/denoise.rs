//! Denoisers: the networks that predict the noise in latents.

mod batch;
mod blocks;
pub mod flux2;
mod position;
mod tiles;
pub mod unet;
pub mod z_image;

use candle_core::{DType, Device, Tensor};

use super::{
    Conditioning, DiffusionError, Interrupt,
    adapter::{ActiveAdapters, AdapterPlaces},
    lora::LoraFile,
};

pub(super) use batch::ConditioningBatches;
pub(super) use tiles::{Tiles, cut};

/// Predicts the noise in latents (or the velocity, or the finished latents: the scheduler's
/// `prediction_type` says which).
pub trait Denoiser: Send + Sync {
    /// Predicts for `input`, (batch, channels, height, width). Returns the same shape.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one network block after an interrupt. Otherwise if the
    /// shapes do not match.
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError>;

    /// Channels of the latents.
    fn latent_channels(&self) -> usize;

    /// The type that the network computes in. Its inputs and predictions are f32 all the same. If it has 16 bits and a
    /// gradient is needed, the network computes in f32 with the same weights, because gradients exceed the range of f16 and
    /// lose most of their digits in bf16. f32 by default.
    fn dtype(&self) -> DType {
        DType::F32
    }

    /// Whether it is an inpainting model, which also needs [`DenoiserInput::inpainting`]. By default it is not.
    fn is_inpainting(&self) -> bool {
        false
    }

    /// Height and width of the latents in training, if known.
    fn sample_size(&self) -> Option<(usize, usize)> {
        None
    }

    /// Latents along each side of a patch that the network sees as a whole. Pictures and crops are whole patches. 1 by
    /// default.
    fn patch_size(&self) -> usize {
        1
    }

    /// The guidance scale that has no effect in the pipeline of diffusers. By default it is 1: the scale counts from the
    /// prediction under the negative prompt. If it is 0, the scale counts from the prediction under the prompt.
    fn neutral_guidance_scale(&self) -> f32 {
        1.0
    }

    /// Whether it was distilled with guidance. The predictions are then not guided, as in diffusers: either the guidance
    /// scale of a sampler has no effect, or the denoiser embeds [`Conditioning::guidance_scale`]. `false` by default.
    fn is_distilled(&self) -> bool {
        false
    }

    /// Whether [`Conditioning::references`] have an effect. `false` by default.
    fn sees_references(&self) -> bool {
        false
    }

    /// The same network, with these low-rank adapters instead of those before. Both share their weights. `None` by default: the
    /// network is [loaded again](super::ModelParts::loaders) with changed weights.
    ///
    /// # Errors
    /// If a layer of a file is for another shape, or cannot be read.
    fn with_loras(
        &self,
        _loras: &[LoraFile],
        _device: &Device,
    ) -> Result<Option<Box<dyn Denoiser>>, DiffusionError> {
        Ok(None)
    }

    /// The places in which adapters act. `None` by default: [`DenoiserInput::adapters`] has no effect.
    fn adapter_places(&self) -> Option<AdapterPlaces> {
        None
    }
}

/// The type that a network of `dtype` computes a prediction in: f32 instead of 16 bits if a gradient is needed.
fn predicting_type(dtype: DType, needs_gradient: bool) -> DType {
    let is_half = matches!(dtype, DType::F16 | DType::BF16);
    if is_half && needs_gradient { DType::F32 } else { dtype }
}

/// The input of a denoiser.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DenoiserInput<'a> {
    /// Latents as the scheduler scales them, (batch, channels, height, width).
    pub latents: &'a Tensor,
    /// For an inpainting model: a mask, 1 where the picture is redrawn and 0 elsewhere, then the latents of the picture
    /// with zeros (grey) in all redrawn pixels. (1, 1 + channels, height, width).
    pub inpainting: Option<&'a Tensor>,
    /// The timestep, which is fractional for some schedulers.
    pub timestep: f64,
    /// A conditioning with the same batch size.
    pub conditioning: &'a Conditioning,
    /// The adapters that act in this prediction, if there are any.
    pub adapters: Option<&'a ActiveAdapters>,
    /// Stops or pauses the prediction.
    pub interrupt: &'a Interrupt,
}

impl<'a> DenoiserInput<'a> {
    /// Creates an input.
    #[must_use]
    pub fn new(
        latents: &'a Tensor,
        timestep: f64,
        conditioning: &'a Conditioning,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self { latents, inpainting: None, timestep, conditioning, adapters: None, interrupt }
    }

    /// Adds what an inpainting model sees beside the latents.
    #[must_use]
    pub fn with_inpainting(self, inpainting: &'a Tensor) -> Self {
        Self { inpainting: Some(inpainting), ..self }
    }

    /// Adds adapters.
    #[must_use]
    pub fn with_adapters(self, adapters: &'a ActiveAdapters) -> Self {
        Self { adapters: Some(adapters), ..self }
    }
}
