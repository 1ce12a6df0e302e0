//! Schedulers, as in diffusers: the steps from noise to a picture.
//!
//! A scheduler chooses the denoiser's timesteps and updates the latents with each prediction.
//! [`build`] finds it by its class name in diffusers; other crates can [`register`] more classes.
//! Any scheduler can be set up from any model's `scheduler_config.json` ([`SchedulerConfig`]): it
//! reads the fields that it knows and uses its own defaults for the others.
//!
//! Scalars are computed on the CPU in `f64` from the `f32` noise schedule of the training. Tensors
//! are `f32`.

mod config;
mod ddim;
mod ddpm;
mod dpm_sde;
mod dpm_solver;
mod euler;
mod flow_match;
mod heun;
mod lambda_steps;
mod lcm;
mod limit;
mod lms;
mod noise_schedule;
mod pndm;
mod prediction;
mod registry;
mod sigma_steps;
mod sigmas;
mod solver;
mod tcd;
mod timesteps;
mod trained_steps;
mod unipc;

use candle_core::Tensor;

pub use config::{SchedulerConfig, SchedulerError};
pub use flow_match::FlowSchedule;
pub use prediction::Prediction;
pub use registry::{SchedulerClass, build, classes, find, register};

/// Draws the standard normal noise of a step, of the shape of the latents. Each call in a step gives the same noise.
pub type StepNoise<'a> = dyn Fn() -> candle_core::Result<Tensor> + 'a;

/// The steps from noise to one picture.
pub trait Scheduler: Send {
    /// The timestep of each step. Some sigma spacings give fractional timesteps. The length is the number of times that
    /// the denoiser predicts. Schedulers of second order can have two such steps for each requested one.
    fn timesteps(&self) -> &[f64];

    /// The standard deviation of the starting noise. The first latents are standard normal noise
    /// times this value.
    fn init_noise_sigma(&self) -> f64;

    /// Scales the latents as the denoiser expects them at `step`, which counts from 0.
    ///
    /// # Errors
    /// If candle fails.
    fn scale_model_input(&self, latents: &Tensor, step: usize) -> candle_core::Result<Tensor>;

    /// `[alpha, sigma]` of the latents before `step`: they are `alpha` times the finished latents plus
    /// `sigma` times standard normal noise. If `step` is the number of steps, those after the last
    /// step.
    fn alpha_sigma(&self, step: usize) -> [f64; 2];

    /// Whether the first step can be `step`. It cannot if that corrects the step before it.
    fn can_start(&self, step: usize) -> bool {
        let _ = step;
        true
    }

    /// The quantity that the denoiser predicts.
    fn prediction(&self) -> Prediction;

    /// Adds `noise` to finished latents, at the noise level of latents before `step`. In diffusers
    /// this is `add_noise` at the timestep of the step.
    ///
    /// # Errors
    /// If candle fails.
    fn add_noise(
        &self,
        original: &Tensor,
        noise: &Tensor,
        step: usize,
    ) -> candle_core::Result<Tensor> {
        let [alpha, sigma] = self.alpha_sigma(step);
        mix(original, alpha, noise, sigma)
    }

    /// Updates `latents` with the denoiser's prediction. Steps must be in order, but may start at any step that
    /// [can be the first](Self::can_start). Stochastic schedulers add `noise`.
    ///
    /// # Errors
    /// If candle fails.
    fn step(
        &mut self,
        model_output: &Tensor,
        step: usize,
        latents: &Tensor,
        noise: &StepNoise<'_>,
    ) -> candle_core::Result<Stepped>;
}

/// The result of a step.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The latents for the next step.
    pub latents: Tensor,
    /// This step's prediction of the finished latents.
    pub predicted_original: Tensor,
}

/// `a_weight * a + b_weight * b`.
fn mix(a: &Tensor, a_weight: f64, b: &Tensor, b_weight: f64) -> candle_core::Result<Tensor> {
    (a * a_weight)? + (b * b_weight)?
}
