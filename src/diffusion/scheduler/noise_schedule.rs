//! The noise schedule of the training.

use super::{SchedulerConfig, SchedulerError};

/// The cumulative product of the alphas at each trained timestep: the picture's share of the
/// variance. In `f32`, as in training.
pub(super) struct NoiseSchedule(pub Vec<f32>);

#[derive(Clone, Copy)]
enum Betas {
    Linear,
    ScaledLinear,
    SquaredCosine,
}

impl NoiseSchedule {
    /// The schedule that a config describes.
    pub fn new(config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        let betas = betas(config)?;
        let rescaled = config.flag("rescale_betas_zero_snr", false)?;
        let shares = match rescaled {
            true => cumulative(&zero_terminal_snr(&betas)),
            false => cumulative(&betas),
        };
        // Only the last timestep of a rescaled schedule may be pure noise.
        let kept = &shares[..shares.len() - usize::from(rescaled)];
        if kept.is_empty() || !kept.iter().all(|&share| share > f32::MIN_POSITIVE) {
            let expected = "the picture must not vanish before the last timestep: lower it";
            return Err(config.wrong("beta_end", expected));
        }
        Ok(Self(shares))
    }

    /// The same for schedulers that divide by it: a final zero becomes the smallest half-precision
    /// number.
    pub fn new_above_zero(config: &SchedulerConfig) -> Result<Self, SchedulerError> {
        let mut schedule = Self::new(config)?;
        if config.flag("rescale_betas_zero_snr", false)?
            && let Some(last) = schedule.0.last_mut()
        {
            *last = (-24_f32).exp2();
        }
        Ok(schedule)
    }

    /// The picture's share of the variance at a trained timestep.
    pub fn share(&self, timestep: usize) -> f64 {
        f64::from(self.0[timestep])
    }

    /// The picture's share of the variance after the last step: 1, or that of the first trained timestep.
    pub fn last_share(
        &self,
        config: &SchedulerConfig,
        default_is_one: bool,
    ) -> Result<f64, SchedulerError> {
        let is_one = config.flag("set_alpha_to_one", default_is_one)?;
        Ok(if is_one { 1.0 } else { self.share(0) })
    }

    /// The noise-to-signal ratio, of standard deviations, at each trained timestep in ascending order.
    pub fn sigmas(&self) -> Vec<f64> {
        self.0.iter().map(|&alpha| f64::from(((1.0 - alpha) / alpha).sqrt())).collect()
    }
}

fn betas(config: &SchedulerConfig) -> Result<Vec<f32>, SchedulerError> {
    let count = config.num_train_timesteps()?;
    if let Some(betas) = config.numbers("trained_betas")? {
        let sound = betas.len() == count && betas.iter().all(|&beta| is_beta(beta));
        return if sound {
            Ok(betas.into_iter().map(|beta| beta as f32).collect())
        } else {
            let expected = format!("it must be {count} numbers between 0 and 1");
            Err(config.wrong("trained_betas", &expected))
        };
    }
    let ends = [("beta_start", 0.0001), ("beta_end", 0.02)].map(|(field, default)| {
        let beta = config.number(field)?.unwrap_or(default);
        if is_beta(beta) {
            Ok(beta)
        } else {
            Err(config.wrong(field, "it must lie between 0 and 1"))
        }
    });
    let [start, end] = ends;
    let (start, end) = (start?, end?);
    let schedules = [
        ("linear", Betas::Linear),
        ("scaled_linear", Betas::ScaledLinear),
        ("squaredcos_cap_v2", Betas::SquaredCosine),
    ];
    Ok(match config.choice("beta_schedule", &schedules)?.unwrap_or(Betas::Linear) {
        Betas::Linear => linspace(start, end, count),
        Betas::ScaledLinear => {
            linspace(start.sqrt(), end.sqrt(), count).into_iter().map(|root| root * root).collect()
        }
        Betas::SquaredCosine => squared_cosine(count),
    })
}

/// Whether a step keeps some of the picture and adds some noise, in the precision of the schedule.
fn is_beta(beta: f64) -> bool {
    let kept = 1.0 - beta as f32;
    kept > 0.0 && kept < 1.0
}

/// `count` numbers from `start` to `end`. Computed from both ends inwards, as torch does.
fn linspace(start: f64, end: f64, count: usize) -> Vec<f32> {
    let (start, end) = (start as f32, end as f32);
    let step = (end - start) / (count.max(2) - 1) as f32;
    (0..count)
        .map(|i| match i < count.div_ceil(2) {
            true => start + step * i as f32,
            false => end - step * (count - 1 - i) as f32,
        })
        .collect()
}

/// The cosine schedule (Nichol & Dhariwal 2021, arXiv:2102.09672), each beta at most 0.999.
fn squared_cosine(count: usize) -> Vec<f32> {
    let alpha_bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
    let at = |i: usize| alpha_bar(i as f64 / count as f64);
    (0..count).map(|i| (1.0 - at(i + 1) / at(i)).min(0.999) as f32).collect()
}

/// Shifts and scales the betas so that the last timestep is pure noise
/// (Lin et al. 2023, arXiv:2305.08891, algorithm 1).
fn zero_terminal_snr(betas: &[f32]) -> Vec<f32> {
    let mut roots: Vec<f32> = cumulative(betas).into_iter().map(f32::sqrt).collect();
    let (Some(&first), Some(&last)) = (roots.first(), roots.last()) else { return Vec::new() };
    for root in &mut roots {
        *root = (*root - last) * (first / (first - last));
    }
    let squares: Vec<f32> = roots.into_iter().map(|root| root * root).collect();
    let first = squares.first().map(|square| 1.0 - square);
    first.into_iter().chain(squares.windows(2).map(|pair| 1.0 - pair[1] / pair[0])).collect()
}

fn cumulative(betas: &[f32]) -> Vec<f32> {
    betas
        .iter()
        .scan(1.0_f64, |product, beta| {
            *product *= f64::from(1.0 - beta);
            Some(*product as f32)
        })
        .collect()
}
