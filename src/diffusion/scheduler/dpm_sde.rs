//! The stochastic DPM-Solver++ with two predictions in each step.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    euler::ancestral_step,
    mix,
    sigma_steps::SigmaSteps,
    sigmas,
    solver::{Solver, SolverScheduler, SolverStep},
};

/// DPM-Solver++ (SDE), the second-order singlestep solver of Lu et al. 2022 (arXiv:2211.01095) with ancestral noise, as in
/// k-diffusion. Each requested step but the last is two: one to the middle of the noise levels, and one over the whole
/// step with the prediction of the middle.
#[derive(Default)]
pub(super) struct DpmSde {
    /// The latents before the step to the middle, and the noise that it added.
    start: Option<(Tensor, Tensor)>,
}

impl DpmSde {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let config = &config.clone().with_default_betas();
        let mut steps = SigmaSteps::new(config, steps)?;
        let middles: Vec<f64> =
            steps.sigmas.windows(2).map(|pair| (pair[0] * pair[1]).sqrt()).collect();
        let times = middles.iter().map(|&sigma| sigmas::to_timestep(&steps.trained, sigma));
        steps.timesteps = between(&steps.timesteps, times);
        let last = steps.sigmas.pop();
        steps.sigmas = between(&steps.sigmas, middles);
        steps.sigmas.extend(last);
        Ok(SolverScheduler { steps: steps.finish(config)?, solver: Self::default() })
    }
}

/// The values with each of `middles` between two of them.
fn between(values: &[f64], middles: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> =
        values.iter().zip(middles).flat_map(|(&value, middle)| [value, middle]).collect();
    // Nothing lies after the last value.
    all.truncate((2 * values.len()).saturating_sub(1));
    all
}

impl Solver for DpmSde {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let SolverStep { latents, predicted_original, index, levels, .. } = *step;
        let (from, to) = (step.from(), step.to());
        if index.is_multiple_of(2) {
            if step.is_last() {
                return Ok(predicted_original.clone());
            }
            let noise = (step.noise)()?;
            self.start = Some((latents.clone(), noise.clone()));
            return ancestral_step(latents, predicted_original, from, to, &|| Ok(noise.clone()));
        }
        // Without a step to the middle before it, this is a step of its own.
        let Some((start, first)) = self.start.take() else {
            return ancestral_step(latents, predicted_original, from, to, step.noise);
        };
        let whole = levels[index - 1];
        // The noise of the whole step contains that of its first half, as in a Brownian motion over sigma.
        let share = (whole.sigma - from.sigma) / (whole.sigma - to.sigma);
        let noise = || mix(&first, share.sqrt(), &(step.noise)()?, (1.0 - share).sqrt());
        ancestral_step(&start, predicted_original, whole, to, &noise)
    }

    fn can_start(&self, step: usize) -> bool {
        step.is_multiple_of(2)
    }
}
