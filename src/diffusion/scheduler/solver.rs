//! Schedulers as a list of noise levels and a solver that moves latents from one to the next.

use candle_core::{Result, Tensor};

use super::{Scheduler, StepNoise, Stepped, limit::Limit, mix, prediction::Prediction};

/// A noise level: the latents are `alpha` times the finished ones plus `sigma` times noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub alpha: f64,
    pub sigma: f64,
}

impl Level {
    /// The level of latents with variance 1 that have this noise-to-signal ratio.
    pub fn of_ratio(ratio: f64) -> Self {
        let alpha = 1.0 / ratio.hypot(1.0);
        Self { alpha, sigma: ratio * alpha }
    }

    /// The level of latents with variance 1, of which `share` is the variance of the finished latents.
    pub fn of_share(share: f64) -> Self {
        Self { alpha: share.sqrt(), sigma: (1.0 - share).sqrt() }
    }

    /// The level of finished latents plus `sigma` times noise.
    pub fn of_sigma(sigma: f64) -> Self {
        Self { alpha: 1.0, sigma }
    }

    /// Half the logarithm of the signal-to-noise ratio. Infinite without noise.
    pub fn lambda(self) -> f64 {
        (self.alpha / self.sigma).ln()
    }
}

/// The timesteps and noise levels of a scheduler.
pub(super) struct Steps {
    /// The timestep of each step.
    pub timesteps: Vec<f64>,
    /// The level before each step and after the last.
    pub levels: Vec<Level>,
    /// The standard deviation of the starting noise.
    pub init_noise_sigma: f64,
    /// The quantity that the denoiser predicts.
    pub prediction: Prediction,
    /// The limit for predicted latents.
    pub limit: Limit,
}

/// The state of the latents at a step.
pub(super) struct SolverStep<'a> {
    /// The index of the step.
    pub index: usize,
    /// The timestep of the denoiser.
    pub timestep: f64,
    /// The level before each step and after the last.
    pub levels: &'a [Level],
    /// The latents before the step.
    pub latents: &'a Tensor,
    /// The prediction of the finished latents, limited.
    pub predicted_original: &'a Tensor,
    /// The denoiser's output.
    pub model_output: &'a Tensor,
    /// The quantity that the denoiser predicts.
    pub prediction: Prediction,
    /// The noise that a stochastic solver adds.
    pub noise: &'a StepNoise<'a>,
}

impl SolverStep<'_> {
    /// The level before the step.
    pub fn from(&self) -> Level {
        self.levels[self.index]
    }

    /// The level after the step.
    pub fn to(&self) -> Level {
        self.levels[self.index + 1]
    }

    /// The noise that the denoiser's output means.
    pub fn predicted_noise(&self) -> Result<Tensor> {
        let Level { alpha, sigma } = self.from();
        self.prediction.noise(self.model_output, self.latents, [alpha, sigma])
    }

    /// Whether this is the last step.
    pub fn is_last(&self) -> bool {
        self.index + 2 == self.levels.len()
    }
}

/// Moves latents from one noise level to the next.
pub(super) trait Solver: Send {
    /// The latents after a step. Steps are in order.
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor>;

    /// As [`Scheduler::can_start`].
    fn can_start(&self, step: usize) -> bool {
        let _ = step;
        true
    }
}

/// The scheduler of a solver.
pub(super) struct SolverScheduler<S> {
    pub steps: Steps,
    pub solver: S,
}

impl<S: Solver> Scheduler for SolverScheduler<S> {
    fn timesteps(&self) -> &[f64] {
        &self.steps.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        self.steps.init_noise_sigma
    }

    fn scale_model_input(&self, latents: &Tensor, step: usize) -> Result<Tensor> {
        match self.steps.levels[step] {
            // Denoisers expect a variance of 1.
            Level { alpha: 1.0, sigma } => latents / sigma.hypot(1.0),
            Level { .. } => Ok(latents.clone()),
        }
    }

    fn alpha_sigma(&self, step: usize) -> [f64; 2] {
        let Level { alpha, sigma } = self.steps.levels[step];
        [alpha, sigma]
    }

    fn can_start(&self, step: usize) -> bool {
        self.solver.can_start(step)
    }

    fn prediction(&self) -> Prediction {
        self.steps.prediction
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        step: usize,
        latents: &Tensor,
        noise: &StepNoise<'_>,
    ) -> Result<Stepped> {
        let Steps { timesteps, levels, prediction, limit, .. } = &self.steps;
        let original =
            prediction.predicted_original(model_output, latents, self.alpha_sigma(step))?;
        let predicted_original = limit.apply(original)?;
        let latents = self.solver.next(&SolverStep {
            index: step,
            timestep: timesteps[step],
            levels,
            latents,
            predicted_original: &predicted_original,
            model_output,
            prediction: *prediction,
            noise,
        })?;
        Ok(Stepped { latents, predicted_original })
    }
}

/// A step of DDIM, Euler and other solvers of first order: the same noise at a lower level.
pub(super) fn first_order(
    latents: &Tensor,
    predicted_original: &Tensor,
    from: Level,
    to: Level,
) -> Result<Tensor> {
    let kept = to.sigma / from.sigma;
    mix(latents, kept, predicted_original, to.alpha - kept * from.alpha)
}
