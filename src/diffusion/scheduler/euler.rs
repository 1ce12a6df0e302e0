//! Euler steps, with and without added noise.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    noise_schedule::NoiseSchedule,
    sigma_steps::{Interpolation, SigmaSteps},
    sigmas,
    solver::{Level, Solver, SolverScheduler, SolverStep, first_order},
};

/// Euler without churn (Karras et al. 2022, arXiv:2206.00364, algorithm 2 with gamma 0).
pub(super) struct Euler;

/// Euler with ancestral noise: each step replaces as much noise as DDPM does.
pub(super) struct EulerAncestral;

impl Euler {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        config.choice("timestep_type", &[("discrete", ())])?;
        let interpolations =
            [("linear", Interpolation::Linear), ("log_linear", Interpolation::LogLinear)];
        let interpolation = config.choice("interpolation_type", &interpolations)?;
        let interpolation = interpolation.unwrap_or(Interpolation::Linear);
        let trained = NoiseSchedule::new_above_zero(config)?.sigmas();
        let last = sigmas::last(config, &trained)?;
        let steps = SigmaSteps::to(last, trained, interpolation, config, steps)?;
        Ok(SolverScheduler { steps: steps.finish(config)?, solver: Self })
    }
}

impl Solver for Euler {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        first_order(step.latents, step.predicted_original, step.from(), step.to())
    }
}

impl EulerAncestral {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let steps = SigmaSteps::new(config, steps)?.finish(config)?;
        Ok(SolverScheduler { steps, solver: Self })
    }
}

impl Solver for EulerAncestral {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let SolverStep { latents, predicted_original, .. } = *step;
        ancestral_step(latents, predicted_original, step.from(), step.to(), step.noise)
    }
}

/// Moves latents below the level `to`, then adds noise up to it. This is the most noise that a step can replace.
pub(super) fn ancestral_step(
    latents: &Tensor,
    predicted_original: &Tensor,
    from: Level,
    to: Level,
    noise: &dyn Fn() -> Result<Tensor>,
) -> Result<Tensor> {
    let below = Level::of_sigma(to.sigma * to.sigma / from.sigma);
    let moved = first_order(latents, predicted_original, from, below)?;
    if to.sigma == 0.0 {
        return Ok(moved);
    }
    let added = to.sigma * (1.0 - (to.sigma / from.sigma).powi(2)).sqrt();
    moved + (noise()? * added)?
}
