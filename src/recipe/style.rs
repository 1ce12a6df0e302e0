//! The one look of a whole story.

use serde::{Deserialize, Serialize};

use super::{Sampler, Size};

#[cfg(feature = "plugin")]
use bevy::prelude::{Reflect, ReflectDefault};

/// The name of the model that ships with the crate.
pub const BUILT_IN_MODEL: &str = "sketch";

/// The style sheet of a story: what all of its pictures share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Style {
    /// Words that end every prompt.
    pub words: String,
    /// What no picture may show.
    #[serde(alias = "unwanted")]
    pub negative_prompt: String,
    /// [`BUILT_IN_MODEL`] or a diffusers folder, from where the program runs if its path is relative.
    pub model: String,
    /// How pictures are sampled.
    pub sampler: Sampler,
    /// Size for each kind of shot.
    pub sizes: Sizes,
    /// What all seeds of the story grow from.
    pub seed: u64,
}

/// Picture sizes for each kind of shot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct Sizes {
    /// Behind a scene.
    pub background: Size,
    /// A character with an expression.
    pub portrait: Size,
    /// A key moment.
    pub moment: Size,
    /// A thing on its own.
    pub item: Size,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            words: String::new(),
            negative_prompt: String::new(),
            model: BUILT_IN_MODEL.to_owned(),
            sampler: Sampler::default(),
            sizes: Sizes::default(),
            seed: 0,
        }
    }
}

impl Default for Sizes {
    /// What the built-in model has learned to draw.
    fn default() -> Self {
        Self {
            background: Size::new(384, 224),
            portrait: Size::new(224, 288),
            moment: Size::new(384, 224),
            item: Size::new(256, 256),
        }
    }
}
