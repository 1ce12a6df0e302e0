//! Classifier-free guidance.

use candle_core::{Result, Tensor};

use super::{Guide, Predictions, StepInfo};

/// Unguided: returns the prediction under the prompt.
#[derive(Clone, Copy, Debug)]
pub struct Unguided {
    /// The index of the prediction under the prompt.
    pub prompt: usize,
}

/// Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): moves the prediction away from
/// the one under the negative prompt.
#[derive(Clone, Copy, Debug)]
pub struct Cfg {
    /// The index of the prediction under the prompt.
    pub prompt: usize,
    /// The index of the prediction under the negative prompt.
    pub negative_prompt: usize,
    /// The guidance scale. 1 has no effect.
    pub scale: f64,
}

impl Guide for Unguided {
    fn reads(&self, prediction: usize, _: StepInfo) -> bool {
        prediction == self.prompt
    }

    fn combine(&self, predictions: &Predictions, _: StepInfo) -> Result<Tensor> {
        predictions.get(self.prompt).cloned()
    }
}

impl Guide for Cfg {
    fn reads(&self, prediction: usize, _: StepInfo) -> bool {
        [self.prompt, self.negative_prompt].contains(&prediction)
    }

    fn combine(&self, predictions: &Predictions, _: StepInfo) -> Result<Tensor> {
        let prompt = predictions.get(self.prompt)?;
        let negative = predictions.get(self.negative_prompt)?;
        negative + ((prompt - negative)? * self.scale)?
    }
}
