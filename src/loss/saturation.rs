//! The distance of the mean saturation to a target.

use candle_core::{Result, Tensor};

use super::{
    LossFunction, LossInput,
    input::{mean, smooth_abs},
};

/// The distance of the mean saturation to a target. The saturation of a pixel is the difference of its largest and its
/// smallest channel: 0 for grey, 1 for pure red (chroma in the hexcone model of Smith 1978). From 0 to 1.
pub(super) struct Saturation {
    target: f64,
}

impl Saturation {
    pub(super) fn new(target: f32) -> Self {
        Self { target: target.into() }
    }
}

impl LossFunction for Saturation {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        let colours = input.colours()?;
        let [red, green, blue] = [0, 1, 2].map(|channel| colours.narrow(1, channel, 1));
        let (red, green, blue) = (red?, green?, blue?);
        let largest = red.maximum(&green)?.maximum(&blue)?;
        let smallest = red.minimum(&green)?.minimum(&blue)?;
        let saturation = mean(&(largest - smallest)?, &input.masks().colours)?;
        smooth_abs(&(saturation - self.target)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::check::{colours, gradient_agrees, value};

    #[test]
    fn grey_has_no_saturation_and_pure_colours_are_saturated() {
        let picture = colours(4, 4, |x, _| if x < 2 { [0.5; 3] } else { [1.0, 0.0, 0.0] });
        for (target, expected) in [(0.5, 0.0), (0.0, 0.5), (1.0, 0.5)] {
            let found = value(&Saturation::new(target), &picture, |_, _| 1.0);
            assert!((found - expected).abs() < 0.002, "{target}: {found}");
        }
        let grey = value(&Saturation::new(0.4), &picture, |x, _| f64::from(u8::from(x < 2)));
        assert!((grey - 0.4).abs() < 1e-4, "{grey}");
    }

    #[test]
    fn its_gradient_is_right() {
        let picture = colours(3, 4, |x, y| [0.1 * f64::from(x), 0.7, 0.05 + 0.2 * f64::from(y)]);
        gradient_agrees(&Saturation::new(0.2), &picture);
    }
}
