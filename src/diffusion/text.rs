//! Text encoders: from a prompt to a [`Conditioning`].

pub mod clip;
pub mod embedder;
pub mod qwen3;
pub mod sdxl;
pub mod tokenizer;
mod weighting;

use super::{Conditioning, DiffusionError, Interrupt};

/// Encodes prompts.
pub trait TextEncoder: Send + Sync {
    /// Encodes a prompt in the notation of [`prompt`](crate::prompt), after its choices were made. A prompt beyond the
    /// encoder's length is encoded in chunks, so that its last words, which are those of the style, count.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] if interrupted. Also if the prompt cannot be tokenized or the
    /// network fails.
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError>;
}
