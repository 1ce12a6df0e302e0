//! How little a part shows what a text says.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::{LossEncoder, LossFunction, LossInput, LossSetupError, LossTargets, View};

/// 1 minus the cosine between the embedding of the part and a direction in the same space (CLIP guidance; on latents as in
/// Latent-CLIP, Becker et al. 2025, arXiv:2503.08455). In 0..=2; unrelated texts have about 1.
pub(super) struct Text {
    encoder: Arc<dyn LossEncoder>,
    /// (channels, 1), of unit length.
    direction: Tensor,
}

impl Text {
    /// The direction of a text.
    pub(super) fn new(
        text: &str,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Text")?;
        let direction = encoder.embed_text(text)?.t()?;
        Ok(Self { encoder, direction })
    }

    /// The direction from one text to another (StyleGAN-NADA's directional loss, Gal et al. 2021, arXiv:2108.00946,
    /// without the embedding of a source picture).
    pub(super) fn between(
        from: &str,
        to: &str,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Direction")?;
        if !encoder.distinguishes(from, to)? {
            return Err(LossSetupError::SameTexts { from: from.to_owned(), to: to.to_owned() });
        }
        let difference = (encoder.embed_text(to)? - encoder.embed_text(from)?)?;
        let length = difference.sqr()?.sum_all()?.sqrt()?;
        Ok(Self { encoder, direction: difference.broadcast_div(&length)?.t()? })
    }
}

impl LossFunction for Text {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let view = self.encoder.view();
        let embedding = self.encoder.embed(input.seen(view)?, input.masks().of(view))?;
        embedding.matmul(&self.direction)?.sum_all()?.affine(-1.0, 1.0)
    }

    fn reads(&self, view: View) -> bool {
        view == self.encoder.view()
    }

    fn strength(&self) -> f64 {
        3.0
    }

    fn smoothing(&self) -> usize {
        2
    }
}
