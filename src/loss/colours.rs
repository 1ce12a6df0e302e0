//! The distance of rough colours to those of an image.

use candle_core::{Result, Tensor};

use super::{LossFunction, LossInput, LossSetupError, LossTargets, palette::oklab};
use crate::recipe::BlobId;

/// The mean distance of the colours to those of an image at the same places, in Oklab. Both are averaged over squares of
/// [`CELL`] pixels of [`LossInput::colours`], so that details are free. Transparent pixels of the image do not count.
/// From 0; black and white are 1 apart.
pub(super) struct Colours {
    /// In Oklab, (3, cells).
    target: Tensor,
    /// The opacity of each cell in 0..=1, (1, cells).
    opacity: Tensor,
}

/// The pixels along each side of a cell: 16 pixels of the picture.
const CELL: usize = 4;

impl Colours {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        let opacity = |[.., alpha]: [u8; 4]| f32::from(alpha) / 255.0;
        let channel = |i: usize| {
            move |pixel: [u8; 4]| f32::from(pixel[i]) / 255.0 * f32::from(pixel[3]) / 255.0
        };
        let averages = |value: &dyn Fn([u8; 4]) -> f32| targets.averages("Colours", image, value);
        let colours = [averages(&channel(0))?, averages(&channel(1))?, averages(&channel(2))?];
        Ok(Self::of(&Tensor::cat(&colours, 1)?, &averages(&opacity)?)?)
    }

    /// From sRGB colours times opacity, (1, 3, height, width), and the opacity, (1, 1, height, width).
    fn of(colours: &Tensor, opacity: &Tensor) -> Result<Self> {
        let (colours, opacity) = (cells(colours)?, cells(opacity)?);
        let target = oklab(&colours.broadcast_div(&opacity.affine(1.0, 1e-6)?)?)?;
        Ok(Self { target, opacity })
    }
}

impl LossFunction for Colours {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let difference = (oklab(&cells(input.colours()?)?)? - &self.target)?;
        let distance = difference.sqr()?.sum_keepdim(0)?.affine(1.0, 1e-6)?.sqrt()?;
        let weight = (cells(&input.masks().colours)? * &self.opacity)?;
        // The small addition keeps the gradient finite if all weights are 0.
        (distance * &weight)?.sum_all()? / weight.sum_all()?.affine(1.0, 1e-6)?
    }

    fn strength(&self) -> f64 {
        2.0
    }
}

/// The means of the cells of (1, channels, height, width), as (channels, cells). Cells at the right and the bottom edge may
/// have fewer pixels.
fn cells(x: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = x.dims4()?;
    let whole = |side: usize| side.next_multiple_of(CELL) - side;
    let x = x.pad_with_same(2, 0, whole(height))?.pad_with_same(3, 0, whole(width))?;
    x.avg_pool2d(CELL)?.reshape((channels, ()))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    /// Black at the left, white at the right, and transparent at the top.
    fn target() -> Colours {
        let picture = colours(8, 8, |x, y| if x < 4 || y < 4 { [0.0; 3] } else { [1.0; 3] });
        let opacity = colours(8, 8, |_, y| [f64::from(u8::from(y >= 4)); 3]);
        Colours::of(&picture, &opacity.narrow(1, 0, 1).unwrap()).unwrap()
    }

    #[test]
    fn it_is_the_distance_of_means_where_the_image_is_opaque() {
        let white = Tensor::ones((1, 3, 8, 8), DType::F64, &Device::Cpu).unwrap();
        let everywhere = |_, _| 1.0;
        let found = value(&target(), &white, everywhere);
        assert!((found - 0.5).abs() < 0.06, "half of the cells are black, not white: {found}");
        let right = |x, _| f64::from(u8::from(x >= 4));
        assert!(value(&target(), &white, right) < 1e-2);
    }

    #[test]
    fn details_inside_a_cell_are_free() {
        let grey = colours(8, 8, |_, _| [0.5; 3]);
        let checked = colours(8, 8, |x, y| [0.2 + 0.6 * f64::from((x + y) % 2); 3]);
        let [plain, checked] =
            [&grey, &checked].map(|picture| value(&target(), picture, |_, _| 1.0));
        assert!((plain - checked).abs() < 1e-6, "{plain} {checked}");
    }

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        let picture = colours(8, 8, |x, y| {
            [0.3 + 0.04 * f64::from(x), 0.5 - 0.03 * f64::from(y), 0.4 + 0.01 * f64::from(x * y)]
        });
        gradient_agrees(&target(), &picture);
    }
}
