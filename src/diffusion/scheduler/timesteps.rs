//! The choice of timesteps.

use super::{SchedulerConfig, SchedulerError};

/// The spacing of timesteps (table 2 of Lin et al. 2023, arXiv:2305.08891).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Whole strides from 0 upwards, shifted by `steps_offset`.
    Leading,
    /// Strides from the last trained timestep downwards.
    Trailing,
    /// Evenly from the first to the last trained timestep.
    Linspace,
}

impl Spacing {
    pub fn read(config: &SchedulerConfig, default: Self) -> Result<Self, SchedulerError> {
        let choices = [Self::Leading, Self::Trailing, Self::Linspace].map(|s| (s.name(), s));
        Ok(config.choice("timestep_spacing", &choices)?.unwrap_or(default))
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Linspace => "linspace",
        }
    }
}

/// Leading spacing: `steps` timesteps, `stride` apart, in descending order.
pub(super) fn leading(stride: usize, steps: usize, offset: usize) -> Vec<f64> {
    (0..steps).rev().map(|i| (i * stride).saturating_add(offset) as f64).collect()
}

/// Trailing spacing: rounded timesteps from `last` downwards, `trained / steps` apart. There are
/// fewer than `steps` if `last` is less than `trained`.
pub(super) fn trailing(trained: usize, last: usize, steps: usize) -> Vec<f64> {
    let stride = trained as f64 / steps as f64;
    let start = last as f64;
    // Keep this floating-point stride: it decides in which direction halves are rounded.
    let delta = (start - stride) - start;
    let count = ((start / stride).ceil() as usize).min(steps);
    (0..count).map(|i| (start + i as f64 * delta).round_ties_even() - 1.0).collect()
}

/// `count` evenly spaced numbers from `last` down to 0.
pub(super) fn linspace(last: f64, count: usize) -> Vec<f64> {
    let stride = last / (count.max(2) - 1) as f64;
    let mut all: Vec<f64> = (0..count).map(|i| i as f64 * stride).collect();
    if let [_, .., end] = all.as_mut_slice() {
        *end = last;
    }
    all.reverse();
    all
}

/// Whole timesteps of a spacing, in descending order. Each is less than `trained`.
pub(super) fn whole(
    config: &SchedulerConfig,
    default: Spacing,
    trained: usize,
    steps: usize,
) -> Result<Vec<usize>, SchedulerError> {
    let spacing = Spacing::read(config, default)?;
    let offset = config.count("steps_offset", 0)?;
    let timesteps = match spacing {
        Spacing::Leading => leading(trained / steps, steps, offset),
        Spacing::Trailing => trailing(trained, trained, steps),
        Spacing::Linspace => {
            let all = linspace((trained - 1) as f64, steps);
            all.into_iter().map(f64::round_ties_even).collect()
        }
    };
    match timesteps.iter().all(|&timestep| timestep < trained as f64) {
        true => Ok(timesteps.into_iter().map(|timestep| timestep as usize).collect()),
        false => Err(SchedulerError::Crowded { steps, spacing: spacing.name(), offset }),
    }
}
