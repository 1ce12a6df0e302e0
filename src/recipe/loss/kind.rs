//! The kinds of loss.

use serde::{Deserialize, Serialize};

use super::{Colour, LossError, MAX_COLOURS};
use crate::recipe::{BlobId, MAX_TEXT_LENGTH, digest::Digester};

/// The kinds of loss. [`crate::loss`] defines their values.
///
/// `I` refers to an image: a [`BlobId`] in recipes, a path in edit files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LossKind<I = BlobId> {
    /// How little the part shows what this text says.
    Text(String),
    /// How little the part has changed from what one text says to what another says.
    Direction {
        /// What the part shows without the loss, such as `a coat in daylight`.
        from: String,
        /// What it should show instead, such as `a coat at night`.
        to: String,
    },
    /// The distance of the style to that of an image.
    Style(I),
    /// The distance of the content to that of an image.
    Content(I),
    /// The share of edges that are not on the lines of an image.
    Outline(I),
    /// The distance of rough colours to those of an image, where it is opaque.
    Colours(I),
    /// The distance of the colours to the nearest of these.
    Palette(Vec<Colour>),
    /// How much neighbouring pixels differ.
    TotalVariation,
    /// The distance of the mean saturation to this one, in 0..=1.
    Saturation(f32),
    /// The distance of the mean lightness to this one, from 0, black, to 1, white.
    Lightness(f32),
    /// The distance of the latents to those of an image.
    Latents(I),
    /// A kind that another crate [registered](crate::loss::register).
    Custom {
        /// The name of the kind.
        name: String,
        /// Its value, in the notation of the kind.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        value: String,
    },
}

impl<I> LossKind<I> {
    /// The name, as in recipes and edit files. Of a kind of another crate, the name of that kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Text(_) => "Text",
            Self::Direction { .. } => "Direction",
            Self::Style(_) => "Style",
            Self::Content(_) => "Content",
            Self::Outline(_) => "Outline",
            Self::Colours(_) => "Colours",
            Self::Palette(_) => "Palette",
            Self::TotalVariation => "TotalVariation",
            Self::Saturation(_) => "Saturation",
            Self::Lightness(_) => "Lightness",
            Self::Latents(_) => "Latents",
            Self::Custom { name, .. } => name,
        }
    }

    /// The image that it refers to.
    #[must_use]
    pub fn image(&self) -> Option<&I> {
        match self {
            Self::Style(image)
            | Self::Content(image)
            | Self::Outline(image)
            | Self::Colours(image)
            | Self::Latents(image) => Some(image),
            Self::Text(_)
            | Self::Direction { .. }
            | Self::Palette(_)
            | Self::TotalVariation
            | Self::Saturation(_)
            | Self::Lightness(_)
            | Self::Custom { .. } => None,
        }
    }

    /// The end of the steered steps unless a loss has its own, as a part of all steps.
    ///
    /// Text, direction and style are losses on features of single latents. In the last steps, they make blocks of wrong
    /// colours, each as large as a latent; the remaining steps without them remove these blocks.
    #[must_use]
    pub fn default_end(&self) -> f32 {
        match self {
            Self::Text(_) | Self::Direction { .. } => 0.6,
            Self::Outline(_) => 0.7,
            _ => 1.0,
        }
    }

    /// As [`Loss::usual_cost`](super::Loss::usual_cost).
    pub(super) fn usual_cost(&self) -> Option<f32> {
        match self {
            Self::Style(_) => Some(0.25),
            Self::Text(_) | Self::Direction { .. } | Self::Content(_) => Some(0.15),
            Self::Custom { .. } => None,
            _ => Some(0.05),
        }
    }

    /// Whether it holds shapes at their places in the picture.
    pub(crate) fn holds_shapes(&self) -> bool {
        matches!(self, Self::Content(_) | Self::Outline(_) | Self::Colours(_) | Self::Latents(_))
    }

    /// The texts.
    fn texts(&self) -> [&str; 2] {
        match self {
            Self::Text(text) => [text, ""],
            Self::Direction { from, to } => [from, to],
            Self::Custom { name, value } => [name, value],
            _ => ["", ""],
        }
    }

    /// Checks that all numbers and texts are in range.
    pub(super) fn check(&self) -> Result<(), LossError> {
        let bytes = self.texts().map(str::len).iter().sum();
        if bytes > MAX_TEXT_LENGTH {
            return Err(LossError::LongText { kind: self.name().to_owned(), bytes });
        }
        let is_empty = |text: &String| text.trim().is_empty();
        match self {
            Self::Text(text) if is_empty(text) => Err(LossError::EmptyText("Text")),
            Self::Direction { from, to } if is_empty(from) || is_empty(to) => {
                Err(LossError::EmptyText("Direction"))
            }
            Self::Palette(colours) if !(1..=MAX_COLOURS).contains(&colours.len()) => {
                Err(LossError::Palette(colours.len()))
            }
            Self::Saturation(target) if !(0.0..=1.0).contains(target) => {
                Err(LossError::Saturation(*target))
            }
            Self::Lightness(target) if !(0.0..=1.0).contains(target) => {
                Err(LossError::Lightness(*target))
            }
            _ => Ok(()),
        }
    }

    /// The same kind with other references to images.
    pub(super) fn try_map<J, E>(
        &self,
        replace: impl FnOnce(&I) -> Result<J, E>,
    ) -> Result<LossKind<J>, E> {
        Ok(match self {
            Self::Text(text) => LossKind::Text(text.clone()),
            Self::Direction { from, to } => {
                LossKind::Direction { from: from.clone(), to: to.clone() }
            }
            Self::Style(image) => LossKind::Style(replace(image)?),
            Self::Content(image) => LossKind::Content(replace(image)?),
            Self::Outline(image) => LossKind::Outline(replace(image)?),
            Self::Colours(image) => LossKind::Colours(replace(image)?),
            Self::Palette(colours) => LossKind::Palette(colours.clone()),
            Self::TotalVariation => LossKind::TotalVariation,
            Self::Saturation(target) => LossKind::Saturation(*target),
            Self::Lightness(target) => LossKind::Lightness(*target),
            Self::Latents(image) => LossKind::Latents(replace(image)?),
            Self::Custom { name, value } => {
                LossKind::Custom { name: name.clone(), value: value.clone() }
            }
        })
    }
}

impl LossKind {
    /// Feeds everything that decides the picture.
    pub(super) fn feed(&self, digest: &mut Digester) {
        digest.text("kind", self.name());
        match self {
            Self::Text(text) => digest.text("text", text),
            Self::Direction { from, to } => {
                digest.text("from_text", from);
                digest.text("to_text", to);
            }
            Self::Palette(colours) => {
                let colours = colours.iter().map(ToString::to_string).collect::<String>();
                digest.text("colours", &colours);
            }
            Self::TotalVariation => {}
            Self::Saturation(target) | Self::Lightness(target) => {
                digest.optional_float("target", Some(*target));
            }
            Self::Outline(image)
            | Self::Colours(image)
            | Self::Latents(image)
            | Self::Style(image)
            | Self::Content(image) => digest.text("image", image.as_str()),
            // Not the same as a kind of this crate with the same name.
            Self::Custom { value, .. } => digest.nested("custom", |it| it.text("value", value)),
        }
    }
}
