//! The distance of the style to that of an image.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::{FeatureMap, LossEncoder, LossFunction, LossInput, LossSetupError, LossTargets, View};
use crate::recipe::BlobId;

/// The squared difference of the Gram matrices of features to those of an image, as a share of the latter (Gatys, Ecker
/// and Bethge 2016, arXiv:1508.06576). The features are those of a [`LossEncoder`]. 0 for the same style.
pub(super) struct Style {
    encoder: Arc<dyn LossEncoder>,
    /// The Gram matrices of the fine and the coarse features of the image.
    target: [Tensor; 2],
}

impl Style {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Style")?;
        let seen = targets.seen_whole(encoder.view(), "Style", image)?;
        let [fine, coarse] = encoder.features(&seen, &everywhere(&seen)?)?;
        let target = [gram(&fine)?, gram(&coarse)?];
        Ok(Self { encoder, target })
    }
}

impl LossFunction for Style {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let view = self.encoder.view();
        let [fine, coarse] = self.encoder.features(input.seen(view)?, input.masks().of(view))?;
        let distance = |features: &FeatureMap, target: &Tensor| {
            let squares = (gram(features)? - target)?.sqr()?.sum_all()?;
            squares / target.sqr()?.sum_all()?
        };
        let [of_fine, of_coarse] = &self.target;
        (distance(&fine, of_fine)? + distance(&coarse, of_coarse)?)? / 2.0
    }

    fn view(&self) -> View {
        self.encoder.view()
    }

    fn strength(&self) -> f64 {
        2.0
    }

    fn smoothing(&self) -> usize {
        2
    }
}

/// The mean product of each two channels over the mask, (channels, channels).
fn gram(FeatureMap { values, mask }: &FeatureMap) -> Result<Tensor> {
    let weighted = values.broadcast_mul(mask)?.squeeze(0)?.flatten_from(1)?;
    let features = values.squeeze(0)?.flatten_from(1)?;
    let total = mask.sum_all()?.affine(1.0, 1e-6)?;
    weighted.matmul(&features.t()?)?.broadcast_div(&total)
}

/// A mask of all values of (1, channels, height, width).
fn everywhere(values: &Tensor) -> Result<Tensor> {
    values.narrow(1, 0, 1)?.ones_like()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_gram_matrix_is_the_mean_product_of_channels_over_the_mask() {
        let values = Tensor::new(&[[[[1.0_f64, 2.0]], [[3.0, -1.0]]]], &Device::Cpu).unwrap();
        let mask = Tensor::new(&[[[[1.0_f64, 0.0]]]], &Device::Cpu).unwrap();
        let over = |mask| gram(&FeatureMap { values: values.clone(), mask }).unwrap();
        let (all, first) = (over(everywhere(&values).unwrap()), over(mask));
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
