//! Schedulers: the steps from noise to a picture, as in diffusers.
//!
//! A scheduler decides the timesteps at which the denoiser predicts, and how each prediction changes
//! the latents. It is found by the name of its class in diffusers ([`build`]); other crates can
//! [`register`] more. Any scheduler can be set up from any model's `scheduler_config.json`
//! ([`SchedulerConfig`]): it reads the fields that it knows and takes its own defaults for the
//! others.
//!
//! Scalars are computed on the processor in `f64` from the trained `f32` noise schedule, tensors in
//! `f32`.

mod config;
mod ddim;
mod dpm_solver;
mod euler;
mod limit;
mod noise_schedule;
mod prediction;
mod registry;
mod sigmas;
mod timesteps;

use candle_core::Tensor;

pub use config::{SchedulerConfig, SchedulerError};
pub use registry::{SchedulerClass, build, classes, find, register};

/// The steps from noise to one picture.
pub trait Scheduler: Send {
    /// The timestep of each step; fractional for some sigma spacings. Its length is the number of
    /// steps.
    fn timesteps(&self) -> &[f64];

    /// The standard deviation of the starting noise: standard normal noise times this are the latents
    /// before the first step.
    fn init_noise_sigma(&self) -> f64;

    /// The latents in the scale that the denoiser expects at `step`, counted from 0.
    ///
    /// # Errors
    /// When candle fails.
    fn scale_model_input(&self, latents: &Tensor, step: usize) -> candle_core::Result<Tensor>;

    /// Finished latents with the amount of `noise` that latents have before `step`. A `step` equal to
    /// the number of steps is the end. In diffusers this is `add_noise` at the timestep of the step.
    ///
    /// # Errors
    /// When candle fails.
    fn add_noise(
        &self,
        original: &Tensor,
        noise: &Tensor,
        step: usize,
    ) -> candle_core::Result<Tensor>;

    /// Changes `latents` by the denoiser's prediction. Steps are taken in order; the first may be any.
    ///
    /// # Errors
    /// When candle fails.
    fn step(
        &mut self,
        model_output: &Tensor,
        step: usize,
        latents: &Tensor,
    ) -> candle_core::Result<Stepped>;
}

/// The result of a step.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The latents before the next step.
    pub latents: Tensor,
    /// The finished latents, as this step predicts them.
    pub predicted_original: Tensor,
}

/// `a_weight * a + b_weight * b`.
fn mix(a: &Tensor, a_weight: f64, b: &Tensor, b_weight: f64) -> candle_core::Result<Tensor> {
    (a * a_weight)? + (b * b_weight)?
}
