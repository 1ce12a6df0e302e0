//! Interpolated noise levels and their timesteps.

use statrs::function::beta::inv_beta_reg;

use super::{SchedulerConfig, SchedulerError};
use crate::recipe::SigmaSpacing;

/// The fields of a config that choose a spacing.
pub(super) const FIELDS: [(&str, SigmaSpacing); 3] = [
    ("use_karras_sigmas", SigmaSpacing::Karras),
    ("use_exponential_sigmas", SigmaSpacing::Exponential),
    ("use_beta_sigmas", SigmaSpacing::Beta),
];

/// Both parameters of the beta distribution.
const BETA_SHAPE: f64 = 0.6;

impl SigmaSpacing {
    /// The spacing that a config chooses.
    pub(super) fn read(config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        let mut chosen = None;
        for (field, spacing) in FIELDS {
            if config.flag(field, false)? {
                if let Some((other, _)) = chosen {
                    let expected = format!("`{other}` is also true: set only one of them to true");
                    return Err(config.wrong(field, &expected));
                }
                chosen = Some((field, spacing));
            }
        }
        Ok(chosen.map_or(Self::Timesteps, |(_, spacing)| spacing))
    }

    /// `steps` sigmas from `largest` to `smallest`, in descending order. `None` if they follow the timesteps.
    /// The config's `sigma_max` and `sigma_min` take precedence over the arguments.
    pub(super) fn between(
        self,
        config: &SchedulerConfig,
        largest: f64,
        smallest: f64,
        steps: usize,
    ) -> Result<Option<Vec<f64>>, SchedulerError> {
        let (root, power): (fn(f64) -> f64, fn(f64) -> f64) = match self {
            Self::Timesteps => return Ok(None),
            Self::Karras => (|sigma| sigma.powf(1.0 / 7.0), |root| root.powf(7.0)),
            Self::Exponential => (f64::ln, f64::exp),
            Self::Beta => (|sigma| sigma, |sigma| sigma),
        };
        let end = |field, default| match config.number(field)?.unwrap_or(default) {
            sigma if sigma > 0.0 => Ok(root(sigma)),
            _ => Err(config.wrong(field, "it must be above 0")),
        };
        let (from, to) = (end("sigma_max", largest)?, end("sigma_min", smallest)?);
        let share = |step: usize| step as f64 / (steps.max(2) - 1) as f64;
        let share = |step: usize| match self {
            Self::Beta => 1.0 - inv_beta_reg(BETA_SHAPE, BETA_SHAPE, 1.0 - share(step)),
            _ => share(step),
        };
        Ok(Some((0..steps).map(|step| power(from + share(step) * (to - from))).collect()))
    }
}

/// The sigma after the last step: zero, or the smallest trained one.
pub(super) fn last(config: &SchedulerConfig, trained: &[f64]) -> Result<f64, SchedulerError> {
    let smallest = trained.first().copied().unwrap_or_default();
    let choices = [("zero", 0.0), ("sigma_min", smallest)];
    Ok(config.choice("final_sigmas_type", &choices)?.unwrap_or(0.0))
}

/// The sigma at a timestep, linearly interpolated between trained ones.
pub(super) fn at(trained: &[f64], timestep: f64) -> f64 {
    let last = trained.len().saturating_sub(1);
    let below = (timestep.max(0.0) as usize).min(last);
    let above = (below + 1).min(last);
    let rise = trained[above] - trained[below];
    trained[below] + rise * (timestep - below as f64).clamp(0.0, 1.0)
}

/// The timestep of a sigma, interpolated linearly in the logarithms of the trained sigmas.
pub(super) fn to_timestep(trained: &[f64], sigma: f64) -> f64 {
    let log = |sigma: f64| f64::from((sigma as f32).ln());
    let target = sigma.max(1e-10).ln();
    let below = trained
        .iter()
        .rposition(|&sigma| target >= log(sigma))
        .unwrap_or(0)
        .min(trained.len().saturating_sub(2));
    let above = (below + 1).min(trained.len() - 1);
    let (low, high) = (log(trained[below]), log(trained[above]));
    let weight = ((low - target) / (low - high)).clamp(0.0, 1.0);
    (1.0 - weight) * below as f64 + weight * above as f64
}

/// Whether the sigmas decrease at every step. The last two may be equal.
pub(super) fn decrease(sigmas: &[f64]) -> bool {
    let (steps, end) = sigmas.split_at(sigmas.len().saturating_sub(1));
    steps.windows(2).all(|pair| pair[0] > pair[1]) && steps.last() >= end.last()
}
