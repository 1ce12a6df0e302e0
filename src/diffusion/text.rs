//! Text encoders: from a prompt to a [`Conditioning`].

pub mod clip;
pub mod tokenizer;

use super::{Conditioning, DiffusionError, Interrupt};

/// Encodes prompts.
pub trait TextEncoder: Send + Sync {
    /// Encodes a prompt. Text beyond the encoder's maximum length is truncated.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] if interrupted. Also if the prompt cannot be tokenized or the
    /// network fails.
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError>;
}
