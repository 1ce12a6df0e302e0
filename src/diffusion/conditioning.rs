//! Encoded prompts, which condition a denoiser.

use candle_core::Tensor;

/// An encoded prompt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Conditioning {
    /// The embedding of each token, (1, tokens, width).
    pub tokens: Tensor,
    /// One embedding of the whole prompt, (1, width), for models that use it (Stable Diffusion XL).
    pub pooled: Option<Tensor>,
}

impl Conditioning {
    /// A conditioning of token embeddings, (1, tokens, width).
    #[must_use]
    pub fn new(tokens: Tensor) -> Self {
        Self { tokens, pooled: None }
    }

    /// Adds an embedding of the whole prompt, (1, width).
    #[must_use]
    pub fn with_pooled(self, pooled: Tensor) -> Self {
        Self { pooled: Some(pooled), ..self }
    }
}
