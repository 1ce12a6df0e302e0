//! The distance of the content to that of an image.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::{LossEncoder, LossFunction, LossInput, LossSetupError, LossTargets, View, input::mean};
use crate::recipe::BlobId;

/// The mean squared difference of coarse features to those of an image at the same place, as a share of the latter's
/// mean square (Gatys, Ecker and Bethge 2016, arXiv:1508.06576). The features are the coarse ones of a [`LossEncoder`]. 0 for the same
/// content, about 2 for an unrelated one.
pub(super) struct Content {
    encoder: Arc<dyn LossEncoder>,
    target: Tensor,
}

impl Content {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Content")?;
        let view = encoder.view();
        let seen = targets.seen(view, "Content", image)?;
        let [_, coarse] = encoder.features(&seen, targets.masks.of(view))?;
        Ok(Self { encoder, target: coarse.values })
    }
}

impl LossFunction for Content {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let view = self.encoder.view();
        let [_, coarse] = self.encoder.features(input.seen(view)?, input.masks().of(view))?;
        let difference = mean(&(coarse.values - &self.target)?.sqr()?, &coarse.mask)?;
        difference / mean(&self.target.sqr()?, &coarse.mask)?.affine(1.0, 1e-6)?
    }

    fn reads(&self, view: View) -> bool {
        view == self.encoder.view()
    }

    fn strength(&self) -> f64 {
        1.5
    }
}
