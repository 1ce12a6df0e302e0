//! Trajectory consistency distillation.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    solver::{Level, Solver, SolverScheduler, SolverStep},
    trained_steps::{at_timesteps, distilled_config, distilled_timesteps},
};

/// The share of random noise in each step, the default of diffusers (`gamma` in the paper).
const ETA: f32 = 0.3;

/// Strategic stochastic sampling (Zheng et al. 2024, arXiv:2402.19159, algorithm 4): denoises below the level of the next
/// step, then adds noise up to it.
pub(super) struct Tcd {
    /// The level that each step denoises to.
    below: Vec<Level>,
}

impl Tcd {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let config = &distilled_config(config);
        let schedule = NoiseSchedule::new(config)?;
        let timesteps = distilled_timesteps(config, schedule.0.len(), steps)?;
        let next = timesteps.iter().skip(1).copied().chain([0]);
        let below = next
            .map(|timestep| ((1.0 - ETA) * timestep as f32) as usize)
            .map(|timestep| Level::of_share(schedule.share(timestep)))
            .collect();
        let end = schedule.share(0);
        let steps = at_timesteps(&timesteps, &schedule, end, Limit::Free, config)?;
        Ok(SolverScheduler { steps, solver: Self { below } })
    }
}

impl Solver for Tcd {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let below = self.below[step.index];
        let denoised =
            mix(step.predicted_original, below.alpha, &step.predicted_noise()?, below.sigma)?;
        if step.is_last() {
            return Ok(denoised);
        }
        let kept = step.to().alpha / below.alpha;
        mix(&denoised, kept, &(step.noise)()?, (1.0 - kept * kept).sqrt())
    }
}
