//! The distance of the style to that of an image.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::{
    FeatureMap, LossEncoder, LossFunction, LossInput, LossSetupError, LossTargets, View,
    input::mean, outline::edges, palette::oklab,
};
use crate::recipe::BlobId;

/// The mean of two distances to an image. 0 for the same style.
///
/// - The squared difference of the Gram matrices of features, as a share of those of the image (Gatys, Ecker and Bethge
///   2016, arXiv:1508.06576). The features are those of a [`LossEncoder`].
/// - The squared difference of the means and deviations of the colours in Oklab, which Reinhard et al. (2001, "Color transfer
///   between images") transfer, and of the mean edge at two sizes.
pub(super) struct Style {
    encoder: Arc<dyn LossEncoder>,
    /// The Gram matrices of the fine and the coarse features of the image.
    grams: [Tensor; 2],
    looks: Looks,
}

impl Style {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let encoder = targets.encoder("Style")?;
        let seen = targets.seen_whole(encoder.view(), "Style", image)?;
        let [fine, coarse] = encoder.features(&seen, &everywhere(&seen)?)?;
        let grams = [gram(&fine)?, gram(&coarse)?];
        let colours = targets.seen_whole(View::Colours, "Style", image)?;
        let looks = Looks::of(&colours, &everywhere(&colours)?)?;
        Ok(Self { encoder, grams, looks })
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
        let [of_fine, of_coarse] = &self.grams;
        let of_features = (distance(&fine, of_fine)? + distance(&coarse, of_coarse)?)?;
        let looks = Looks::of(input.colours()?, &input.masks().colours)?;
        (of_features / 4.0)? + (looks.distance(&self.looks)? / 2.0)?
    }

    fn reads(&self, view: View) -> bool {
        view == View::Colours || view == self.encoder.view()
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

/// Statistics of colours.
struct Looks {
    /// The means of lightness and of both colour axes, (3,).
    means: Tensor,
    /// Their standard deviations, (3,).
    deviations: Tensor,
    /// The mean edge at the size of the colours and at half of it, (2,).
    edges: Tensor,
}

/// About the deviation of the lightness of pictures, with which distances of means are compared.
const SPREAD: f64 = 0.25;

impl Looks {
    /// Those of colours in sRGB, (1, 3, height, width), over a mask.
    fn of(colours: &Tensor, mask: &Tensor) -> Result<Self> {
        let (_, _, height, width) = colours.dims4()?;
        let lab = oklab(&colours.reshape((3, height * width))?)?;
        let weights = mask.reshape((1, height * width))?;
        let weights = weights.broadcast_div(&weights.sum_all()?.affine(1.0, 1e-6)?)?;
        let means = lab.broadcast_mul(&weights)?.sum_keepdim(1)?;
        let squares = lab.broadcast_sub(&means)?.sqr()?;
        let variances = squares.broadcast_mul(&weights)?.sum(1)?;
        // The square root has no finite gradient at 0.
        let deviations = variances.affine(1.0, 1e-6)?.sqrt()?;
        let halved = |x: &Tensor| x.avg_pool2d(2);
        let edges = [mean_edge(colours, mask)?, mean_edge(&halved(colours)?, &halved(mask)?)?];
        Ok(Self { means: means.squeeze(1)?, deviations, edges: Tensor::stack(&edges, 0)? })
    }

    /// The mean of three shares: of the means, of the deviations and of the edges.
    fn distance(&self, target: &Self) -> Result<Tensor> {
        let share = |found: &Tensor, target: &Tensor| {
            let squares = (found - target)?.sqr()?.sum_all()?;
            squares / target.sqr()?.sum_all()?.affine(1.0, 1e-6)?
        };
        let means = ((&self.means - &target.means)?.sqr()?.sum_all()? / SPREAD.powi(2))?;
        let sum = (means + share(&self.deviations, &target.deviations)?)?;
        (sum + share(&self.edges, &target.edges)?)? / 3.0
    }
}

/// The mean edge inside a mask. 0 for colours of less than 3 x 3 pixels.
fn mean_edge(colours: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = mask.dims4()?;
    if height.min(width) < 3 {
        return Tensor::zeros((), colours.dtype(), colours.device());
    }
    let inner = mask.narrow(2, 1, height - 2)?.narrow(3, 1, width - 2)?;
    mean(&edges(colours)?, &inner)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{loss::check::colours, ops::check::gradients_agree};

    #[test]
    fn tiny_pictures_have_looks() {
        let device = &Device::Cpu;
        let looks = |side: usize| {
            let colours = Tensor::rand(0.0_f32, 1.0, (1, 3, side, side), device).unwrap();
            let looks = Looks::of(&colours, &everywhere(&colours).unwrap()).unwrap();
            looks.edges.to_vec1::<f32>().unwrap()
        };
        assert!(looks(4)[0] > 0.0 && looks(4)[1] == 0.0);
        assert!(looks(6).iter().all(|&edge| edge > 0.0));
    }

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

    fn looks(picture: &Tensor) -> Looks {
        Looks::of(picture, &everywhere(picture).unwrap()).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.to_vec1().unwrap()
    }

    #[test]
    fn the_looks_of_black_and_white_halves_are_those_of_oklab() {
        let halves = colours(8, 8, |x, _| [f64::from(u8::from(x >= 4)); 3]);
        let found = looks(&halves);
        // The lightness is 0 and 1, except that black is slightly grey. Sobel's slope of the step is 1/2 in two of six columns.
        for (found, expected) in [
            (numbers(&found.means), [0.5, 0.0, 0.0]),
            (numbers(&found.deviations), [0.5, 0.0, 0.0]),
        ] {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.03, "{found} is not {expected}");
            }
        }
        let [fine, coarse] = numbers(&found.edges)[..] else { panic!("two sizes") };
        assert!((fine - 1.0 / 6.0).abs() < 1e-3, "{fine}");
        // At half of the size, both inner columns are beside the step.
        assert!((coarse - 0.5).abs() < 1e-3, "{coarse}");
    }

    #[test]
    fn a_mask_chooses_and_the_distance_to_itself_is_0() {
        let halves = colours(8, 8, |x, _| [if x < 4 { 0.2 } else { 0.7 }; 3]);
        let grey = colours(8, 8, |_, _| [0.7; 3]);
        let right = colours(8, 8, |x, _| [f64::from(u8::from(x >= 5)); 3]).narrow(1, 0, 1).unwrap();
        let found = Looks::of(&halves, &right).unwrap();
        let distance = |a: &Looks, b: &Looks| a.distance(b).unwrap().to_scalar::<f64>().unwrap();
        assert!(distance(&looks(&halves), &looks(&halves)) < 1e-9);
        let [masked, whole] = [&found, &looks(&halves)]
            .map(|it| (&it.means - &looks(&grey).means).unwrap().abs().unwrap().max_all().unwrap());
        let [masked, whole] = [masked, whole].map(|it| it.to_scalar::<f64>().unwrap());
        assert!(masked < 1e-3 && whole > 0.1, "{masked} {whole}");
    }

    #[test]
    fn the_gradient_of_the_looks_is_right() {
        let target =
            looks(&colours(8, 8, |x, y| [0.1 * f64::from(x % 3), 0.3, 0.1 * f64::from(y % 5)]));
        let picture = colours(8, 8, |x, y| {
            [0.1 + 0.1 * f64::from(x), 0.2 + 0.07 * f64::from(x * y % 5), 0.9 - 0.1 * f64::from(y)]
        });
        gradients_agree(&[picture], |[picture]| looks(picture).distance(&target));
    }
}
