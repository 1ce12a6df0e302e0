//! Multistep sampling of latent consistency models.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    solver::{Solver, SolverScheduler, SolverStep},
    trained_steps::{at_timesteps, distilled_config, distilled_timesteps},
};

/// The standard deviation of the data, as in the training of consistency models.
const SIGMA_DATA: f64 = 0.5;

/// Multistep latent consistency sampling (Luo et al. 2023, arXiv:2310.04378, algorithm 3): adds new noise to each
/// prediction of the finished latents.
pub(super) struct Lcm {
    /// The factor of timesteps in the boundary condition.
    timestep_scaling: f64,
}

impl Lcm {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let config = &distilled_config(config);
        let schedule = NoiseSchedule::new(config)?;
        let timesteps = distilled_timesteps(config, schedule.0.len(), steps)?;
        let limit = Limit::read_with_clip(config, false)?;
        let steps = at_timesteps(&timesteps, &schedule, 1.0, limit, config)?;
        let timestep_scaling = config.number("timestep_scaling")?.unwrap_or(10.0);
        Ok(SolverScheduler { steps, solver: Self { timestep_scaling } })
    }
}

impl Solver for Lcm {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        // The boundary condition of consistency models (Song et al. 2023, arXiv:2303.01469, equation 5).
        let time = step.timestep * self.timestep_scaling;
        let skip = SIGMA_DATA.powi(2) / (time * time + SIGMA_DATA.powi(2));
        let out = time / time.hypot(SIGMA_DATA);
        let denoised = mix(step.predicted_original, out, step.latents, skip)?;
        if step.is_last() {
            return Ok(denoised);
        }
        let to = step.to();
        mix(&denoised, to.alpha, &(step.noise)()?, to.sigma)
    }
}
