//! Errors of loading a model or drawing a picture.

use super::{
    Cancelled, LatentSpec, adapter::AdapterError, optimize::MAX_ITERATIONS,
    scheduler::SchedulerError,
};
use crate::{
    candle_error::without_backtrace,
    edit::EditError,
    loss::LossSetupError,
    memory::MemoryError,
    model::ModelError,
    recipe::{GuidanceIntervalError, InspirationError, LoraError, MAX_SIDE, MIN_SIDE, Size},
};

/// An error of loading or running a model. Each message names the file, field or tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// The work was cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// A file of the model cannot be used.
    #[error(transparent)]
    Model(ModelError),
    /// A tokenizer file has unexpected contents.
    #[error("{file}: {reason}")]
    Tokenizer {
        /// The file.
        file: String,
        /// The reason.
        reason: String,
    },
    /// The machine has too little memory, or the memory budget is too small.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The requested device is not available.
    #[error("the device \"{device}\" cannot be used: {reason}")]
    Device {
        /// The device.
        device: String,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The denoiser cannot compute in the requested precision.
    #[error("the precision \"{precision}\" cannot be used: {reason}")]
    Precision {
        /// The precision.
        precision: String,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The scheduler cannot be set up.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// The request has an invalid value.
    #[error(transparent)]
    Draw(#[from] DrawError),
    /// A loss cannot be set up.
    #[error(transparent)]
    Loss(LossSetupError),
    /// An adapter cannot be used.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The edit has an invalid value.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The components of a model do not match.
    #[error(
        "the denoiser expects latents with {denoiser} channels, but the autoencoder's have {autoencoder}: \
         the components of this model do not match"
    )]
    Parts {
        /// Channels of the denoiser's latents.
        denoiser: usize,
        /// Channels of the autoencoder's latents.
        autoencoder: usize,
    },
    /// The family of the model cannot have low-rank adapters.
    #[error(
        "this model cannot have LoRAs: leave them out, or choose a model of Stable Diffusion, FLUX.2 Klein or Z-Image"
    )]
    NoLoras,
    /// No file has the name of a LoRA.
    #[error(
        "there is no LoRA `{name}` in the working directory{}: give the name of a safetensors file in a folder `loras` beside the model, or its path",
        searched.iter().map(|folder| format!(", in {folder}")).collect::<String>()
    )]
    NoSuchLora {
        /// The name.
        name: String,
        /// The folders that were searched.
        searched: Vec<String>,
    },
    /// A LoRA is not valid.
    #[error(transparent)]
    Lora(#[from] LoraError),
    /// The text encoder of the model is not that of CLIP, and has no embeddings of textual inversions.
    #[error(
        "the text encoder of this model is not that of CLIP, and cannot have embeddings: leave `embedding:{name}` out of the prompt, or choose a model of Stable Diffusion"
    )]
    NoEmbeddings {
        /// The name of the first one.
        name: String,
    },
    /// No file has the name of a textual inversion.
    #[error(
        "the embedding `{name}` was not found in the working directory{}: give the name of a safetensors file in a folder `embeddings` beside the model, or its path",
        searched.iter().map(|folder| format!(", in {folder}")).collect::<String>()
    )]
    NoSuchEmbedding {
        /// The name.
        name: String,
        /// The folders that were searched.
        searched: Vec<String>,
    },
    /// The autoencoder of the model cannot be replaced.
    #[error(
        "this model cannot have another VAE: leave it out, or choose a model of Stable Diffusion"
    )]
    NoVae,
    /// The model has no components beside its networks.
    #[error(
        "this model cannot have the component {component}: leave it out, or choose a model of Stable Diffusion"
    )]
    NoComponent {
        /// The name of the component, such as `adapters/outline`.
        component: String,
    },
    /// The model has no text encoder.
    #[error(
        "this model has no text encoder to replace: leave it out, or choose a model of Stable Diffusion"
    )]
    NoTextEncoders,
    /// The recipe has other text encoders than the loaded model, or another autoencoder than a loaded model without one of its own.
    #[error(
        "the model was loaded with other text encoders or another VAE: load it for the recipe, with GeneratorRegistry::load_for"
    )]
    OtherFiles,
    /// An autoencoder has other latents than that of the model.
    #[error(
        "the VAE {file} has latents of {} channels with {} pixels along each side, and the model needs {} channels with {} pixels: choose a VAE for the family of the model",
        found.channels, found.scale, expected.channels, expected.scale
    )]
    OtherLatents {
        /// The file.
        file: String,
        /// The latents of the file.
        found: LatentSpec,
        /// Those of the model.
        expected: LatentSpec,
    },
    /// The text encoder of the model is not that of CLIP, and has no layers to leave out.
    #[error(
        "the text encoder of this model is not that of CLIP: leave out clip_skip, or choose a model of Stable Diffusion"
    )]
    NotClip,
    /// Too many layers of a text encoder are left out.
    #[error(
        "clip_skip {clip_skip} leaves out too many layers of the text encoder: give a number from 0 to {most} with this model"
    )]
    ClipSkip {
        /// The requested number.
        clip_skip: u32,
        /// The largest number.
        most: usize,
    },
    /// candle failed.
    #[error(transparent)]
    Candle(candle_core::Error),
}

impl From<candle_core::Error> for DiffusionError {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(without_backtrace(error))
    }
}

impl From<LossSetupError> for DiffusionError {
    fn from(error: LossSetupError) -> Self {
        match error {
            LossSetupError::Network(error) => *error,
            error => Self::Loss(error),
        }
    }
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

/// An invalid request, or an invalid result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// A side is too short or too long.
    #[error(
        "a picture of {0} cannot be drawn: each side must have {MIN_SIDE} to {MAX_SIDE} pixels"
    )]
    Size(Size),
    /// The guidance scale is not a number, or is below 0.
    #[error("guidance scale {0} cannot be used: give a number of at least 0, such as 7.5")]
    Guidance(f32),
    /// The guidance rescale is not a number, or is outside 0..=1.
    #[error("guidance rescale {0} cannot be used: give a number from 0 to 1, such as 0.7")]
    GuidanceRescale(f32),
    /// The guidance interval is empty, or outside 0..=1.
    #[error(transparent)]
    GuidanceInterval(#[from] GuidanceIntervalError),
    /// No optimizer has this name.
    #[error("the optimizer \"{class_name}\" is unknown: use one of {known}")]
    Optimizer {
        /// The requested class name.
        class_name: String,
        /// The known class names.
        known: String,
    },
    /// The number of iterations of an optimizer is out of range.
    #[error("{0} iterations cannot be used: give 1 to {MAX_ITERATIONS} steps, such as 100")]
    Iterations(u32),
    /// An inspiration of the whole picture has an invalid value.
    #[error(transparent)]
    Inspiration(#[from] InspirationError),
    /// A reference image would have no effect.
    #[error(
        "this model does not see reference images: choose FLUX.2 Klein, copy an IP-Adapter into `adapters/reference` of the \
         model, or use the image as ContentImage or StyleImage"
    )]
    NoReferences,
    /// The starting noise has the wrong shape for this size and model.
    #[error(
        "the starting noise has the shape {found:?}, but {size} pixels need \
         {expected:?} with this model (batch, channels, height, width)"
    )]
    Noise {
        /// The shape of the noise.
        found: Vec<usize>,
        /// The required shape.
        expected: [usize; 4],
        /// The requested size.
        size: Size,
    },
    /// The result has values that are not finite.
    #[error(
        "the model produced values that are not finite: check the weights, the starting noise and \
         the guidance scale, and choose another precision than f16"
    )]
    NotFinite,
    /// The value or the gradient of a loss of this kind is not finite.
    #[error(
        "the loss {0} has no finite value: the weights of its network or of the model are damaged or overflow; use other \
         weights, or leave the loss out"
    )]
    Loss(String),
    /// An optimizer produced values that are not finite.
    #[error(
        "the optimizer {0} diverged: use smaller weights of losses, fewer steps, or another optimizer"
    )]
    Diverged(String),
    /// The autoencoder's output has values that are not finite, although its input has none.
    #[error(
        "the autoencoder produced values that are not finite (NaN or infinite): its weights are damaged or overflow; \
         use other weights of the `vae`"
    )]
    Autoencoder,
}
