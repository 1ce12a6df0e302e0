//! Differential diffusion: a denoising strength for each latent.

use candle_core::{Result, Tensor};

use crate::diffusion::{DiffusionError, State, StepHook};

/// Denoises each latent with its own strength (Levin & Fried 2023, arXiv:2306.00950).
///
/// A latent is denoised in the last steps, as many as its strength requires. Before that it is the
/// noised original. Its denoising starts from the noised init image. A mask with one value
/// everywhere is img2img; a mask of zeros and ones is inpainting.
#[derive(Clone, Debug)]
pub struct Differential {
    denoise_mask: Tensor,
    strengths: Vec<f32>,
    original: Tensor,
    init_image: Tensor,
    surroundings: Surroundings,
    /// The first denoised step of each latent. For latents that are never denoised, the number of steps.
    start_steps: Vec<usize>,
    /// The number of steps.
    steps: usize,
}

/// The input of the denoiser at latents that are not denoised yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surroundings {
    /// With the noise of the current step, as in diffusers.
    #[default]
    Noised,
    /// Without noise, for models that were trained this way.
    Clean,
}

impl Differential {
    /// A hook for latents of (1, channels, height, width).
    ///
    /// `denoise_mask`, (1, 1, height, width) in 0..=1, holds the strengths. `original` are the
    /// picture's latents. `init_image` are the latents that denoising starts from, often the same.
    ///
    /// # Errors
    /// If the mask is not an `f32` tensor.
    pub fn new(
        denoise_mask: Tensor,
        original: Tensor,
        init_image: Tensor,
        surroundings: Surroundings,
    ) -> Result<Self> {
        let strengths = denoise_mask.flatten_all()?.to_vec1()?;
        let (start_steps, steps) = (Vec::new(), 0);
        Ok(Self { denoise_mask, strengths, original, init_image, surroundings, start_steps, steps })
    }

    /// Whether each latent was denoised in at least one step, row by row. Empty before sampling.
    pub fn denoised(&self) -> impl Iterator<Item = bool> {
        self.start_steps.iter().map(|&start| start < self.steps)
    }

    /// A mask, in the shape of the latents, of those whose start step meets a condition.
    fn select(&self, is_selected: impl Fn(usize) -> bool) -> Result<Tensor> {
        let selected: Vec<u8> = self.start_steps.iter().map(|&s| is_selected(s).into()).collect();
        let mask = Tensor::from_vec(selected, self.denoise_mask.shape(), self.original.device())?;
        mask.broadcast_as(self.original.shape())?.contiguous()
    }

    fn original_at(&self, state: &State<'_>) -> Result<Tensor> {
        match (self.surroundings, state.step) {
            (Surroundings::Clean, step) => {
                // Undoes the scheduler's scaling, so that the denoiser receives the original.
                let scale =
                    state.scheduler().scale_model_input(&self.original.ones_like()?, step)?;
                &self.original / scale
            }
            (Surroundings::Noised, step) => self.noised(&self.original, step, state),
        }
    }

    /// Latents with the noise of a step. At step 0 they are pure noise, as in diffusers.
    fn noised(&self, latents: &Tensor, step: usize, state: &State<'_>) -> Result<Tensor> {
        match step {
            0 => &state.noise * state.scheduler().init_noise_sigma(),
            _ => state.scheduler().add_noise(latents, &state.noise, step),
        }
    }
}

impl StepHook for Differential {
    fn begin(&mut self, state: &mut State<'_>) -> std::result::Result<(), DiffusionError> {
        self.steps = state.timesteps().len();
        let can_start = |step| state.scheduler().can_start(step);
        self.start_steps = start_steps(&self.strengths, self.steps, can_start);
        let first = self.start_steps.iter().copied().min().unwrap_or(0);
        state.step = state.step.max(first);
        state.denoise_mask = Some(self.denoise_mask.clone());
        Ok(())
    }

    fn before(&mut self, state: &mut State<'_>) -> std::result::Result<(), DiffusionError> {
        let step = state.step;
        let init_image = self.noised(&self.init_image, step, state)?;
        let original = self.original_at(state)?;
        let started = self.select(|start| start < step)?;
        let starting = self.select(|start| start == step)?;
        let waiting_or_starting = starting.where_cond(&init_image, &original)?;
        state.latents = started.where_cond(&state.latents, &waiting_or_starting)?;
        Ok(())
    }

    fn end(&mut self, state: &mut State<'_>) -> std::result::Result<(), DiffusionError> {
        let denoised = self.select(|start| start < self.steps)?;
        state.latents = denoised.where_cond(&state.latents, &self.original)?;
        Ok(())
    }
}

/// The first denoised step of each latent. As in diffusers, a latent is denoised in `steps * strength`
/// steps, rounded down. If the scheduler cannot start there, in one more.
fn start_steps(strengths: &[f32], steps: usize, can_start: impl Fn(usize) -> bool) -> Vec<usize> {
    let strongest = strengths.iter().copied().fold(0.0, f32::max);
    let start = |&strength: &f32| {
        // Without the small addition, 0.7 * 10 would be 6.
        let count = (steps as f64 * f64::from(strength) + 1e-4) as usize;
        // Even the weakest edit denoises its strongest latents for at least one step.
        let min_steps = usize::from(strength == strongest && strongest > 0.0);
        let start = steps - count.clamp(min_steps, steps);
        (0..=start).rev().find(|&step| step == steps || can_start(step)).unwrap_or(0)
    };
    strengths.iter().map(start).collect()
}

#[cfg(test)]
mod tests {
    use super::start_steps;

    #[test]
    fn a_latent_is_denoised_in_its_share_of_the_steps() {
        assert_eq!(start_steps(&[0.0, 0.09, 0.7, 1.0], 10, |_| true), [10, 10, 3, 0]);
    }

    #[test]
    fn no_latent_starts_at_a_step_that_corrects_another() {
        let starts = start_steps(&[0.0, 0.3, 0.5, 0.6, 1.0], 7, |step| step % 2 == 0);
        assert_eq!(starts, [7, 4, 4, 2, 0]);
    }

    #[test]
    fn the_strongest_latents_are_denoised_in_one_step_at_least() {
        assert_eq!(start_steps(&[0.0, 0.01, 0.02], 10, |_| true), [10, 10, 9]);
        assert_eq!(start_steps(&[0.0, 0.0], 10, |_| true), [10, 10]);
    }
}
