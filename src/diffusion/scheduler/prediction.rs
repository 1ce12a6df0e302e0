//! Prediction types.

use candle_core::{Result, Tensor};

use super::{SchedulerConfig, SchedulerError, mix};

/// The quantity that the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    /// The noise.
    Epsilon,
    /// The finished latents.
    Sample,
    /// The velocity, a combination of the two (Salimans & Ho 2022, arXiv:2202.00512).
    Velocity,
}

impl Prediction {
    pub fn read(config: &SchedulerConfig) -> std::result::Result<Self, SchedulerError> {
        let choices = [
            ("epsilon", Self::Epsilon),
            ("sample", Self::Sample),
            ("v_prediction", Self::Velocity),
        ];
        Ok(config.choice("prediction_type", &choices)?.unwrap_or(Self::Epsilon))
    }

    /// The finished latents, if `latents` are `alpha` times them plus `sigma` times noise.
    pub fn original(
        self,
        output: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        match self {
            Self::Epsilon => mix(latents, 1.0 / alpha, output, -sigma / alpha),
            Self::Sample => Ok(output.clone()),
            Self::Velocity => mix(latents, alpha, output, -sigma),
        }
    }

    /// The noise, if `latents` are `alpha` times the finished latents plus `sigma` times noise.
    pub fn noise(
        self,
        output: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        match self {
            Self::Epsilon => Ok(output.clone()),
            Self::Sample => mix(latents, 1.0 / sigma, output, -alpha / sigma),
            Self::Velocity => mix(output, alpha, latents, sigma),
        }
    }
}
