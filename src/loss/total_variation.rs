//! The total variation: how much neighbouring pixels differ.

use candle_core::{Result, Tensor};

use super::{
    LossFunction, LossInput,
    input::{mean, smooth_abs},
};

/// The mean absolute difference of neighbouring pixels, the anisotropic total variation of Rudin, Osher and Fatemi
/// (1992, Physica D 60) per pixel. From 0 (one colour) to 2.
pub(super) struct TotalVariation;

impl LossFunction for TotalVariation {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let (colours, mask) = (input.colours()?, &input.masks().colours);
        along(colours, mask, 2)? + along(colours, mask, 3)?
    }

    fn strength(&self) -> f64 {
        0.5
    }
}

/// The mean difference of neighbours along a dimension. Both pixels must belong to the mask.
fn along(colours: &Tensor, mask: &Tensor, dim: usize) -> Result<Tensor> {
    let length = colours.dim(dim)? - 1;
    let pair = |x: &Tensor| {
        Ok::<_, candle_core::Error>((x.narrow(dim, 0, length)?, x.narrow(dim, 1, length)?))
    };
    let ((a, b), (mask_a, mask_b)) = (pair(colours)?, pair(mask)?);
    mean(&smooth_abs(&(a - b)?)?, &(mask_a * mask_b)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    #[test]
    fn a_checkerboard_differs_everywhere_and_one_colour_nowhere() {
        let board = colours(4, 6, |x, y| [f64::from((x + y) % 2); 3]);
        assert!((value(&TotalVariation, &board, |_, _| 1.0) - 2.0).abs() < 1e-5);
        let flat = colours(4, 6, |_, _| [0.3, 0.6, 0.9]);
        assert!(value(&TotalVariation, &flat, |_, _| 1.0) < 0.003);
    }

    #[test]
    fn only_the_part_counts() {
        let half = colours(6, 8, |x, y| [if x < 4 { f64::from((x + y) % 2) } else { 0.5 }; 3]);
        let right = value(&TotalVariation, &half, |x, _| f64::from(u8::from(x >= 4)));
        assert!(right < 0.003, "{right}");
        gradient_agrees(&TotalVariation, &half);
    }
}
