//! Different prompts in different regions of a picture.

use candle_core::{Error, Result, Tensor};

use super::{Guide, Predictions, StepInfo};

/// The prompt of one region.
pub struct RegionPrompt {
    /// The guide of this region.
    pub guide: Box<dyn Guide>,
    /// The weight of this region at each latent, (1, 1, height, width).
    pub weight: Tensor,
}

/// The weighted sum of separately guided regions. At each latent the weights should add up to 1.
pub struct Regional {
    /// The regions; at least one.
    pub regions: Vec<RegionPrompt>,
}

impl Guide for Regional {
    fn reads(&self, prediction: usize, step: StepInfo) -> bool {
        self.regions.iter().any(|region| region.guide.reads(prediction, step))
    }

    fn combine(&self, predictions: &Predictions, step: StepInfo) -> Result<Tensor> {
        let weighted = self.regions.iter().map(|RegionPrompt { guide, weight }| {
            guide.combine(predictions, step)?.broadcast_mul(weight)
        });
        let sum = weighted.reduce(|sum, region| sum? + region?);
        sum.unwrap_or_else(|| Err(Error::msg("there is no region to predict for")))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::diffusion::guide::Unguided;

    #[test]
    fn each_region_follows_its_own_prompt() -> Result<()> {
        let tensor = |values: &[f32]| Tensor::from_slice(values, (1, 1, 1, 3), &Device::Cpu);
        let predictions = [tensor(&[1.0, 1.0, 1.0])?, tensor(&[5.0, 5.0, 5.0])?].map(Some);
        let predictions = Predictions::from_iter(predictions);
        let region = |prompt, weight: &[f32]| -> Result<RegionPrompt> {
            Ok(RegionPrompt { guide: Box::new(Unguided { prompt }), weight: tensor(weight)? })
        };
        let regions = vec![region(0, &[1.0, 0.5, 0.0])?, region(1, &[0.0, 0.5, 1.0])?];
        let step = StepInfo { index: 0, count: 1, timestep: 0.0 };
        let found = Regional { regions }.combine(&predictions, step)?;
        assert_eq!(found.flatten_all()?.to_vec1::<f32>()?, [1.0, 3.0, 5.0]);
        Ok(())
    }
}
