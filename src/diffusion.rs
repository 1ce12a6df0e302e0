//! The Stable Diffusion family on candle, driven by the `config.json` files of a diffusers folder.

mod interrupt;
pub mod noise;
pub mod scheduler;

pub use interrupt::{Cancelled, Interrupt};

/// Which device the networks run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// The best there is: CUDA, then Metal, then the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A CUDA card by number (feature `cuda`).
    Cuda(usize),
    /// The Metal device (feature `metal`).
    Metal,
}

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// Somebody cancelled.
    #[error("drawing was cancelled")]
    Cancelled,
    /// candle could not do it.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
