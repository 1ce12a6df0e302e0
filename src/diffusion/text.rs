//! Text encoders: from a prompt to a [`Conditioning`].

pub mod clip;
pub mod embedder;
pub mod inversion;
pub mod qwen3;
pub mod sdxl;
pub mod tokenizer;
mod weighting;

use super::{Conditioning, DiffusionError, Interrupt};
pub use inversion::TextualInversion;

/// How a prompt is encoded.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions<'a> {
    /// As [`Sampler::clip_skip`](crate::recipe::Sampler::clip_skip).
    pub clip_skip: Option<u32>,
    /// The textual inversions that prompts may name, for this encoder.
    pub inversions: &'a [TextualInversion],
}

/// Encodes prompts.
pub trait TextEncoder: Send + Sync {
    /// Encodes a prompt in the notation of [`prompt`](crate::prompt), after its choices were made. A prompt beyond the
    /// encoder's length is encoded in chunks, so that its last words, which are those of the style, count.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] if interrupted. Also if the prompt cannot be tokenized or the
    /// network fails.
    fn encode(&self, prompt: &str, interrupt: &Interrupt) -> Result<Conditioning, DiffusionError>;

    /// As [`Self::encode`], with options of CLIP's text encoders. Other text encoders have none.
    ///
    /// # Errors
    /// As [`Self::encode`], [`DiffusionError::NotClip`] if the encoder does not have an option that is set,
    /// [`DiffusionError::ClipSkip`] if it has too few layers, and [`DiffusionError::NoSuchEmbedding`] if the prompt names
    /// another textual inversion.
    fn encode_with(
        &self,
        prompt: &str,
        options: TextOptions<'_>,
        interrupt: &Interrupt,
    ) -> Result<Conditioning, DiffusionError> {
        match options {
            TextOptions { clip_skip: None, inversions: [] } => self.encode(prompt, interrupt),
            _ => Err(DiffusionError::NotClip),
        }
    }

    /// The width of the vectors of a textual inversion, for each text encoder. Empty if it cannot have any.
    fn inversion_widths(&self) -> Vec<usize> {
        Vec::new()
    }
}
