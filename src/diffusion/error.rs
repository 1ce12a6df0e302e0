//! Why a model cannot be loaded, or a picture not drawn.

use super::{Cancelled, MAX_SIDE, MIN_SIDE, scheduler::SchedulerError};
use crate::{edit::EditError, model::ModelError, recipe::Size};

/// Why a model could not be loaded or run. Each message names the file, field or tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// The work was cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// A file of the model cannot be used.
    #[error(transparent)]
    Model(ModelError),
    /// A file of the tokenizer has unexpected contents.
    #[error("{file}: {reason}")]
    Tokenizer {
        /// The file.
        file: String,
        /// The reason.
        reason: String,
    },
    /// The requested device is not available.
    #[error("the device \"{device}\" cannot be used: {reason}")]
    Device {
        /// The device.
        device: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// The model's scheduler cannot run.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// The request has a value that cannot be used.
    #[error(transparent)]
    Draw(#[from] DrawError),
    /// The edit has a value that cannot be used.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The parts of a model do not belong together.
    #[error(
        "the denoiser takes latents with {denoiser} channels, but the autoencoder's have {autoencoder}: \
         the parts of this model do not belong together"
    )]
    Parts {
        /// Channels of the denoiser's latents.
        denoiser: usize,
        /// Channels of the autoencoder's latents.
        autoencoder: usize,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<Cancelled> for DiffusionError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<ModelError> for DiffusionError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Cancelled(_) => Self::Cancelled,
            error => Self::Model(error),
        }
    }
}

/// Why a picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// A side is too short or too long.
    #[error(
        "a picture of {0} cannot be drawn: each side must have {MIN_SIDE} to {MAX_SIDE} pixels"
    )]
    Size(Size),
    /// Not a number, or below 0.
    #[error("guidance scale {0} cannot be used: give a number of at least 0, such as 7.5")]
    Guidance(f32),
    /// Not a number, or not in 0..=1.
    #[error("guidance rescale {0} cannot be used: give a number from 0 to 1, such as 0.7")]
    GuidanceRescale(f32),
    /// The starting noise belongs to another size or another model.
    #[error(
        "the starting noise has the shape {found:?}, but {size} pixels need \
         {expected:?} with this model (batch, channels, height, width)"
    )]
    Noise {
        /// The shape of the noise.
        found: Vec<usize>,
        /// The shape that is needed.
        expected: [usize; 4],
        /// The requested size.
        size: Size,
    },
    /// The result has values that are not finite.
    #[error(
        "the model produced values that are not finite: check the weights, the starting noise and \
         the guidance scale"
    )]
    NotFinite,
}
