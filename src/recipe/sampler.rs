//! Samplers: the requested settings, and the settings after the defaults of a model are filled in.

use serde::{Deserialize, Deserializer, Serialize};

use super::{GuidanceInterval, style::BUILT_IN_MODEL};
use crate::{finite::finite, model::ModelDefaults};

#[cfg(feature = "plugin")]
use bevy::prelude::{Reflect, ReflectDefault};

/// The requested sampling of a picture. A field that is `None` follows the
/// [defaults of the model](ModelDefaults).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Sampler {
    /// The scheduler's class name in diffusers, such as `DPMSolverMultistepScheduler`. Its options
    /// come from the model's `scheduler_config.json`. For [`LATENTS_MODEL`](super::style::LATENTS_MODEL), an optimizer's
    /// class name in `torch.optim`, such as `Adam`.
    #[serde(deserialize_with = "scheduler", skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// The spacing of the scheduler's noise levels. Only some schedulers have a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigmas: Option<SigmaSpacing>,
    /// What the denoiser predicts. Many single files do not tell it: set it if the pictures of a model are noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction_type: Option<PredictionType>,
    /// The number of last layers of the CLIP text encoders that are left out, as `clip_skip` in diffusers: 1 uses the
    /// penultimate layer of Stable Diffusion 1 and 2. Stable Diffusion XL always leaves out one layer, and so many more.
    /// A1111 counts from 1: its "Clip skip 2" is 1 here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_skip: Option<u32>,
    /// Denoising steps, or iterations of an optimizer, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Classifier-free guidance scale (Ho & Salimans 2022, arXiv:2207.12598). A scale of 1 has no effect, except for
    /// models with another [neutral scale](crate::diffusion::Denoiser::neutral_guidance_scale).
    #[serde(alias = "guidance", skip_serializing_if = "Option::is_none")]
    pub guidance_scale: Option<f32>,
    /// Rescaling of guided predictions, 0 to 1: φ of Lin et al. 2023 (arXiv:2305.08891, section 3.4).
    /// 0 is none. It avoids overexposed colours at high guidance scales.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance_rescale: Option<f32>,
    /// The steps in which guidance acts. Guidance acts in all steps if it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guidance_interval: Option<GuidanceInterval>,
}

/// The spacing of a scheduler's noise levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
pub enum SigmaSpacing {
    /// The levels of evenly spaced timesteps.
    Timesteps,
    /// Equal steps of the seventh root (Karras et al. 2022, arXiv:2206.00364, equation 5).
    Karras,
    /// Equal steps of the logarithm.
    Exponential,
    /// Quantiles of a beta distribution, denser at both ends (Lee et al. 2024, arXiv:2407.12173).
    Beta,
}

impl SigmaSpacing {
    /// All spacings.
    pub const ALL: [Self; 4] = [Self::Timesteps, Self::Karras, Self::Exponential, Self::Beta];

    /// The name in messages and on the command line, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timesteps => "timesteps",
            Self::Karras => "karras",
            Self::Exponential => "exponential",
            Self::Beta => "beta",
        }
    }
}

/// What a denoiser predicts: the `prediction_type` of diffusers' schedulers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
pub enum PredictionType {
    /// The noise.
    Epsilon,
    /// The velocity (Salimans & Ho 2022, arXiv:2202.00512).
    Velocity,
    /// The finished latents.
    Sample,
}

impl PredictionType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Epsilon, Self::Velocity, Self::Sample];

    /// The name in diffusers' configurations and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::Velocity => "v_prediction",
            Self::Sample => "sample",
        }
    }
}

/// The sampling that a picture is drawn with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolvedSampler {
    /// As [`Sampler::scheduler`].
    pub scheduler: String,
    /// As [`Sampler::sigmas`]. `None` is the one of the model's `scheduler_config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigmas: Option<SigmaSpacing>,
    /// As [`Sampler::prediction_type`], or what the author [told](crate::settings) about the model. `None` is the one of the
    /// model's `scheduler_config.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_type: Option<PredictionType>,
    /// As [`Sampler::clip_skip`]. `None` uses the layer that the family uses by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_skip: Option<u32>,
    /// As [`Sampler::steps`].
    pub steps: u32,
    /// As [`Sampler::guidance_scale`].
    #[serde(deserialize_with = "finite")]
    pub guidance_scale: f32,
    /// As [`Sampler::guidance_rescale`].
    #[serde(deserialize_with = "finite")]
    pub guidance_rescale: f32,
    /// As [`Sampler::guidance_interval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance_interval: Option<GuidanceInterval>,
}

/// The schedulers' names in files of older versions, and their class names.
const OLD_NAMES: [(&str, &str); 3] = [
    ("Ddim", "DDIMScheduler"),
    ("Euler", "EulerDiscreteScheduler"),
    ("DpmPlusPlus2M", "DPMSolverMultistepScheduler"),
];

/// Whether two samplers draw the same picture with a model, as far as that is known without its package.
pub(super) fn same_request(model: &str, a: &Sampler, b: &Sampler) -> bool {
    let built_in = || {
        let defaults = ModelDefaults::built_in();
        a.resolve(&defaults) == b.resolve(&defaults)
    };
    a == b || (model == BUILT_IN_MODEL && built_in())
}

impl Sampler {
    /// Fills unset fields with the defaults of a model.
    #[must_use]
    pub fn resolve(&self, defaults: &ModelDefaults) -> ResolvedSampler {
        ResolvedSampler {
            scheduler: self.scheduler.clone().unwrap_or_else(|| defaults.scheduler.clone()),
            sigmas: self.sigmas,
            prediction_type: self.prediction_type.or(defaults.prediction_type),
            clip_skip: self.clip_skip,
            steps: self.steps.unwrap_or(defaults.steps),
            guidance_scale: self.guidance_scale.unwrap_or(defaults.guidance_scale),
            guidance_rescale: self.guidance_rescale.unwrap_or(defaults.guidance_rescale),
            guidance_interval: self.guidance_interval,
        }
    }

    /// Whether this sampler requests the picture that was requested with `requested` and drawn with
    /// `drawn`. Each field must equal the requested one, unset included, or the value that the picture
    /// was drawn with.
    #[must_use]
    pub fn is_met_by(&self, requested: &Self, drawn: &ResolvedSampler) -> bool {
        fn met<T: PartialEq>(now: Option<&T>, requested: Option<&T>, drawn: &T) -> bool {
            now == requested || now == Some(drawn)
        }
        met(self.scheduler.as_ref(), requested.scheduler.as_ref(), &drawn.scheduler)
            && self.sigmas == drawn.sigmas
            && (self.prediction_type == requested.prediction_type
                || (self.prediction_type.is_some()
                    && self.prediction_type == drawn.prediction_type))
            && self.clip_skip == drawn.clip_skip
            && self.guidance_interval == drawn.guidance_interval
            && met(self.steps.as_ref(), requested.steps.as_ref(), &drawn.steps)
            && met(
                self.guidance_scale.as_ref(),
                requested.guidance_scale.as_ref(),
                &drawn.guidance_scale,
            )
            && met(
                self.guidance_rescale.as_ref(),
                requested.guidance_rescale.as_ref(),
                &drawn.guidance_rescale,
            )
    }
}

impl Default for ResolvedSampler {
    /// The defaults of the built-in model.
    fn default() -> Self {
        Sampler::default().resolve(&ModelDefaults::built_in())
    }
}

/// Reads a scheduler by any of its names. RON files of older versions have it without quotes.
fn scheduler<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    /// Untagged, so that RON passes an identifier as text through serde's buffer.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Name {
        Text(String),
    }
    let name = Option::<Name>::deserialize(deserializer)?;
    Ok(name.map(|Name::Text(name)| {
        let class = OLD_NAMES.iter().find(|(old, _)| *old == name).map(|(_, class)| *class);
        class.map_or(name, str::to_owned)
    }))
}

/// A [`Sampler`] in the recipe of a picture. Fields of newer versions are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SamplerFile {
    #[serde(deserialize_with = "scheduler")]
    scheduler: Option<String>,
    sigmas: Option<SigmaSpacing>,
    prediction_type: Option<PredictionType>,
    clip_skip: Option<u32>,
    steps: Option<u32>,
    #[serde(deserialize_with = "finite")]
    guidance_scale: Option<f32>,
    #[serde(deserialize_with = "finite")]
    guidance_rescale: Option<f32>,
    guidance_interval: Option<GuidanceInterval>,
    /// The guidance scale in files of versions without unset values.
    #[serde(deserialize_with = "finite")]
    guidance: Option<f32>,
}

impl SamplerFile {
    /// The sampler that was requested from a model.
    ///
    /// Older versions wrote the defaults of the built-in model into unset fields. For that model, such fields
    /// become unset again. The oldest versions did not rescale guidance.
    pub(super) fn requested(self, model: &str) -> Sampler {
        let Self { sigmas, prediction_type, clip_skip, guidance_interval, guidance, .. } = self;
        let Self { mut scheduler, mut steps, mut guidance_scale, mut guidance_rescale, .. } = self;
        if guidance.is_some() {
            guidance_scale = guidance;
            guidance_rescale = guidance_rescale.or(Some(0.0));
            if model == BUILT_IN_MODEL {
                let defaults = ModelDefaults::built_in();
                scheduler.take_if(|it| *it == defaults.scheduler);
                steps.take_if(|it| *it == defaults.steps);
                guidance_scale.take_if(|it| *it == defaults.guidance_scale);
                guidance_rescale.take_if(|it| *it == defaults.guidance_rescale);
            }
        }
        Sampler {
            scheduler,
            sigmas,
            prediction_type,
            clip_skip,
            steps,
            guidance_scale,
            guidance_rescale,
            guidance_interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use ron::{Options, extensions::Extensions};

    use super::*;

    fn ron(text: &str) -> Sampler {
        let options = Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        options.from_str(text).unwrap()
    }

    #[test]
    fn old_names_of_schedulers_and_guidance_are_read_from_ron_and_json() {
        let sampler = Sampler {
            scheduler: Some("EulerDiscreteScheduler".to_owned()),
            guidance_scale: Some(7.5),
            ..Sampler::default()
        };
        for text in [
            "(scheduler: Euler, guidance: 7.5)",
            "(scheduler: \"Euler\", guidance_scale: 7.5)",
            "(scheduler: Some(\"EulerDiscreteScheduler\"), guidance_scale: Some(7.5))",
        ] {
            assert_eq!(ron(text), sampler, "{text}");
        }
        let json = r#"{"scheduler": "Euler", "guidance": 7.5}"#;
        assert_eq!(serde_json::from_str::<Sampler>(json).unwrap(), sampler);
    }

    #[test]
    fn unset_fields_are_not_written_and_stay_unset() {
        let sampler = Sampler { steps: Some(7), ..Sampler::default() };
        let json = serde_json::to_string(&sampler).unwrap();
        assert_eq!(json, r#"{"steps":7}"#);
        assert_eq!(serde_json::from_str::<Sampler>(&json).unwrap(), sampler);
        assert_eq!(ron("()"), Sampler::default());
    }

    #[test]
    fn set_fields_win_over_the_defaults_of_the_model() {
        let sampler = Sampler { steps: Some(7), ..Sampler::default() };
        let resolved = sampler.resolve(&ModelDefaults::built_in());
        let expected = ResolvedSampler {
            scheduler: "DPMSolverMultistepScheduler".to_owned(),
            sigmas: None,
            prediction_type: None,
            clip_skip: None,
            steps: 7,
            guidance_scale: 5.0,
            guidance_rescale: 0.5,
            guidance_interval: None,
        };
        assert_eq!(resolved, expected);
    }

    #[test]
    fn a_picture_stays_current_when_the_author_sets_the_values_that_it_was_drawn_with() {
        let unset = Sampler::default();
        let drawn = unset.resolve(&ModelDefaults::built_in());
        let rescale = |value| Sampler { guidance_rescale: value, ..Sampler::default() };
        assert!(unset.is_met_by(&unset, &drawn));
        assert!(rescale(Some(0.5)).is_met_by(&unset, &drawn));
        assert!(!rescale(Some(0.4)).is_met_by(&unset, &drawn));
        assert!(!unset.is_met_by(&rescale(Some(0.5)), &drawn), "an explicit value was requested");

        let karras = Sampler { sigmas: Some(SigmaSpacing::Karras), ..Sampler::default() };
        let drawn_with_karras = karras.resolve(&ModelDefaults::built_in());
        assert!(karras.is_met_by(&karras, &drawn_with_karras));
        assert!(!karras.is_met_by(&unset, &drawn) && !unset.is_met_by(&karras, &drawn_with_karras));
        let skip = Sampler { clip_skip: Some(1), ..Sampler::default() };
        assert!(!skip.is_met_by(&unset, &drawn), "the picture was drawn with all layers");
        let velocity = Some(PredictionType::Velocity);
        let predicts = Sampler { prediction_type: velocity, ..Sampler::default() };
        let told = ModelDefaults { prediction_type: velocity, ..ModelDefaults::built_in() };
        let drawn_as_told = unset.resolve(&told);
        assert_eq!(drawn_as_told.prediction_type, velocity);
        assert!(unset.is_met_by(&unset, &drawn_as_told));
        assert!(predicts.is_met_by(&unset, &drawn_as_told));
        assert!(!predicts.is_met_by(&unset, &drawn), "the model was taken to predict the noise");
        assert!(!unset.is_met_by(&predicts, &predicts.resolve(&told)), "it was requested");
        let interval = Some(GuidanceInterval { from: 0.1, to: 0.8 });
        let in_steps = Sampler { guidance_interval: interval, ..Sampler::default() };
        let drawn_in_steps = in_steps.resolve(&ModelDefaults::built_in());
        assert!(in_steps.is_met_by(&in_steps, &drawn_in_steps));
        assert!(
            !in_steps.is_met_by(&unset, &drawn) && !unset.is_met_by(&in_steps, &drawn_in_steps)
        );
    }

    #[test]
    fn a_guidance_interval_is_kept_by_styles_and_by_recipes_of_this_version() {
        let interval = GuidanceInterval { from: 0.25, to: 0.5 };
        let sampler = Sampler { guidance_interval: Some(interval), ..Sampler::default() };
        assert_eq!(ron("(guidance_interval: (from: 0.25, to: 0.5))"), sampler);
        let json = serde_json::to_string(&sampler).unwrap();
        assert_eq!(json, r#"{"guidance_interval":{"from":0.25,"to":0.5}}"#);
        let file: SamplerFile = serde_json::from_str(&json).unwrap();
        assert_eq!(file.requested("a model"), sampler);
        let drawn = sampler.resolve(&ModelDefaults::built_in());
        let json = serde_json::to_string(&drawn).unwrap();
        assert_eq!(serde_json::from_str::<ResolvedSampler>(&json).unwrap(), drawn);
    }
}
