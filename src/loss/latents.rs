//! The distance of the latents to those of an image.

use candle_core::{Result, Tensor};

use super::{LossFunction, LossInput, LossSetupError, LossTargets, View, input::mean};
use crate::recipe::BlobId;

/// Half of the mean squared difference of the latents to those of an image. Latents have about variance 1: 0 for the
/// same picture, about 1 for an unrelated one.
pub(super) struct Latents {
    target: Tensor,
}

impl Latents {
    pub(super) fn new(
        image: &BlobId,
        targets: &LossTargets<'_>,
    ) -> std::result::Result<Self, LossSetupError> {
        Ok(Self { target: targets.seen(View::Latents, "Latents", image)? })
    }
}

impl LossFunction for Latents {
    fn value(&self, input: &LossInput<'_>) -> Result<Tensor> {
        mean(&(input.latents() - &self.target)?.sqr()?, &input.masks().latents)? / 2.0
    }

    fn reads(&self, view: View) -> bool {
        view == View::Latents
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::loss::check::{gradient_agrees, value};

    #[test]
    fn it_is_half_of_the_mean_squared_difference() {
        let target = Tensor::zeros((1, 3, 2, 4), candle_core::DType::F64, &Device::Cpu).unwrap();
        let loss = Latents { target };
        let latents = Tensor::full(2.0_f64, (1, 3, 2, 4), &Device::Cpu).unwrap();
        let found = value(&loss, &latents, |x, _| f64::from(u8::from(x < 2)));
        assert!((found - 2.0).abs() < 1e-5, "{found}");
        gradient_agrees(&loss, &latents);
    }
}
