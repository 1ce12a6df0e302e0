//! Encoded prompts, which condition a denoiser.

use candle_core::Tensor;

use super::adapter::ImageKeys;

/// An encoded prompt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Conditioning {
    /// The embedding of each token, (1, tokens, width).
    pub tokens: Tensor,
    /// One embedding of the whole prompt, (1, width), for models that use it (Stable Diffusion XL).
    pub pooled: Option<Tensor>,
    /// The images beside the prompt. Each has an effect in steps whose
    /// [`ActiveAdapters`](super::adapter::ActiveAdapters) name it.
    pub images: Vec<ImageKeys>,
    /// The latents of pictures that the prompt refers to, each (1, channels, height, width) of any size, for denoisers that
    /// [see them](super::Denoiser::sees_references).
    pub references: Vec<Tensor>,
    /// The guidance scale, for denoisers that [embed it](super::Denoiser::is_distilled).
    pub guidance_scale: Option<f64>,
}

impl Conditioning {
    /// A conditioning of token embeddings, (1, tokens, width).
    #[must_use]
    pub fn new(tokens: Tensor) -> Self {
        let (images, references) = (Vec::new(), Vec::new());
        Self { tokens, pooled: None, images, references, guidance_scale: None }
    }

    /// Whether a gradient with respect to any part of it is needed.
    pub(super) fn needs_gradients(&self) -> bool {
        let tensors = [&self.tokens].into_iter().chain(&self.pooled).chain(&self.references);
        tensors.into_iter().any(Tensor::track_op)
            || self.images.iter().any(ImageKeys::needs_gradients)
    }

    /// Adds an embedding of the whole prompt, (1, width).
    #[must_use]
    pub fn with_pooled(self, pooled: Tensor) -> Self {
        Self { pooled: Some(pooled), ..self }
    }

    /// Adds images beside the prompt.
    #[must_use]
    pub fn with_images(self, images: Vec<ImageKeys>) -> Self {
        Self { images, ..self }
    }

    /// Adds the latents of pictures that the prompt refers to, each (1, channels, height, width).
    #[must_use]
    pub fn with_references(self, references: Vec<Tensor>) -> Self {
        Self { references, ..self }
    }

    /// Adds the guidance scale, for denoisers that embed it.
    #[must_use]
    pub fn with_guidance_scale(self, scale: f64) -> Self {
        Self { guidance_scale: Some(scale), ..self }
    }
}
