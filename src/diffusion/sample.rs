//! The sampling loop.
//!
//! Every picture comes out of [`sample`]. Without hooks it draws a picture from noise; img2img,
//! inpainting, previews and traces are [`StepHook`]s.

use candle_core::Tensor;

use super::{
    Conditioning, Denoiser, DiffusionError, DrawError, Interrupt, denoise::ConditioningBatches,
    guide::Guide, scheduler::Scheduler,
};

/// Everything that [`sample`] needs.
pub struct SampleInputs<'a> {
    /// Predicts the noise.
    pub denoiser: &'a dyn Denoiser,
    /// A scheduler at its first step.
    pub scheduler: &'a mut dyn Scheduler,
    /// Standard normal noise, (1, channels, height, width).
    pub noise: Tensor,
    /// What the denoiser predicts under at each step; at least one. The [`Guide`] knows their order.
    pub conditionings: &'a [Conditioning],
    /// Combines the predictions.
    pub guide: &'a dyn Guide,
    /// The conditioning of the prompt; for [`State::prompt`].
    pub prompt: &'a Conditioning,
    /// The conditioning of the negative prompt, if it was encoded; for [`State::negative_prompt`].
    pub negative_prompt: Option<&'a Conditioning>,
    /// Stops or pauses the loop.
    pub interrupt: &'a Interrupt,
}

/// The state of the loop, which hooks read and change.
pub struct State<'a> {
    /// The latents, (1, channels, height, width).
    pub latents: Tensor,
    /// The starting noise, of the same shape, before the scheduler scales it.
    pub noise: Tensor,
    /// The index of the current step; after the last one, the number of steps. A hook's
    /// [`begin`](StepHook::begin) may raise it to skip steps.
    pub step: usize,
    /// The index of the step that the loop began with.
    pub first_step: usize,
    /// What the scheduler expects the finished latents to be. `None` before the first step.
    pub predicted_original: Option<Tensor>,
    /// How far each latent is denoised, (1, 1, height, width) in 0..=1. `None` if all are denoised
    /// from noise.
    pub denoise_mask: Option<Tensor>,
    /// The conditioning of the prompt. With several regions, that of the first.
    pub prompt: &'a Conditioning,
    /// The conditioning of the negative prompt, if it was encoded.
    pub negative_prompt: Option<&'a Conditioning>,
    timesteps: Vec<f64>,
    scheduler: &'a mut dyn Scheduler,
}

/// Where the loop is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepInfo {
    /// The index of the step.
    pub index: usize,
    /// The number of steps.
    pub count: usize,
    /// The timestep that the denoiser is given.
    pub timestep: f64,
}

/// Observes or changes the loop. Hooks are called in their order; all methods default to nothing.
pub trait StepHook: Send {
    /// Called once, before the first step.
    ///
    /// # Errors
    /// An error stops sampling.
    fn begin(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let _ = state;
        Ok(())
    }

    /// Called before each step.
    ///
    /// # Errors
    /// An error stops sampling.
    fn before(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let _ = state;
        Ok(())
    }

    /// Called after each step. [`State::step`] is still the index of that step.
    ///
    /// # Errors
    /// An error stops sampling.
    fn after(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let _ = state;
        Ok(())
    }

    /// Called once, after the last step, before latents are decoded.
    ///
    /// # Errors
    /// An error stops sampling.
    fn end(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let _ = state;
        Ok(())
    }

    /// Called with the finished picture, (1, 3, height, width) in -1..=1.
    ///
    /// # Errors
    /// An error discards the picture.
    fn finished(&mut self, image: &Tensor) -> Result<(), DiffusionError> {
        let _ = image;
        Ok(())
    }
}

impl State<'_> {
    /// The timesteps that the denoiser is given, one for each step.
    #[must_use]
    pub fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> &dyn Scheduler {
        self.scheduler
    }
}

/// Denoises latents, from noise to the last step. Returns (1, channels, height, width).
///
/// # Errors
/// [`DiffusionError::Cancelled`] within one network block of the interrupt,
/// [`DrawError::NotFinite`] when the result has values that are not finite, and the error of any
/// hook.
pub fn sample(
    inputs: SampleInputs<'_>,
    hooks: &mut [&mut dyn StepHook],
) -> Result<Tensor, DiffusionError> {
    let SampleInputs { denoiser, scheduler, noise, guide, interrupt, .. } = inputs;
    let batches = ConditioningBatches::new(inputs.conditionings)?;
    let mut state = State {
        latents: (&noise * scheduler.init_noise_sigma())?,
        noise,
        step: 0,
        first_step: 0,
        predicted_original: None,
        denoise_mask: None,
        prompt: inputs.prompt,
        negative_prompt: inputs.negative_prompt,
        timesteps: scheduler.timesteps().to_vec(),
        scheduler,
    };
    for hook in &mut *hooks {
        hook.begin(&mut state)?;
    }
    state.first_step = state.step;
    let count = state.timesteps.len();
    while state.step < count {
        for hook in &mut *hooks {
            hook.before(&mut state)?;
        }
        let index = state.step;
        let step = StepInfo { index, count, timestep: state.timesteps[index] };
        let input = state.scheduler.scale_model_input(&state.latents, index)?;
        let predictions = batches.predict(denoiser, &input, step.timestep, interrupt)?;
        let prediction = guide.combine(&predictions, step)?;
        let stepped = state.scheduler.step(&prediction, index, &state.latents)?;
        state.latents = stepped.latents;
        state.predicted_original = Some(stepped.predicted_original);
        for hook in &mut *hooks {
            hook.after(&mut state)?;
        }
        state.step += 1;
    }
    for hook in &mut *hooks {
        hook.end(&mut state)?;
    }
    if !state.latents.sum_all()?.to_scalar::<f32>()?.is_finite() {
        return Err(DrawError::NotFinite.into());
    }
    Ok(state.latents)
}
