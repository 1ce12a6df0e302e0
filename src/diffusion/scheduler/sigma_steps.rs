//! Steps whose latents are the finished latents plus `sigma` times noise.

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    sigmas,
    solver::{Level, Steps},
    timesteps::{self, Spacing},
};
use crate::recipe::SigmaSpacing;

/// The interpolation of sigmas between trained timesteps.
#[derive(Clone, Copy)]
pub(super) enum Interpolation {
    /// Linear.
    Linear,
    /// Equal steps of the logarithm from the largest to the smallest trained sigma.
    LogLinear,
}

/// The timesteps and sigmas of a scheduler.
pub(super) struct SigmaSteps {
    /// The timestep of each step.
    pub timesteps: Vec<f64>,
    /// The noise level before each step and after the last.
    pub sigmas: Vec<f64>,
    /// All trained sigmas, in ascending order.
    pub trained: Vec<f64>,
    spacing: Spacing,
}

impl SigmaSteps {
    /// Steps from the largest sigma to zero.
    pub fn new(config: &SchedulerConfig, steps: usize) -> Result<Self, SchedulerError> {
        let trained = NoiseSchedule::new_above_zero(config)?.sigmas();
        Self::to(0.0, trained, Interpolation::Linear, config, steps)
    }

    /// Steps from the largest sigma to `last`.
    pub fn to(
        last: f64,
        trained: Vec<f64>,
        interpolation: Interpolation,
        config: &SchedulerConfig,
        steps: usize,
    ) -> Result<Self, SchedulerError> {
        let spacing = Spacing::read(config, Spacing::Linspace)?;
        let offset = config.count("steps_offset", 0)?;
        let mut timesteps = match spacing {
            Spacing::Leading => timesteps::leading(trained.len() / steps, steps, offset),
            Spacing::Trailing => timesteps::trailing(trained.len(), trained.len(), steps),
            Spacing::Linspace => timesteps::linspace((trained.len() - 1) as f64, steps),
        };
        for timestep in &mut timesteps {
            *timestep = f64::from(*timestep as f32);
        }

        let (smallest, largest) = (trained[0], trained[trained.len() - 1]);
        let mut sigmas: Vec<f64> = match interpolation {
            Interpolation::Linear => timesteps.iter().map(|&t| sigmas::at(&trained, t)).collect(),
            Interpolation::LogLinear => {
                let stride = (smallest.ln() - largest.ln()) / steps as f64;
                (0..=steps).map(|i| (largest.ln() + i as f64 * stride).exp()).collect()
            }
        };
        let (from, to) = (sigmas[0], sigmas[sigmas.len() - 1]);
        if let Some(spread) = SigmaSpacing::read(config)?.between(config, from, to, steps)? {
            timesteps = spread
                .iter()
                .map(|&sigma| f64::from(sigmas::to_timestep(&trained, sigma) as f32))
                .collect();
            sigmas = spread;
        }
        sigmas.push(last);
        // Log-linear sigmas already end at the smallest trained sigma.
        sigmas.truncate(timesteps.len() + 1);
        for sigma in &mut sigmas {
            *sigma = f64::from(*sigma as f32);
        }
        match sigmas::decrease(&sigmas) {
            true => Ok(Self { timesteps, sigmas, trained, spacing }),
            false => Err(SchedulerError::Crowded { steps, spacing: spacing.name(), offset }),
        }
    }

    /// The steps for a model with this configuration.
    pub fn finish(self, config: &SchedulerConfig) -> Result<Steps, SchedulerError> {
        let init_noise_sigma = match self.spacing {
            Spacing::Linspace | Spacing::Trailing => self.sigmas[0],
            Spacing::Leading => self.sigmas[0].hypot(1.0),
        };
        Ok(Steps {
            timesteps: self.timesteps,
            levels: self.sigmas.into_iter().map(Level::of_sigma).collect(),
            init_noise_sigma,
            prediction: Prediction::read(config)?,
            limit: Limit::Free,
        })
    }
}
