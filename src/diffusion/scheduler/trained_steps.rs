//! Steps at trained timesteps, with latents of variance 1.

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    solver::{Level, Steps},
};

/// The steps at these trained timesteps, in descending order. `last` is the picture's share of the variance after the
/// last step.
pub(super) fn at_timesteps(
    timesteps: &[usize],
    schedule: &NoiseSchedule,
    last: f64,
    limit: Limit,
    config: &SchedulerConfig,
) -> Result<Steps, SchedulerError> {
    let shares = timesteps.iter().map(|&timestep| schedule.share(timestep));
    let levels: Vec<Level> = shares.chain([last]).map(Level::of_share).collect();
    let prediction = Prediction::read(config)?;
    if prediction == Prediction::Epsilon && levels.iter().any(|level| level.alpha <= 0.0) {
        return Err(config.wrong(
            "rescale_betas_zero_snr",
            "the first step would start from pure noise, which is impossible for a model that predicts noise \
             (`prediction_type` \"epsilon\")",
        ));
    }
    Ok(Steps {
        timesteps: timesteps.iter().map(|&timestep| timestep as f64).collect(),
        levels,
        init_noise_sigma: 1.0,
        prediction,
        limit,
    })
}

/// The default noise schedule of the classes for distilled models, which is that of Stable Diffusion.
pub(super) fn distilled_config(config: &SchedulerConfig) -> SchedulerConfig {
    config.clone().with_default_betas().with_default("beta_schedule", "scaled_linear".into())
}

/// `steps` of the timesteps that a model was distilled with, in descending order.
pub(super) fn distilled_timesteps(
    config: &SchedulerConfig,
    trained: usize,
    steps: usize,
) -> Result<Vec<usize>, SchedulerError> {
    const FIELD: &str = "original_inference_steps";
    let count = config.count(FIELD, 50)?;
    if count == 0 || count > trained {
        return Err(config.wrong(FIELD, &format!("it must lie in 1..={trained}")));
    }
    if steps > count {
        return Err(SchedulerError::Steps { steps, max: count });
    }
    let stride = trained / count;
    Ok((0..steps).map(|i| (count - i * count / steps) * stride - 1).collect())
}
