//! DDPM.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    solver::{Solver, SolverScheduler, SolverStep},
    timesteps::{self, Spacing},
    trained_steps::at_timesteps,
};

/// DDPM (Ho et al. 2020, arXiv:2006.11239, equations 6 and 7).
pub(super) struct Ddpm {
    variance: Variance,
}

/// The variance of the added noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variance {
    /// That of the step if the finished latents are known.
    Small,
    /// The beta of the step.
    Large,
}

impl Variance {
    /// Reads `variance_type`. The logarithm of a fixed variance means the same variance. With a learned one, models predict
    /// more channels.
    pub fn read(config: &SchedulerConfig) -> std::result::Result<Self, SchedulerError> {
        let choices = [
            ("fixed_small", Self::Small),
            ("fixed_small_log", Self::Small),
            ("fixed_large", Self::Large),
            ("fixed_large_log", Self::Large),
        ];
        Ok(config.choice("variance_type", &choices)?.unwrap_or(Self::Small))
    }
}

impl Ddpm {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let schedule = NoiseSchedule::new(config)?;
        let timesteps = timesteps::whole(config, Spacing::Leading, schedule.0.len(), steps)?;
        let limit = Limit::read_with_clip(config, true)?;
        let steps = at_timesteps(&timesteps, &schedule, 1.0, limit, config)?;
        Ok(SolverScheduler { steps, solver: Self { variance: Variance::read(config)? } })
    }
}

impl Solver for Ddpm {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let (from, to) = (step.from(), step.to());
        // The alpha and the beta of the step, in the words of the paper.
        let alpha = (from.alpha / to.alpha).powi(2);
        let beta = 1.0 - alpha;
        let [noise_before, noise_after] = [from, to].map(|level| level.sigma.powi(2));
        let original = to.alpha * beta / noise_before;
        let kept = alpha.sqrt() * noise_after / noise_before;
        let mean = mix(step.predicted_original, original, step.latents, kept)?;
        let variance = match self.variance {
            Variance::Small => beta * noise_after / noise_before,
            Variance::Large => beta,
        };
        if step.timestep == 0.0 || variance <= 0.0 {
            return Ok(mean);
        }
        mean + ((step.noise)()? * variance.sqrt())?
    }
}
