//! Limits for predicted latents.

use candle_core::{Result, Tensor};

use super::{SchedulerConfig, SchedulerError};

/// A limit for predicted latents. Models in pixel space are trained with one, latent models rarely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// Unlimited.
    Free,
    /// Clamps to `-range..=range`.
    Clip(f64),
    /// Clamps to a quantile of the magnitudes, then scales it to 1 (Saharia et al. 2022,
    /// arXiv:2205.11487, section 2.3).
    Threshold {
        /// The quantile, in 0..=1.
        ratio: f64,
        /// The largest allowed threshold.
        max: f64,
    },
}

impl Limit {
    /// Reads `thresholding`, for schedulers without clipping.
    pub fn read(config: &SchedulerConfig) -> std::result::Result<Self, SchedulerError> {
        if !config.flag("thresholding", false)? {
            return Ok(Self::Free);
        }
        let ratio = config.number("dynamic_thresholding_ratio")?.unwrap_or(0.995);
        if !(0.0..=1.0).contains(&ratio) {
            return Err(config.wrong("dynamic_thresholding_ratio", "it must lie in 0..=1"));
        }
        let max = positive(config, "sample_max_value")?;
        Ok(Self::Threshold { ratio, max })
    }

    /// Reads `clip_sample`, for schedulers without thresholding.
    pub fn clip(
        config: &SchedulerConfig,
        default: bool,
    ) -> std::result::Result<Self, SchedulerError> {
        match config.flag("clip_sample", default)? {
            true => Ok(Self::Clip(positive(config, "clip_sample_range")?)),
            false => Ok(Self::Free),
        }
    }

    /// Reads `thresholding`, otherwise `clip_sample`.
    pub fn read_with_clip(
        config: &SchedulerConfig,
        default: bool,
    ) -> std::result::Result<Self, SchedulerError> {
        match Self::read(config)? {
            Self::Free => Self::clip(config, default),
            limit => Ok(limit),
        }
    }

    /// Limits the latents, each picture of the batch separately.
    pub fn apply(self, latents: Tensor) -> Result<Tensor> {
        match self {
            Self::Free => Ok(latents),
            Self::Clip(range) => latents.clamp(-range, range),
            Self::Threshold { ratio, max } => {
                let within = |picture: usize| {
                    let latents = latents.narrow(0, picture, 1)?;
                    let bound = quantile(&latents, ratio)?.max(1.0).min(max);
                    latents.clamp(-bound, bound)? / bound
                };
                let pictures = (0..latents.dim(0)?).map(within).collect::<Result<Vec<_>>>()?;
                Tensor::cat(&pictures, 0)
            }
        }
    }
}

fn positive(
    config: &SchedulerConfig,
    field: &'static str,
) -> std::result::Result<f64, SchedulerError> {
    match config.number(field)?.unwrap_or(1.0) {
        value if value > 0.0 => Ok(value),
        _ => Err(config.wrong(field, "it must be above 0")),
    }
}

/// A quantile of the magnitudes, with linear interpolation.
fn quantile(latents: &Tensor, ratio: f64) -> Result<f64> {
    let mut magnitudes: Vec<f32> = latents.abs()?.flatten_all()?.to_vec1()?;
    magnitudes.sort_unstable_by(f32::total_cmp);
    let rank = ratio * magnitudes.len().saturating_sub(1) as f64;
    let at = |rank: f64| magnitudes.get(rank as usize).copied().map_or(0.0, f64::from);
    Ok(at(rank) + (at(rank.ceil()) - at(rank)) * rank.fract())
}
