//! The distance of the colours to a palette.

use candle_core::{Result, Tensor};

use super::{LossFunction, LossInput, input::mean};
use crate::recipe::Colour;

/// The mean distance of each pixel to the nearest colour of a palette, in Oklab (Ottosson 2020, "A perceptual color
/// space for image processing"). From 0; black and white are 1 apart.
pub(super) struct Palette {
    /// In Oklab.
    colours: Vec<[f64; 3]>,
}

/// The distance at which two colours are about equally near. With the exact minimum, the gradient would jump.
const SOFTNESS: f64 = 0.02;

impl Palette {
    pub(super) fn new(colours: &[Colour]) -> Self {
        let oklab = |Colour(rgb): &Colour| {
            let rgb = palette::Srgb::from(*rgb).into_format::<f64>();
            let lab: palette::Oklab<f64> = palette::IntoColor::into_color(rgb.into_linear());
            [lab.l, lab.a, lab.b]
        };
        Self { colours: colours.iter().map(oklab).collect() }
    }
}

impl LossFunction for Palette {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let colours = input.colours()?;
        let (_, _, height, width) = colours.dims4()?;
        let lab = oklab(&colours.reshape((3, height * width))?)?;
        let distances = self.colours.iter().map(|colour| {
            let colour =
                Tensor::new(colour, lab.device())?.to_dtype(lab.dtype())?.reshape((3, 1))?;
            lab.broadcast_sub(&colour)?.sqr()?.sum(0)?.affine(1.0, 1e-6)?.sqrt()
        });
        let distances = Tensor::stack(&distances.collect::<Result<Vec<_>>>()?, 0)?;
        let nearness = candle_nn::ops::softmax(&(&distances / -SOFTNESS)?, 0)?;
        let nearest = (distances * nearness)?.sum(0)?.reshape((1, 1, height, width))?;
        mean(&nearest, &input.masks().colours)
    }

    fn strength(&self) -> f64 {
        2.0
    }
}

/// Converts sRGB in 0..=1, (3, pixels), to Oklab.
pub(super) fn oklab(srgb: &Tensor) -> Result<Tensor> {
    // The cube root has no finite gradient at 0.
    let srgb = srgb.clamp(1e-3, 1.5)?;
    let bright = srgb.affine(1.0 / 1.055, 0.055 / 1.055)?.powf(2.4)?;
    let linear = srgb.ge(0.040_45)?.where_cond(&bright, &(&srgb / 12.92)?)?;
    let cones = multiply(&TO_CONES, &linear)?.powf(1.0 / 3.0)?;
    multiply(&TO_OKLAB, &cones)
}

fn multiply(matrix: &[[f64; 3]; 3], x: &Tensor) -> Result<Tensor> {
    Tensor::new(matrix, x.device())?.to_dtype(x.dtype())?.matmul(x)
}

const TO_CONES: [[f64; 3]; 3] = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];

const TO_OKLAB: [[f64; 3]; 3] = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    #[test]
    fn oklab_matches_the_values_of_css() {
        // CSS Color Module Level 4, and Ottosson's article for white.
        for (rgb, expected) in [
            ([1.0, 1.0, 1.0], [1.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [0.627_96, 0.224_86, 0.125_85]),
            ([0.0, 1.0, 0.0], [0.866_44, -0.233_89, 0.179_50]),
            ([0.0, 0.0, 1.0], [0.452_01, -0.032_46, -0.311_53]),
        ] {
            let rgb = Tensor::new(&rgb, &Device::Cpu).unwrap().reshape((3, 1)).unwrap();
            let found = oklab(&rgb).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 2e-3, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn colours_of_the_palette_have_no_distance_and_white_is_1_from_black() {
        let palette = Palette::new(&[Colour([0, 0, 0]), Colour([255, 0, 0])]);
        let own = colours(2, 4, |x, _| if x < 2 { [0.0; 3] } else { [1.0, 0.0, 0.0] });
        assert!(value(&palette, &own, |_, _| 1.0) < 0.05);
        let black = Palette::new(&[Colour([0, 0, 0])]);
        let white = colours(2, 4, |_, _| [1.0; 3]);
        assert!((value(&black, &white, |_, _| 1.0) - 1.0).abs() < 0.01);
    }

    #[test]
    fn its_gradient_is_right() {
        let picture =
            colours(3, 4, |x, y| [0.1 + 0.2 * f64::from(x), 0.5, 0.05 + 0.3 * f64::from(y)]);
        gradient_agrees(&Palette::new(&[Colour([200, 30, 60]), Colour([10, 200, 90])]), &picture);
    }
}
