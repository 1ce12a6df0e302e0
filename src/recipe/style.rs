//! The style of a whole story.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Inspiration, Lora, Loss, Sampler, Size};
use crate::model::ModelDefaults;

#[cfg(feature = "plugin")]
use bevy::prelude::{Reflect, ReflectDefault};

/// The name of the model that ships with the crate.
pub const BUILT_IN_MODEL: &str = "sketch";

/// The name of the generator that optimizes latents of the built-in model without its denoiser.
pub const LATENTS_MODEL: &str = "latents";

/// The style of a story: the settings that all of its pictures share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// Words that are appended to every prompt. If they contain `{prompt}`, they surround every prompt instead.
    pub words: String,
    /// The negative prompt of every picture.
    #[serde(alias = "unwanted")]
    pub negative_prompt: String,
    /// [`BUILT_IN_MODEL`], [`LATENTS_MODEL`], a diffusers folder or a single file. A relative path starts at the working
    /// directory.
    pub model: String,
    /// The file or the folder of an autoencoder (VAE) that replaces that of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vae: Option<String>,
    /// The files or the folders of text encoders that replace those of the model, or that it lacks. Stable Diffusion XL has two,
    /// in any order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub text_encoders: Vec<String>,
    /// The low-rank adapters that change the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loras: Vec<Lora>,
    /// The files or the folders of [optional components](crate::model::package::optional_components) that replace those of the
    /// model, or that it lacks, by the names of the components, such as `adapters/outline`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, String>,
    /// The sampler of all pictures.
    pub sampler: Sampler,
    /// Size for each kind of shot.
    pub sizes: Sizes,
    /// The seed from which the seeds of all pictures are derived.
    pub seed: u64,
    /// What every picture follows. Their images are in the art folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plugin", reflect(ignore))]
    pub inspirations: Vec<Inspiration>,
    /// What steers every picture. Their images are in the art folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plugin", reflect(ignore))]
    pub losses: Vec<Loss>,
}

/// The picture size for each kind of shot. A size that is `None` follows the native size of the model, with the
/// aspect ratio of the kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Sizes {
    /// The background of a scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<Size>,
    /// A character with an expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portrait: Option<Size>,
    /// A key moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moment: Option<Size>,
    /// An item on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Size>,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            words: String::new(),
            negative_prompt: String::new(),
            model: BUILT_IN_MODEL.to_owned(),
            vae: None,
            text_encoders: Vec::new(),
            loras: Vec::new(),
            components: BTreeMap::new(),
            sampler: Sampler::default(),
            sizes: Sizes::default(),
            seed: 0,
            inspirations: Vec::new(),
            losses: Vec::new(),
        }
    }
}

impl Style {
    /// The style with every size set. Unset sizes follow the model.
    #[must_use]
    pub fn with_sizes_of(&self, defaults: &ModelDefaults) -> Self {
        Self { sizes: self.sizes.resolve(defaults), ..self.clone() }
    }
}

impl Sizes {
    /// The same size for every kind of shot.
    #[must_use]
    pub const fn all(size: Size) -> Self {
        Self { background: Some(size), portrait: Some(size), moment: Some(size), item: Some(size) }
    }

    /// The sizes with every size set. Unset sizes follow the native size of a model, in eighths of its sides.
    #[must_use]
    pub fn resolve(&self, defaults: &ModelDefaults) -> Self {
        let [width, height] = defaults.size;
        let scaled = |side: u32, eighths: u32| (side / 8).saturating_mul(eighths).clamp(16, 2048);
        let of = |across, down| Some(Size::new(scaled(width, across), scaled(height, down)));
        Self {
            background: self.background.or(of(12, 7)),
            portrait: self.portrait.or(of(7, 9)),
            moment: self.moment.or(of(12, 7)),
            item: self.item.or(of(8, 8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_sizes_follow_the_model_and_set_ones_stay() {
        let sizes = Sizes::default().resolve(&ModelDefaults::built_in());
        let built_in = Sizes {
            background: Some(Size::new(384, 224)),
            portrait: Some(Size::new(224, 288)),
            moment: Some(Size::new(384, 224)),
            item: Some(Size::new(256, 256)),
        };
        assert_eq!(sizes, built_in);
        let mine = Sizes { item: Some(Size::new(8, 9)), ..Sizes::default() };
        let sizes = mine.resolve(&ModelDefaults { size: [512, 512], ..ModelDefaults::default() });
        assert_eq!(sizes.background, Some(Size::new(768, 448)));
        assert_eq!(sizes.item, Some(Size::new(8, 9)));
    }
}
