//! Guides: combining the predictions under several conditionings into one.

mod cfg;
mod composed;
mod regional;
mod rescale;

use candle_core::{Result, Tensor};

use super::StepInfo;
use crate::recipe::Inspiration;

pub use cfg::{Cfg, Unguided};
pub use composed::{Composed, ComposedText};
pub use regional::{RegionPrompt, Regional};
pub use rescale::Rescale;

/// Combines predictions.
pub trait Guide: Send + Sync {
    /// Combines the predictions, one per conditioning and in the same order, each (1, channels,
    /// height, width), into one of the same shape.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn combine(&self, predictions: &[Tensor], step: StepInfo) -> Result<Tensor>;
}

/// Guidance strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuidanceScale {
    /// The classifier-free guidance scale, above 1.
    pub scale: f64,
    /// The share of the contrast added by guidance that is removed, in 0..=1.
    pub rescale: f64,
}

impl GuidanceScale {
    /// The guidance of a sampler, `boost` times as strong.
    ///
    /// `None` if the scale is 1 or less: as in diffusers, such a picture is drawn without
    /// guidance and the negative prompt has no effect. A `boost` above 1 multiplies a scale of at
    /// least 1, so it always adds guidance.
    #[must_use]
    pub fn new(guidance_scale: f32, guidance_rescale: f32, boost: f32) -> Option<Self> {
        let base = if boost > 1.0 { guidance_scale.max(1.0) } else { guidance_scale };
        let scale = base * boost;
        (scale > 1.0)
            .then(|| Self { scale: f64::from(scale), rescale: f64::from(guidance_rescale) })
    }

    /// The guide for the predictions with the indices `negative_prompt` and `prompt`, and for those of other texts.
    #[must_use]
    pub fn guide(
        self,
        prompt: usize,
        negative_prompt: usize,
        texts: &[(usize, &Inspiration)],
    ) -> Box<dyn Guide> {
        let cfg = Box::new(Cfg { prompt, negative_prompt, scale: self.scale });
        let guide = composed(cfg, negative_prompt, self.scale, texts);
        if self.rescale == 0.0 {
            guide
        } else {
            Box::new(Rescale { guide, prompt, rescale: self.rescale })
        }
    }
}

/// The guide for the prediction with the index `prompt` and those of other texts, without guidance. Each text counts by
/// its weight, and the prompt counts 1.
#[must_use]
pub fn unguided(prompt: usize, texts: &[(usize, &Inspiration)]) -> Box<dyn Guide> {
    let total = 1.0 + texts.iter().map(|(_, text)| f64::from(text.weight)).sum::<f64>();
    composed(Box::new(Unguided { prompt }), prompt, 1.0 / total, texts)
}

/// Adds texts to a guide. `scale` is the factor of a text of weight 1.
fn composed(
    guide: Box<dyn Guide>,
    base: usize,
    scale: f64,
    texts: &[(usize, &Inspiration)],
) -> Box<dyn Guide> {
    if texts.is_empty() {
        return guide;
    }
    let text = |&(text, inspiration): &(usize, &Inspiration)| ComposedText {
        text,
        scale: scale * f64::from(inspiration.weight),
        from: inspiration.from,
        to: inspiration.end(),
    };
    Box::new(Composed { guide, base, texts: texts.iter().map(text).collect() })
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
