//! Rescaled guidance.

use candle_core::{Result, Tensor};

use super::{Guide, Predictions, StepInfo};

/// Reduces the contrast that another guide added, which prevents overexposed colours (Lin et al.
/// 2023, arXiv:2305.08891, equations 15 and 16).
pub struct Rescale {
    /// The other guide.
    pub guide: Box<dyn Guide>,
    /// The index of the prediction under the prompt, whose contrast is the target.
    pub prompt: usize,
    /// The amount of rescaling: 0 keeps the contrast, 1 sets it to that of the prediction under the
    /// prompt.
    pub rescale: f64,
}

impl Guide for Rescale {
    fn reads(&self, prediction: usize, step: StepInfo) -> bool {
        prediction == self.prompt || self.guide.reads(prediction, step)
    }

    fn combine(&self, predictions: &Predictions, step: StepInfo) -> Result<Tensor> {
        let guided = self.guide.combine(predictions, step)?;
        let ratio = (deviation(predictions.get(self.prompt)?)? / deviation(&guided)?)?;
        guided.broadcast_mul(&ratio.affine(self.rescale, 1.0 - self.rescale)?)
    }
}

/// The standard deviation over all channels and latents.
fn deviation(prediction: &Tensor) -> Result<Tensor> {
    prediction.flatten_all()?.var(0)?.sqrt()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::diffusion::guide::GuidanceScale;

    #[test]
    fn rescaling_removes_its_share_of_the_contrast_that_guidance_adds() -> Result<()> {
        let tensor = |values: &[f32; 4]| Tensor::from_slice(values, (1, 1, 2, 2), &Device::Cpu);
        let prompt = tensor(&[1.0, -1.0, 3.0, -3.0])?;
        let predictions = Predictions::from_iter([prompt.clone(), tensor(&[0.0; 4])?].map(Some));
        let step = StepInfo { index: 0, count: 1, timestep: 0.0 };
        // Guidance multiplies the contrast by 5. Rescaling by half gives the mean of 5 and 1.
        for (rescale, contrast) in [(0.0, 5.0), (0.5, 3.0), (1.0, 1.0)] {
            let guidance = GuidanceScale { scale: 5.0, rescale, interval: None };
            let found = guidance.guide(0, 1, &[]).combine(&predictions, step)?;
            let off = (found - (&prompt * contrast)?)?.abs()?.max_all()?;
            let off = off.to_scalar::<f32>()?;
            assert!(off < 1e-5, "{rescale}: off by {off}");
        }
        Ok(())
    }
}
