//! The distance of the mean lightness to a target.

use candle_core::{Result, Tensor};

use super::{
    LossFunction, LossInput,
    input::{mean, smooth_abs},
    palette::oklab,
};

/// The distance of the mean lightness to a target. The lightness is that of Oklab (Ottosson 2020), from 0, black, to 1,
/// white. From 0 to 1.
pub(super) struct Lightness {
    target: f64,
}

impl Lightness {
    pub(super) fn new(target: f32) -> Self {
        Self { target: target.into() }
    }
}

impl LossFunction for Lightness {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let colours = input.colours()?;
        let (_, _, height, width) = colours.dims4()?;
        let lightness = oklab(&colours.reshape((3, height * width))?)?.narrow(0, 0, 1)?;
        let lightness = lightness.reshape((1, 1, height, width))?;
        smooth_abs(&(mean(&lightness, &input.masks().colours)? - self.target)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    #[test]
    fn black_is_dark_white_is_light_and_a_mask_chooses() {
        // The lightness of pure red in Oklab is 0.628.
        let picture = colours(4, 4, |x, _| match x {
            0 | 1 => [1.0; 3],
            2 => [0.0; 3],
            _ => [1.0, 0.0, 0.0],
        });
        for (target, column, expected) in
            [(0.3, 0, 0.7), (1.0, 0, 0.0), (0.3, 2, 0.3), (0.5, 3, 0.128)]
        {
            let loss = Lightness::new(target);
            let found = value(&loss, &picture, |x, _| f64::from(u8::from(x == column)));
            // Black is slightly grey, so that its gradient is finite.
            assert!((found - expected).abs() < 0.05, "{target} {column}: {found}");
        }
        let all = value(&Lightness::new(0.5), &picture, |_, _| 1.0);
        assert!((all - 0.16).abs() < 0.02, "{all}");
    }

    #[test]
    fn its_gradient_is_right() {
        let picture =
            colours(3, 4, |x, y| [0.1 + 0.1 * f64::from(x), 0.7, 0.05 + 0.2 * f64::from(y)]);
        gradient_agrees(&Lightness::new(0.2), &picture);
    }
}
