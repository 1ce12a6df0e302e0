//! The share of edges that are not on the lines of an image.

use candle_core::{Result, Tensor};
use image::RgbaImage;

use super::{LossFunction, LossInput, LossSetupError, LossTargets, input::mean};
use crate::{ops, recipe::BlobId};

/// The mean edge beside the lines of an image, divided by its sum with the mean edge on the lines. An edge is the
/// magnitude of Sobel's gradient of the lightness. 0: all edges are on the lines; 0.5: as many beside them.
///
/// The lines of the image are dark on light, or opaque on transparent. The pixels next to a line do not count.
pub(super) struct Outline {
    /// (1, 1, height, width) in 0..=1, of the size of the colours without their outermost pixels.
    on: Tensor,
    beside: Tensor,
}

/// Pixels of the image that are at most this opaque are transparent.
const TRANSPARENT: u8 = 16;

/// The ink of each pixel of an outline, in 0..=1. Its lines are dark on light, or opaque on transparent.
pub(crate) fn ink(image: &RgbaImage) -> impl Fn([u8; 4]) -> f32 + use<> {
    let is_cut_out = image.pixels().any(|pixel| pixel.0[3] <= TRANSPARENT);
    move |pixel| {
        let [red, green, blue, alpha] = pixel.map(|value| f32::from(value) / 255.0);
        let light = LIGHTNESS[0] * red + LIGHTNESS[1] * green + LIGHTNESS[2] * blue;
        if is_cut_out { alpha } else { 1.0 - light }
    }
}

impl Outline {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        const KIND: &str = "Outline";
        let lines = targets.averages(KIND, image, ink(&targets.image(KIND, image)?))?;
        Self::from_lines(&lines, &targets.masks.colours)?.ok_or(LossSetupError::EmptyOutline)
    }

    /// `None` if there are no lines inside the mask.
    fn from_lines(lines: &Tensor, mask: &Tensor) -> Result<Option<Self>> {
        // A thin line covers a small share of a pixel.
        let strongest = lines.flatten_all()?.max(0)?.to_dtype(candle_core::DType::F64)?;
        let strongest = strongest.to_scalar::<f64>()?;
        if strongest < 0.02 {
            return Ok(None);
        }
        let on = (lines * (1.5 / strongest))?.clamp(0.0, 1.0)?;
        let near = widened(&widened(&on)?)?;
        let inner = |x: &Tensor| inside(x)?.contiguous();
        let (on, mask) = (inner(&on)?, inner(mask)?);
        let beside = (inner(&near)?.affine(-1.0, 1.0)? * &mask)?;
        let on = (on * &mask)?;
        let total = |x: &Tensor| x.sum_all()?.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>();
        Ok((total(&on)? >= 1.0).then_some(Self { on, beside }))
    }
}

impl LossFunction for Outline {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let edges = edges(input.colours()?)?;
        let (on, beside) = (mean(&edges, &self.on)?, mean(&edges, &self.beside)?);
        &beside / (on + &beside)?.affine(1.0, 1e-6)?
    }

    fn strength(&self) -> f64 {
        3.0
    }
}

/// The weights of red, green and blue in the lightness, Rec. 709.
const LIGHTNESS: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// The magnitude of the gradient of the lightness, (1, 1, height - 2, width - 2), by Sobel's kernels.
pub(super) fn edges(colours: &Tensor) -> Result<Tensor> {
    let device = colours.device();
    let lightness = Tensor::new(&LIGHTNESS, device)?.reshape((1, 3, 1, 1))?;
    let lightness = colours.broadcast_mul(&lightness.to_dtype(colours.dtype())?)?.sum_keepdim(1)?;
    let across: [f32; 9] = [-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0];
    let down: [f32; 9] = [-1.0, -2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0];
    let kernels = Tensor::from_slice(&[across, down].concat(), (2, 1, 3, 3), device)?;
    let gradient =
        ops::conv2d(&lightness, &(kernels / 8.0)?.to_dtype(colours.dtype())?, None, 1, 0)?;
    gradient.sqr()?.sum_keepdim(1)?.affine(1.0, 1e-8)?.sqrt()
}

/// The largest value among each pixel and its eight neighbours.
fn widened(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let padded = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
    let mut largest = x.clone();
    for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
        largest = largest.maximum(&padded.narrow(2, row, height)?.narrow(3, column, width)?)?;
    }
    Ok(largest)
}

/// A tensor without its outermost pixels.
fn inside(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    x.narrow(2, 1, height - 2)?.narrow(3, 1, width - 2)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    /// Lines at one column.
    fn lines_at(column: u32) -> Outline {
        let values = (0..12 * 16).map(|i| f64::from(u8::from(i % 16 == column))).collect();
        let lines = Tensor::from_vec(values, (1, 1, 12, 16), &Device::Cpu).unwrap();
        Outline::from_lines(&lines, &lines.ones_like().unwrap()).unwrap().unwrap()
    }

    #[test]
    fn an_edge_on_the_line_is_better_than_one_beside_it() {
        let edge = colours(12, 16, |x, _| [if x < 8 { 0.1 } else { 0.9 }; 3]);
        let on = value(&lines_at(8), &edge, |_, _| 1.0);
        let beside = value(&lines_at(3), &edge, |_, _| 1.0);
        assert!(on < 0.01 && beside > 0.9, "{on} {beside}");
    }

    #[test]
    fn an_even_texture_has_half_of_its_edges_beside_the_line() {
        let ramp = colours(12, 16, |x, y| [0.02 * f64::from(x) + 0.01 * f64::from(y); 3]);
        assert!((value(&lines_at(8), &ramp, |_, _| 1.0) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn sobel_measures_the_slope() {
        let ramp = colours(4, 5, |x, _| [0.1 * f64::from(x); 3]);
        for edge in edges(&ramp).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap() {
            assert!((edge - 0.1).abs() < 1e-3, "{edge}");
        }
    }

    #[test]
    fn no_lines_are_an_empty_outline() {
        let none = Tensor::zeros((1, 1, 12, 16), candle_core::DType::F64, &Device::Cpu).unwrap();
        assert!(Outline::from_lines(&none, &none.ones_like().unwrap()).unwrap().is_none());
        let line = (none.ones_like().unwrap() * 0.5).unwrap();
        assert!(Outline::from_lines(&line, &none).unwrap().is_none(), "no line inside the mask");
    }

    #[test]
    fn its_gradient_is_right() {
        let picture = colours(12, 16, |x, y| {
            [0.03 * f64::from(x), 0.5 + 0.02 * f64::from(x * y % 7), 0.05 * f64::from(y)]
        });
        gradient_agrees(&lines_at(5), &picture);
    }
}
