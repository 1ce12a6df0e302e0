//! The sampling loop.
//!
//! [`sample`] computes every picture. Without hooks it draws a picture from noise. Img2img,
//! inpainting, previews and traces are [`StepHook`]s.

use candle_core::Tensor;

use super::{
    Conditioning, Denoiser, DiffusionError, DrawError, Interrupt,
    adapter::{ActiveAdapters, PictureAdapters},
    denoise::{ConditioningBatches, Tiles, cut},
    guide::Guide,
    scheduler::Scheduler,
};
use crate::loss::LossValues;

/// The arguments of [`sample`].
pub struct SampleInputs<'a> {
    /// Predicts the noise.
    pub denoiser: &'a dyn Denoiser,
    /// A scheduler at its first step.
    pub scheduler: &'a mut dyn Scheduler,
    /// Standard normal noise, (1, channels, height, width), which the picture starts from.
    pub noise: Tensor,
    /// What an [inpainting model](Denoiser::is_inpainting) sees beside the latents: see
    /// [`DenoiserInput::inpainting`](super::DenoiserInput::inpainting). `None` for other models.
    pub inpainting: Option<Tensor>,
    /// The noise of the same shape that a stochastic scheduler adds in a step, which counts from 0.
    pub step_noise: &'a dyn Fn(usize) -> candle_core::Result<Tensor>,
    /// The conditionings, at least one, in the order that the [`Guide`] expects. The denoiser predicts in each step for those
    /// that the guide [reads](Guide::reads).
    pub conditionings: &'a [Conditioning],
    /// Combines the predictions.
    pub guide: &'a dyn Guide,
    /// The conditioning of the prompt, for [`State::prompt`].
    pub prompt: &'a Conditioning,
    /// The conditioning of the negative prompt, if it was encoded, for [`State::negative_prompt`].
    pub negative_prompt: Option<&'a Conditioning>,
    /// The adapters of the picture. Their images are in the conditionings.
    pub adapters: &'a PictureAdapters,
    /// Height and width, in latents, of the tiles that the denoiser sees one at a time. `None`: it sees all latents.
    pub tile: Option<(usize, usize)>,
    /// Stops or pauses the loop.
    pub interrupt: &'a Interrupt,
}

/// The state of the loop, which hooks read and change.
pub struct State<'a> {
    /// The latents, (1, channels, height, width).
    pub latents: Tensor,
    /// The starting noise, of the same shape, before the scheduler scales it.
    pub noise: Tensor,
    /// The index of the current step. After the last step it is the number of steps. A hook's
    /// [`begin`](StepHook::begin) may raise it to skip steps.
    pub step: usize,
    /// The index of the first step.
    pub first_step: usize,
    /// The scheduler's prediction of the finished latents. `None` before the first step.
    pub predicted_original: Option<Tensor>,
    /// The denoising strength of each latent, (1, 1, height, width) in 0..=1. `None` if all latents
    /// are denoised from pure noise.
    pub denoise_mask: Option<Tensor>,
    /// The values of all losses so far, if the picture has any.
    pub losses: Vec<LossValues>,
    /// The conditioning of the prompt. With several regions, the prompt of the first one.
    pub prompt: &'a Conditioning,
    /// The conditioning of the negative prompt, if it was encoded.
    pub negative_prompt: Option<&'a Conditioning>,
    timesteps: Vec<f64>,
    scheduler: &'a mut dyn Scheduler,
    network: Network<'a>,
}

/// What predicts in each step.
struct Network<'a> {
    inpainting: Option<Tensor>,
    batches: ConditioningBatches<'a>,
    guide: &'a dyn Guide,
    adapters: &'a PictureAdapters,
    tiles: Option<Tiles>,
    interrupt: &'a Interrupt,
}

/// The position of the loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepInfo {
    /// The index of the step.
    pub index: usize,
    /// The number of steps.
    pub count: usize,
    /// The denoiser's timestep.
    pub timestep: f64,
}

/// Observes or changes the loop. Hooks are called in order. All methods do nothing by default.
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

    /// Called with the guided prediction of a step. The scheduler uses the one that it returns.
    ///
    /// # Errors
    /// An error stops sampling.
    fn predicted(
        &mut self,
        state: &mut State<'_>,
        model_output: Tensor,
    ) -> Result<Tensor, DiffusionError> {
        let _ = state;
        Ok(model_output)
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
    /// The denoiser's timesteps, one for each step.
    #[must_use]
    pub fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    /// The scheduler.
    #[must_use]
    pub fn scheduler(&self) -> &dyn Scheduler {
        self.scheduler
    }

    /// The guided prediction of the current step for `latents`, (1, channels, height, width). It is differentiable.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one network block after an interrupt. Otherwise after the last step, or if
    /// candle fails.
    pub fn predict(&self, latents: &Tensor) -> Result<Tensor, DiffusionError> {
        let Network { inpainting, batches, guide, adapters, tiles, interrupt } = &self.network;
        let (index, count) = (self.step, self.timesteps.len());
        let Some(&timestep) = self.timesteps.get(index) else {
            return Err(candle_core::Error::msg("nothing is predicted after the last step").into());
        };
        let step = StepInfo { index, count, timestep };
        let input = self.scheduler.scale_model_input(latents, index)?;
        let active = adapters.at(step)?;
        let inpainting = inpainting.as_ref();
        let is_read = |prediction| guide.reads(prediction, step);
        let predict =
            |latents: &Tensor, inpainting: Option<&Tensor>, active: Option<&ActiveAdapters>| {
                batches.predict(latents, inpainting, timestep, active, is_read, interrupt)
            };
        let predictions = match tiles {
            None => predict(&input, inpainting, active.as_ref())?,
            Some(tiles) => {
                let (_, _, height, width) = input.dims4()?;
                let size = (height, width);
                tiles.predict(size, |tile| {
                    let inpainting = inpainting.map(|all| cut(all, tile)).transpose()?;
                    let active = active.as_ref().map(|all| all.in_tile(tile, size)).transpose()?;
                    let (inpainting, active) = (inpainting.as_ref(), active.as_ref());
                    predict(&cut(&input, tile)?, inpainting, active)
                })?
            }
        };
        Ok(guide.combine(&predictions, step)?)
    }
}

/// Runs all steps from the starting noise to the finished latents. Returns (1, channels, height, width).
///
/// # Errors
/// [`DiffusionError::Cancelled`] at most one network block after an interrupt,
/// [`DrawError::NotFinite`] if the result has values that are not finite, and any hook's error.
pub fn sample(
    inputs: SampleInputs<'_>,
    hooks: &mut [&mut dyn StepHook],
) -> Result<Tensor, DiffusionError> {
    let SampleInputs { denoiser, scheduler, noise, inpainting, guide, adapters, interrupt, .. } =
        inputs;
    let batches = ConditioningBatches::new(denoiser, inputs.conditionings);
    let (_, _, height, width) = noise.dims4()?;
    let tiles = inputs.tile.map(|tile| Tiles::new((height, width), tile, noise.device()));
    let tiles = tiles.transpose()?.flatten();
    let network = Network { inpainting, batches, guide, adapters, tiles, interrupt };
    let mut state = State {
        latents: (&noise * scheduler.init_noise_sigma())?,
        noise,
        step: 0,
        first_step: 0,
        predicted_original: None,
        denoise_mask: None,
        losses: Vec::new(),
        prompt: inputs.prompt,
        negative_prompt: inputs.negative_prompt,
        timesteps: scheduler.timesteps().to_vec(),
        scheduler,
        network,
    };
    for hook in &mut *hooks {
        hook.begin(&mut state)?;
    }
    state.first_step = state.step;
    if let (Some(tiles), Some(mask)) = (&mut state.network.tiles, &state.denoise_mask) {
        tiles.only_in(mask)?;
    }
    let count = state.timesteps.len();
    while state.step < count {
        for hook in &mut *hooks {
            hook.before(&mut state)?;
        }
        let mut prediction = state.predict(&state.latents)?;
        for hook in &mut *hooks {
            prediction = hook.predicted(&mut state, prediction)?;
        }
        let step = state.step;
        let stepped = state
            .scheduler
            .step(&prediction, step, &state.latents, &|| (inputs.step_noise)(step))?;
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
