//! Several texts in one picture.

use candle_core::{Result, Tensor};

use super::{Guide, Predictions, StepInfo};
use crate::recipe::Inspiration;

/// Moves a guided prediction towards those under other texts, as composable diffusion does (Liu et al. 2022,
/// arXiv:2206.01714, equation 11).
pub struct Composed {
    /// The guide of the prompt.
    pub guide: Box<dyn Guide>,
    /// The index of the prediction that the texts move away from: that under the negative prompt or, without guidance,
    /// that under the prompt.
    pub base: usize,
    /// The texts.
    pub texts: Vec<ComposedText>,
}

/// A text of [`Composed`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComposedText {
    /// The index of the prediction under the text.
    pub text: usize,
    /// The factor of the difference to the base. In [`Composed`] with guidance, the weight of the text times the guidance
    /// scale.
    pub scale: f64,
    /// The first steps that use the text, as a part of all steps in 0..=1.
    pub from: f32,
    /// The end of the steps that use it.
    pub to: f32,
}

impl ComposedText {
    /// A text of an inspiration, scaled by its weight. `strength` is the share of the steps that are run.
    #[must_use]
    pub fn new(text: usize, inspiration: &Inspiration, strength: f32) -> Self {
        let [from, to] = inspiration.steps(strength);
        // Without the small subtraction, the first step could be slightly before this one.
        Self { text, scale: inspiration.weight.into(), from: from - 1e-4, to }
    }

    fn acts_in(&self, step: StepInfo) -> bool {
        let progress = step.index as f32 / step.count as f32;
        (self.from..self.to).contains(&progress)
    }
}

impl Guide for Composed {
    fn reads(&self, prediction: usize, step: StepInfo) -> bool {
        let mut active = self.texts.iter().filter(|text| text.acts_in(step));
        self.guide.reads(prediction, step)
            || active.any(|text| [text.text, self.base].contains(&prediction))
    }

    fn combine(&self, predictions: &Predictions, step: StepInfo) -> Result<Tensor> {
        let active = self.texts.iter().filter(|text| text.acts_in(step));
        active.fold(self.guide.combine(predictions, step), |sum, text| {
            let difference = predictions.get(text.text)? - predictions.get(self.base)?;
            sum? + (difference? * text.scale)?
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::diffusion::guide::Cfg;

    #[test]
    fn each_text_adds_its_difference_to_the_base_in_its_steps() -> Result<()> {
        let tensor = |value: f32| Tensor::from_slice(&[value], (1, 1, 1, 1), &Device::Cpu);
        let predictions = [3.0, 1.0, 11.0, 101.0].map(tensor);
        let text = |text, scale, from, to| ComposedText { text, scale, from, to };
        let guide = Composed {
            guide: Box::new(Cfg { prompt: 0, negative_prompt: 1, scale: 2.0 }),
            base: 1,
            texts: vec![text(2, 0.5, 0.0, 1.0), text(3, 2.0, 0.5, 0.75)],
        };
        // The guided prompt is 1 + 2 * (3 - 1) = 5.
        for (index, expected) in [(0, 10.0), (1, 10.0), (2, 210.0), (3, 10.0)] {
            let step = StepInfo { index, count: 4, timestep: 0.0 };
            let read = predictions.iter().enumerate().map(|(at, prediction)| {
                guide.reads(at, step).then(|| prediction.as_ref().unwrap().clone())
            });
            let read = Predictions::from_iter(read);
            assert_eq!(read.get(3).is_ok(), index == 2, "the text acts in one of the steps");
            let found = guide.combine(&read, step)?.flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(found, [expected], "step {index}");
        }
        Ok(())
    }
}
