//! Denoisers: the networks that predict the noise in latents.

mod batch;
pub mod unet;

use candle_core::Tensor;

use super::{Conditioning, DiffusionError, Interrupt};

pub(super) use batch::ConditioningBatches;

/// Predicts the noise in latents (or the velocity, or the finished latents: the scheduler's
/// `prediction_type` says which).
pub trait Denoiser: Send + Sync {
    /// Predicts for `input`, (batch, channels, height, width). Returns the same shape.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] within one network block of the interrupt; otherwise when
    /// shapes do not fit.
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError>;

    /// The channels of the latents that it takes.
    fn latent_channels(&self) -> usize;

    /// Height and width of the latents that it was trained with, if known.
    fn sample_size(&self) -> Option<(usize, usize)> {
        None
    }
}

/// What a denoiser predicts from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DenoiserInput<'a> {
    /// Latents as the scheduler scales them, (batch, channels, height, width).
    pub latents: &'a Tensor,
    /// The timestep; fractional for some schedulers.
    pub timestep: f64,
    /// A conditioning of the same batch size.
    pub conditioning: &'a Conditioning,
    /// Stops or pauses the prediction.
    pub interrupt: &'a Interrupt,
}

impl<'a> DenoiserInput<'a> {
    /// Puts an input together.
    #[must_use]
    pub fn new(
        latents: &'a Tensor,
        timestep: f64,
        conditioning: &'a Conditioning,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self { latents, timestep, conditioning, interrupt }
    }
}
