//! Networks that read pictures and texts, for the losses `Text`, `Direction`, `Style` and `Content`.

use candle_core::{Result, Tensor};

use crate::diffusion::DiffusionError;

/// A network that embeds pictures and texts in the same space, such as CLIP (Radford et al. 2021, arXiv:2103.00020), and that
/// has feature maps of pictures.
pub trait LossEncoder: Send + Sync {
    /// What it reads.
    fn view(&self) -> View;

    /// The embedding of a text, (1, channels), of unit length.
    ///
    /// # Errors
    /// If the text cannot be tokenized or the network fails.
    fn embed_text(&self, text: &str) -> std::result::Result<Tensor, DiffusionError>;

    /// Whether the embeddings of two texts are far enough from each other that the direction between them means something.
    ///
    /// # Errors
    /// As [`Self::embed_text`].
    fn distinguishes(&self, one: &str, other: &str) -> std::result::Result<bool, DiffusionError> {
        let difference = (self.embed_text(one)? - self.embed_text(other)?)?;
        Ok(difference.sqr()?.sum_all()?.sqrt()?.to_scalar::<f32>()? >= MIN_DISTANCE)
    }

    /// The embedding of a part, in the same space, (1, channels), of unit length. Differentiable. `mask` is the share of each
    /// value of `seen` that belongs to the part, (1, 1, height, width).
    ///
    /// # Errors
    /// If the shapes do not match.
    fn embed(&self, seen: &Tensor, mask: &Tensor) -> Result<Tensor>;

    /// Fine and coarse features of a part. Differentiable. The arguments are those of [`Self::embed`].
    ///
    /// # Errors
    /// If the shapes do not match.
    fn features(&self, seen: &Tensor, mask: &Tensor) -> Result<[FeatureMap; 2]>;
}

/// Texts whose embeddings are closer than this mean the same.
const MIN_DISTANCE: f32 = 0.05;

/// What a [`LossEncoder`] or a [`LossFunction`](super::LossFunction) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// [`LossInput::latents`](super::LossInput::latents).
    Latents,
    /// [`LossInput::colours`](super::LossInput::colours).
    Colours,
    /// [`LossInput::pixels`](super::LossInput::pixels).
    Pixels,
}

/// Features of a part. The product of the values with themselves describes the style, the values the content.
#[derive(Clone, Debug)]
pub struct FeatureMap {
    /// (1, channels, height, width).
    pub values: Tensor,
    /// The share of each value that belongs to the part, (1, 1, height, width).
    pub mask: Tensor,
}
