//! Schedulers: the walk from noise to a picture, step by step, as diffusers does it.
//!
//! A scheduler decides at which timesteps the network looks at the latents and how each of its
//! answers moves them. It holds the numbers for one walk; the network is somebody else's. What it
//! may do is read from the model's `scheduler_config.json` ([`SchedulerConfig`]), whichever
//! scheduler that file was written for: fields that the chosen one knows are taken over, the
//! others get its defaults. Scalars are computed on the processor in `f64` from the trained `f32`
//! noise schedule, tensors in `f32`.

mod config;
mod ddim;
mod dpm_solver;
mod euler;
mod limit;
mod noise_schedule;
mod prediction;
mod sigmas;
mod timesteps;

use candle_core::Tensor;

use crate::recipe::SchedulerKind;

pub use config::{SchedulerConfig, SchedulerError};

/// One walk from noise to a picture.
pub trait Scheduler: Send {
    /// What the network is told at each step; fractional for some sigma spacings. Its length is
    /// the number of steps.
    fn timesteps(&self) -> &[f64];

    /// What standard normal noise is multiplied by to make the latents before the first step.
    fn init_noise_sigma(&self) -> f64;

    /// The latents as the network wants to see them at `step`, counted from 0.
    ///
    /// # Errors
    /// When candle cannot compute it.
    fn scale_model_input(&self, latents: &Tensor, step: usize) -> candle_core::Result<Tensor>;

    /// Finished latents with as much of `noise` as latents have before `step`; with `step` the number of
    /// steps, as much as is left at the end. With diffusers, `add_noise` at the timestep of that step.
    ///
    /// # Errors
    /// When candle cannot compute it.
    fn add_noise(
        &self,
        original: &Tensor,
        noise: &Tensor,
        step: usize,
    ) -> candle_core::Result<Tensor>;

    /// Moves `latents` by the network's answer. Steps are taken in order, from any on.
    ///
    /// # Errors
    /// When candle cannot compute it.
    fn step(
        &mut self,
        model_output: &Tensor,
        step: usize,
        latents: &Tensor,
    ) -> candle_core::Result<Stepped>;
}

/// Where a step of a scheduler leads.
#[derive(Clone, Debug)]
pub struct Stepped {
    /// The latents of the next step.
    pub latents: Tensor,
    /// What the network believes that the finished latents are.
    pub predicted_original: Tensor,
}

/// The scheduler of this kind for a model, set to this many steps.
///
/// # Errors
/// When an option of the model's config is not supported, named with its value, or the steps are
/// more than the config allows.
pub fn build(
    kind: SchedulerKind,
    config: &SchedulerConfig,
    steps: u32,
) -> Result<Box<dyn Scheduler>, SchedulerError> {
    let most = config.num_train_timesteps()?;
    let steps = steps as usize;
    if steps == 0 || steps > most {
        return Err(SchedulerError::Steps { steps, most });
    }
    Ok(match kind {
        SchedulerKind::Ddim => Box::new(ddim::Ddim::new(config, steps)?),
        SchedulerKind::Euler => Box::new(euler::Euler::new(config, steps)?),
        SchedulerKind::DpmPlusPlus2M => Box::new(dpm_solver::DpmSolver::new(config, steps)?),
    })
}

/// `a_weight * a + b_weight * b`.
fn mix(a: &Tensor, a_weight: f64, b: &Tensor, b_weight: f64) -> candle_core::Result<Tensor> {
    (a * a_weight)? + (b * b_weight)?
}
