//! What the network's answer means.

use candle_core::{Result, Tensor};

use super::{SchedulerConfig, SchedulerError, mix};

/// What the network was trained to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prediction {
    /// The noise.
    Epsilon,
    /// The finished latents.
    Sample,
    /// The velocity between the two (Salimans & Ho 2022, arXiv:2202.00512).
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

    /// The finished latents, where `latents` are `alpha` of them plus `sigma` of noise.
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

    /// The noise, where `latents` are `alpha` of the finished ones plus `sigma` of it.
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
