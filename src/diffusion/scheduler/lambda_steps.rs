//! Steps of the DPM-Solver family, with latents of variance 1.

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    sigmas,
    solver::{Level, Steps},
    timesteps::{self, Spacing},
};
use crate::recipe::SigmaSpacing;

/// Whether timesteps of Karras sigmas are rounded. Others are always truncated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Rounded.
    Nearest,
    /// Truncated for the cosine noise schedule, otherwise rounded.
    ByNoiseSchedule,
}

/// The steps of a solver that integrates over half the logarithm of the signal-to-noise ratio.
pub(super) fn lambda_steps(
    config: &SchedulerConfig,
    steps: usize,
    rounding: Rounding,
) -> Result<Steps, SchedulerError> {
    let trained = NoiseSchedule::new_above_zero(config)?.sigmas();
    let (timesteps, ratios) = noise_levels(config, &trained, steps, rounding)?;
    Ok(Steps {
        timesteps,
        levels: ratios.into_iter().map(Level::of_ratio).collect(),
        init_noise_sigma: 1.0,
        prediction: Prediction::read(config)?,
        limit: Limit::read(config)?,
    })
}

/// The timesteps, and the noise-to-signal ratio before each of them and after the last.
fn noise_levels(
    config: &SchedulerConfig,
    trained: &[f64],
    steps: usize,
    rounding: Rounding,
) -> Result<(Vec<f64>, Vec<f64>), SchedulerError> {
    // Drops levels whose signal is too low for a stable step.
    let min_lambda = config.number("lambda_min_clipped")?.unwrap_or(f64::MIN);
    let count = trained.iter().filter(|sigma| -sigma.ln() >= min_lambda).count();
    if count == 0 {
        return Err(config.wrong("lambda_min_clipped", "it excludes all timesteps"));
    }
    let spacing = Spacing::read(config, Spacing::Linspace)?;
    let offset = config.count("steps_offset", 0)?;
    let mut timesteps = match spacing {
        Spacing::Leading => {
            let mut all = timesteps::leading(count / (steps + 1), steps + 1, offset);
            all.truncate(steps);
            all
        }
        Spacing::Trailing => timesteps::trailing(trained.len(), count, steps),
        Spacing::Linspace => {
            let all = timesteps::linspace((count - 1) as f64, steps + 1);
            all.into_iter().take(steps).map(f64::round_ties_even).collect()
        }
    };
    let (smallest, largest) = (trained[0], trained[trained.len() - 1]);
    let mut sigmas = match SigmaSpacing::read(config)? {
        SigmaSpacing::Timesteps => timesteps.iter().map(|&t| sigmas::at(trained, t)).collect(),
        spread => {
            let sigmas = spread.between(config, largest, smallest, steps)?.unwrap_or_default();
            let cosine = config.choice("beta_schedule", &[("squaredcos_cap_v2", ())]);
            let truncated = rounding == Rounding::ByNoiseSchedule && matches!(cosine, Ok(Some(())));
            let rounded = spread == SigmaSpacing::Karras && !truncated;
            timesteps = sigmas
                .iter()
                .map(|&sigma| sigmas::to_timestep(trained, sigma))
                .map(|t| if rounded { t.round_ties_even() } else { t.trunc() })
                .collect();
            sigmas
        }
    };
    sigmas.push(sigmas::last(config, trained)?);
    for sigma in &mut sigmas {
        *sigma = f64::from(*sigma as f32);
    }
    match sigmas::decrease(&sigmas) {
        true => Ok((timesteps, sigmas)),
        false => Err(SchedulerError::Crowded { steps, spacing: spacing.name(), offset }),
    }
}
