//! DDIM without added noise.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    solver::{Level, Solver, SolverScheduler, SolverStep},
    timesteps::{self, Spacing},
    trained_steps::at_timesteps,
};

/// DDIM with `eta` 0 (Song et al. 2021, arXiv:2010.02502, equation 12).
pub(super) struct Ddim {
    /// The level after each step. With some spacings it is not the level before the next one.
    after: Vec<Level>,
}

impl Ddim {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let schedule = NoiseSchedule::new(config)?;
        let trained = schedule.0.len();
        let timesteps = timesteps::whole(config, Spacing::Leading, trained, steps)?;
        let last = schedule.last_share(config, true)?;
        let stride = trained / steps;
        let after: Vec<Level> = timesteps
            .iter()
            .map(|timestep| timestep.checked_sub(stride).map_or(last, |t| schedule.share(t)))
            .map(Level::of_share)
            .collect();
        let end = after.last().map_or(last, |level| level.alpha.powi(2));
        let limit = Limit::read_with_clip(config, true)?;
        let steps = at_timesteps(&timesteps, &schedule, end, limit, config)?;
        Ok(SolverScheduler { steps, solver: Self { after } })
    }
}

impl Solver for Ddim {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let Level { alpha, sigma } = self.after[step.index];
        mix(step.predicted_original, alpha, &step.predicted_noise()?, sigma)
    }
}
