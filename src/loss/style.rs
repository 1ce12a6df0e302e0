//! The distance of the style to that of an image.

use candle_core::{Result, Tensor};

use super::{LossFunction, LossInput, LossSetupError, LossTargets};
use crate::{
    diffusion::{LatentClip, LatentFeatures},
    recipe::BlobId,
};

/// The squared difference of the Gram matrices of features to those of an image, as a share of the latter (Gatys, Ecker
/// and Bethge 2016, arXiv:1508.06576). The features are those of [`LatentClip`]. 0 for the same style.
pub(super) struct Style {
    encoder: LatentClip,
    /// The Gram matrices of the fine and the coarse features of the image.
    target: [Tensor; 2],
}

impl Style {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Style")?;
        let features = encoder.features(&targets.whole_latents("Style", image)?)?;
        let LatentFeatures { fine, coarse } = &features;
        let target = [gram(fine, &everywhere(fine)?)?, gram(coarse, &everywhere(coarse)?)?];
        Ok(Self { encoder, target })
    }
}

impl LossFunction for Style {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let LatentFeatures { fine, coarse } = self.encoder.features(input.latents())?;
        let [of_fine, of_coarse] = &self.target;
        let masks = [input.latent_mask().clone(), LatentClip::coarse_mask(input.latent_mask())?];
        let distance = |features: &Tensor, mask: &Tensor, target: &Tensor| {
            let squares = (gram(features, mask)? - target)?.sqr()?.sum_all()?;
            squares / target.sqr()?.sum_all()?
        };
        (distance(&fine, &masks[0], of_fine)? + distance(&coarse, &masks[1], of_coarse)?)? / 2.0
    }

    fn reads_colours(&self) -> bool {
        false
    }

    fn strength(&self) -> f64 {
        2.0
    }

    fn smoothing(&self) -> usize {
        2
    }
}

/// The mean product of each two channels of (1, channels, height, width) over a mask, (channels, channels).
fn gram(features: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let weighted = features.broadcast_mul(mask)?.squeeze(0)?.flatten_from(1)?;
    let features = features.squeeze(0)?.flatten_from(1)?;
    let total = mask.sum_all()?.affine(1.0, 1e-6)?;
    weighted.matmul(&features.t()?)?.broadcast_div(&total)
}

/// A mask of all pixels of (1, channels, height, width).
fn everywhere(features: &Tensor) -> Result<Tensor> {
    features.narrow(1, 0, 1)?.ones_like()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_gram_matrix_is_the_mean_product_of_channels_over_the_mask() {
        let features = Tensor::new(&[[[[1.0_f64, 2.0]], [[3.0, -1.0]]]], &Device::Cpu).unwrap();
        let mask = Tensor::new(&[[[[1.0_f64, 0.0]]]], &Device::Cpu).unwrap();
        let all = gram(&features, &everywhere(&features).unwrap()).unwrap();
        let first = gram(&features, &mask).unwrap();
        for (found, expected) in
            [(all, [[2.5, 0.5], [0.5, 5.0]]), (first, [[1.0, 3.0], [3.0, 9.0]])]
        {
            for (found, expected) in found.to_vec2::<f64>().unwrap().iter().zip(expected) {
                let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).sum::<f64>();
                assert!(error < 1e-4, "{found:?}");
            }
        }
    }
}
