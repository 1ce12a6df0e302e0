//! The distance of the content to that of an image.

use candle_core::{Result, Tensor};

use super::{LossFunction, LossInput, LossSetupError, LossTargets, input::mean};
use crate::{diffusion::LatentClip, recipe::BlobId};

/// The mean squared difference of coarse features to those of an image at the same place, as a share of the latter's
/// mean square (Gatys, Ecker and Bethge 2016, arXiv:1508.06576). The features are those of [`LatentClip`]. 0 for the same
/// content, about 2 for an unrelated one.
pub(super) struct Content {
    encoder: LatentClip,
    target: Tensor,
}

impl Content {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Content")?;
        let target = encoder.features(&targets.latents("Content", image)?)?.coarse;
        Ok(Self { encoder, target })
    }
}

impl LossFunction for Content {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let mask = LatentClip::coarse_mask(input.latent_mask())?;
        let found = self.encoder.features(input.latents())?.coarse;
        let difference = mean(&(found - &self.target)?.sqr()?, &mask)?;
        difference / mean(&self.target.sqr()?, &mask)?.affine(1.0, 1e-6)?
    }

    fn reads_colours(&self) -> bool {
        false
    }

    fn strength(&self) -> f64 {
        1.5
    }
}
