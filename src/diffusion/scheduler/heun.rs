//! Heun's method.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    sigma_steps::SigmaSteps,
    solver::{Solver, SolverScheduler, SolverStep, Steps, first_order},
};

/// Heun without churn (Karras et al. 2022, arXiv:2206.00364, algorithm 1). Each requested step but the last is two: an
/// Euler step, and a correction with the mean of the slopes at both ends.
#[derive(Default)]
pub(super) struct Heun {
    /// The latents before the Euler step, and the slope there.
    start: Option<(Tensor, Tensor)>,
}

impl Heun {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let config = &config.clone().with_default_betas();
        let mut steps = SigmaSteps::new(config, steps)?;
        twice_but_the_first(&mut steps.timesteps);
        let last = steps.sigmas.pop();
        twice_but_the_first(&mut steps.sigmas);
        steps.sigmas.extend(last);
        let limit = Limit::clip(config, false)?;
        let steps = steps.finish(config)?;
        Ok(SolverScheduler { steps: Steps { limit, ..steps }, solver: Self::default() })
    }
}

/// Repeats every value after the first.
fn twice_but_the_first(values: &mut Vec<f64>) {
    *values = values.iter().flat_map(|&value| [value, value]).skip(1).collect();
}

impl Solver for Heun {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let SolverStep { latents, predicted_original, .. } = *step;
        let sigma = step.from().sigma;
        let slope = || (latents - predicted_original)? / sigma;
        if step.index.is_multiple_of(2) {
            if !step.is_last() {
                self.start = Some((latents.clone(), slope()?));
            }
            return first_order(latents, predicted_original, step.from(), step.to());
        }
        // Without an Euler step before it, there is nothing to correct.
        let Some((start, first_slope)) = self.start.take() else { return Ok(latents.clone()) };
        let change = sigma - step.levels[step.index - 1].sigma;
        start + ((first_slope + slope()?)? * (change / 2.0))?
    }

    fn can_start(&self, step: usize) -> bool {
        step.is_multiple_of(2)
    }
}
