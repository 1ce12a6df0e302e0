//! Euler steps along a flow.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    prediction::Prediction,
    solver::{Level, Solver, SolverScheduler, SolverStep, Steps, first_order},
};
use crate::recipe::SigmaSpacing;

/// The noise levels that a pipeline of a flow model asks its scheduler for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlowSchedule {
    /// From the largest to the smallest trained level. A dynamic shift grows with the number of latents along the line
    /// that `base_shift` and `max_shift` describe, as in FLUX.1.
    #[default]
    Trained,
    /// From 1 to the reciprocal of the number of steps. A dynamic shift depends on the number of latents and on the number
    /// of steps as the authors of FLUX.2 measured it.
    Flux2,
    /// From 1 to the reciprocal of the number of steps. A dynamic shift is that of `Trained`.
    ZImage,
}

/// Euler steps for rectified flows (Esser et al. 2024, arXiv:2403.03206): latents are `1 - sigma` times the finished ones
/// plus `sigma` times noise.
pub(super) struct FlowMatchEuler {
    /// Whether each step adds new noise to the prediction of the finished latents.
    is_stochastic: bool,
}

impl FlowMatchEuler {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        config.refuse("invert_sigmas")?;
        let mut sigmas = shifted(config, steps)?;
        stretch_to_terminal(config, &mut sigmas)?;
        if let [from, .., to] | [from @ to] = sigmas[..]
            && let Some(spread) = SigmaSpacing::read(config)?.between(config, from, to, steps)?
        {
            sigmas = spread;
        }
        for sigma in &mut sigmas {
            *sigma = f64::from(*sigma as f32);
        }
        let ends: Vec<f64> = [1.0].into_iter().chain(sigmas.iter().copied()).chain([0.0]).collect();
        let is_sound = ends[0] >= ends[1] && ends[1..].windows(2).all(|pair| pair[0] > pair[1]);
        if !is_sound {
            let expected = format!("{steps} steps need noise levels that decrease from 1 to 0");
            return Err(config.wrong("shift", &expected));
        }
        let trained = config.num_train_timesteps()? as f32;
        let timesteps = sigmas.iter().map(|&sigma| f64::from(sigma as f32 * trained)).collect();
        let level = |sigma: f64| Level { alpha: 1.0 - sigma, sigma };
        let steps = Steps {
            timesteps,
            levels: sigmas.into_iter().chain([0.0]).map(level).collect(),
            init_noise_sigma: 1.0,
            prediction: Prediction::Flow,
            limit: Limit::Free,
        };
        let is_stochastic = config.flag("stochastic_sampling", false)?;
        Ok(SolverScheduler { steps, solver: Self { is_stochastic } })
    }
}

impl Solver for FlowMatchEuler {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let (original, to) = (step.predicted_original, step.to());
        match self.is_stochastic && !step.is_last() {
            true => mix(original, to.alpha, &(step.noise)()?, to.sigma),
            false => first_order(step.latents, original, step.from(), to),
        }
    }
}

/// The noise level before each step, in descending order.
fn shifted(
    config: &SchedulerConfig,
    steps: usize,
) -> std::result::Result<Vec<f64>, SchedulerError> {
    let is_dynamic = config.flag("use_dynamic_shifting", false)?;
    let time_shift =
        config.choice("time_shift_type", &[("exponential", true), ("linear", false)])?;
    let is_exponential = time_shift.unwrap_or(true);
    let flow = config.flow();
    let schedule = flow.map(|flow| flow.schedule).unwrap_or_default();
    let by_trained = schedule == FlowSchedule::Trained || config.flag("use_flow_sigmas", false)?;
    let static_shift = positive(config, "shift", 1.0)?;
    // The share of noise at a level, moved towards 1 by a shift above 1.
    let shift = |sigma: f64, by: f64| by * sigma / (1.0 + (by - 1.0) * sigma);
    let smallest = if by_trained {
        let smallest = 1.0 / config.num_train_timesteps()? as f64;
        // Without a dynamic shift, diffusers shifts the trained levels before it spaces them.
        if is_dynamic { smallest } else { shift(smallest, static_shift) }
    } else {
        1.0 / steps as f64
    };
    let stride = (1.0 - smallest) / (steps.max(2) - 1) as f64;
    let by = match is_dynamic {
        true => {
            let latents = match flow.and_then(|flow| flow.latents) {
                Some(latents) => latents,
                None => config.count("max_image_seq_len", 4096)?,
            };
            let mu = match schedule {
                FlowSchedule::Trained | FlowSchedule::ZImage => linear_mu(config, latents as f64)?,
                FlowSchedule::Flux2 => flux2_mu(latents as f64, steps as f64),
            };
            if is_exponential { mu.exp() } else { mu }
        }
        false => static_shift,
    };
    Ok((0..steps).map(|step| shift(1.0 - step as f64 * stride, by)).collect())
}

/// The shift of FLUX.1: linear in the number of latents.
fn linear_mu(config: &SchedulerConfig, latents: f64) -> std::result::Result<f64, SchedulerError> {
    let base = config.count("base_image_seq_len", 256)? as f64;
    let max = config.count("max_image_seq_len", 4096)? as f64;
    if base >= max {
        return Err(config.wrong("max_image_seq_len", "it must be above `base_image_seq_len`"));
    }
    let base_shift = config.number("base_shift")?.unwrap_or(0.5);
    let max_shift = config.number("max_shift")?.unwrap_or(1.15);
    Ok(base_shift + (latents - base) / (max - base) * (max_shift - base_shift))
}

/// The shift of FLUX.2: linear in the number of latents for 10 steps and for 200, and linear in the number of steps between
/// them.
fn flux2_mu(latents: f64, steps: f64) -> f64 {
    let of_10 = 8.738_095_24e-5 * latents + 1.898_333_33;
    let of_200 = 0.000_169_27 * latents + 0.456_666_66;
    if latents > 4300.0 { of_200 } else { of_200 + (of_10 - of_200) / 190.0 * (200.0 - steps) }
}

/// Stretches the levels, so that the last step begins at `shift_terminal`.
fn stretch_to_terminal(
    config: &SchedulerConfig,
    sigmas: &mut [f64],
) -> std::result::Result<(), SchedulerError> {
    const FIELD: &str = "shift_terminal";
    let terminal = config.number(FIELD)?.unwrap_or(0.0);
    let Some(&last) = sigmas.last().filter(|_| terminal != 0.0) else { return Ok(()) };
    if !(0.0..1.0).contains(&terminal) || 1.0 - last < 1e-6 {
        return Err(config.wrong(FIELD, "it must lie in 0..1, and needs at least two steps"));
    }
    let scale = (1.0 - last) / (1.0 - terminal);
    for sigma in sigmas {
        *sigma = 1.0 - (1.0 - *sigma) / scale;
    }
    Ok(())
}

fn positive(
    config: &SchedulerConfig,
    field: &'static str,
    default: f64,
) -> std::result::Result<f64, SchedulerError> {
    match config.number(field)?.unwrap_or(default) {
        value if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err(config.wrong(field, "it must be above 0")),
    }
}
