//! Euler steps along the probability flow ODE.

use candle_core::{Result, Tensor};

use super::{
    Scheduler, SchedulerConfig, SchedulerError, Stepped, mix,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    sigmas::{self, SigmaSpacing},
    timesteps::{self, Spacing},
};

/// Euler without churn (Karras et al. 2022, arXiv:2206.00364, algorithm 2 with gamma 0). Its
/// latents are the finished latents plus `sigma` times noise, so their variance is not 1.
pub(super) struct Euler {
    timesteps: Vec<f64>,
    /// The noise level before each step and after the last.
    sigmas: Vec<f64>,
    init_noise_sigma: f64,
    prediction: Prediction,
}

#[derive(Clone, Copy)]
enum Interpolation {
    Linear,
    LogLinear,
}

impl Euler {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<Self, SchedulerError> {
        config.choice("timestep_type", &[("discrete", ())])?;
        let trained = NoiseSchedule::new_above_zero(config)?.sigmas();
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
        let interpolations =
            [("linear", Interpolation::Linear), ("log_linear", Interpolation::LogLinear)];
        let interpolation = config.choice("interpolation_type", &interpolations)?;
        let mut sigmas: Vec<f64> = match interpolation.unwrap_or(Interpolation::Linear) {
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
        sigmas.push(sigmas::last(config, &trained)?);
        // Log-linear sigmas already end at the smallest trained sigma.
        sigmas.truncate(timesteps.len() + 1);
        for sigma in &mut sigmas {
            *sigma = f64::from(*sigma as f32);
        }
        if !sigmas::decrease(&sigmas) {
            return Err(SchedulerError::Crowded { steps, spacing: spacing.name(), offset });
        }
        let init_noise_sigma = match spacing {
            Spacing::Linspace | Spacing::Trailing => sigmas[0],
            Spacing::Leading => sigmas[0].hypot(1.0),
        };
        Ok(Self { timesteps, sigmas, init_noise_sigma, prediction: Prediction::read(config)? })
    }
}

impl Scheduler for Euler {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.init_noise_sigma
    }

    fn scale_model_input(&self, latents: &Tensor, step: usize) -> Result<Tensor> {
        latents / self.sigmas[step].hypot(1.0)
    }

    fn alpha_sigma(&self, step: usize) -> [f64; 2] {
        [1.0, self.sigmas[step]]
    }

    fn prediction(&self) -> Prediction {
        self.prediction
    }

    fn step(&mut self, model_output: &Tensor, step: usize, latents: &Tensor) -> Result<Stepped> {
        let (sigma, next) = (self.sigmas[step], self.sigmas[step + 1]);
        let predicted_original = match self.prediction {
            Prediction::Velocity => {
                let variance = sigma * sigma + 1.0;
                mix(latents, 1.0 / variance, model_output, -sigma / variance.sqrt())?
            }
            other => other.original(model_output, latents, [1.0, sigma])?,
        };
        let kept = next / sigma;
        let latents = mix(latents, kept, &predicted_original, 1.0 - kept)?;
        Ok(Stepped { latents, predicted_original })
    }
}
