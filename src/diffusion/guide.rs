//! Guides: combining the predictions under several conditionings into one.

mod cfg;
mod composed;
mod interval;
mod predictions;
mod regional;
mod rescale;

use candle_core::{Result, Tensor};

use super::StepInfo;
use crate::recipe::GuidanceInterval;

pub use cfg::{Cfg, Unguided};
pub use composed::{Composed, ComposedText};
pub use interval::Interval;
pub use predictions::Predictions;
pub use regional::{RegionPrompt, Regional};
pub use rescale::Rescale;

/// Combines predictions.
pub trait Guide: Send + Sync {
    /// Whether it reads the prediction with this index in a step. The network does not run for the other ones.
    fn reads(&self, prediction: usize, step: StepInfo) -> bool;

    /// Combines the predictions that it reads, each (1, channels, height, width), into one of the same shape.
    ///
    /// # Errors
    /// If it uses a prediction that it does not [read](Self::reads), or a tensor operation fails.
    fn combine(&self, predictions: &Predictions, step: StepInfo) -> Result<Tensor>;
}

/// Guidance strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuidanceScale {
    /// The classifier-free guidance scale, above 1.
    pub scale: f64,
    /// The share of the contrast added by guidance that is removed, in 0..=1.
    pub rescale: f64,
    /// The steps in which guidance acts. `None`: in all of them.
    pub interval: Option<GuidanceInterval>,
}

impl GuidanceScale {
    /// The guidance of a sampler in all steps, `boost` times as strong.
    ///
    /// `None` if the scale is 1 or less: as in diffusers, such a picture is drawn without
    /// guidance and the negative prompt has no effect. A `boost` above 1 multiplies a scale of at
    /// least 1, so it always adds guidance.
    #[must_use]
    pub fn new(guidance_scale: f32, guidance_rescale: f32, boost: f32) -> Option<Self> {
        let base = if boost > 1.0 { guidance_scale.max(1.0) } else { guidance_scale };
        let scale = base * boost;
        let (scale, rescale) = (f64::from(scale), f64::from(guidance_rescale));
        (scale > 1.0).then_some(Self { scale, rescale, interval: None })
    }

    /// The guide for the predictions with the indices `negative_prompt` and `prompt`, and for those of other texts. A
    /// text of scale 1 counts as much as the prompt.
    #[must_use]
    pub fn guide(
        self,
        prompt: usize,
        negative_prompt: usize,
        texts: &[ComposedText],
    ) -> Box<dyn Guide> {
        let cfg = Box::new(Cfg { prompt, negative_prompt, scale: self.scale });
        let guide = composed(cfg, negative_prompt, self.scale, texts);
        let guide = match self.rescale {
            0.0 => guide,
            rescale => Box::new(Rescale { guide, prompt, rescale }),
        };
        match self.interval {
            None => guide,
            Some(interval) => {
                Box::new(Interval { interval, inside: guide, outside: unguided(prompt, texts) })
            }
        }
    }
}

/// The guide for the prediction with the index `prompt` and those of other texts, without guidance. Each text counts by
/// its scale, and the prompt counts 1.
#[must_use]
pub fn unguided(prompt: usize, texts: &[ComposedText]) -> Box<dyn Guide> {
    let total = 1.0 + texts.iter().map(|text| text.scale).sum::<f64>();
    composed(Box::new(Unguided { prompt }), prompt, 1.0 / total, texts)
}

/// Adds texts to a guide. `scale` multiplies that of each text.
fn composed(
    guide: Box<dyn Guide>,
    base: usize,
    scale: f64,
    texts: &[ComposedText],
) -> Box<dyn Guide> {
    if texts.is_empty() {
        return guide;
    }
    let scaled = |text: &ComposedText| ComposedText { scale: scale * text.scale, ..*text };
    let texts = texts.iter().map(scaled).collect();
    Box::new(Composed { guide, base, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(guidance_scale: f32, boost: f32) -> Option<f64> {
        GuidanceScale::new(guidance_scale, 0.0, boost).map(|guidance| guidance.scale)
    }

    #[test]
    fn a_scale_of_1_or_less_disables_guidance() {
        assert_eq!([0.0, 0.5, 1.0].map(|of| scale(of, 1.0)), [None; 3]);
        assert_eq!(scale(1.5, 1.0), Some(1.5));
    }

    #[test]
    fn a_boost_always_guides_and_never_weakens_guidance() {
        for guidance_scale in [0.0, 0.5, 1.0, 1.2, 5.0] {
            let (plain, boosted) = (scale(guidance_scale, 1.0), scale(guidance_scale, 1.5));
            assert!(boosted > plain, "{guidance_scale}: {plain:?} became {boosted:?}");
        }
        assert_eq!(scale(5.0, 1.5), Some(7.5));
    }
}
