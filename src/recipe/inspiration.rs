//! Inspirations: texts and images that a picture or a part of it follows.

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::{
    BlobId, Images, MAX_TEXT_LENGTH, MAX_WEIGHT,
    digest::Digester,
    loss::{is_one, is_zero, one},
};
use crate::finite::finite;

/// An inspiration of a picture or of a part.
///
/// `I` refers to an image: a [`BlobId`] in recipes, a path in edit files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    try_from = "Entry<I>",
    into = "Entry<I>",
    bound(serialize = "I: Clone + Serialize", deserialize = "I: Deserialize<'de>")
)]
pub struct Inspiration<I = BlobId> {
    /// The kind, with its text or image.
    pub kind: InspirationKind<I>,
    /// The strength, above 0 and at most [`MAX_WEIGHT`].
    pub weight: f32,
    /// The first steps that follow it, as a part of the steps that are run, in 0..=1. An edit of strength 0.4 runs the
    /// last 40 % of all steps.
    pub from: f32,
    /// The end of the steps that follow it, as a part of the steps that are run, in 0..=1. By default
    /// [`InspirationKind::default_end`].
    pub to: Option<f32>,
}

/// The kinds of inspiration.
#[derive(Clone, Debug, PartialEq)]
pub enum InspirationKind<I = BlobId> {
    /// Another text beside the prompt.
    Text(String),
    /// An image, and its use.
    Image(ImageUse, I),
}

/// The uses of an image as an inspiration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageUse {
    /// Rough colours at their places. The image has the aspect ratio of the picture, and is transparent where nothing is
    /// drawn.
    Scribble,
    /// The layout of an image with the aspect ratio of the picture.
    Content,
    /// The style of an image, without its content.
    Style,
    /// Lines that edges should follow: dark lines on a light ground, or opaque lines on a transparent one. The image has
    /// the aspect ratio of the picture.
    Outline,
    /// A picture of something that the words name, such as a person, a place or a garment. It may have any size. The model
    /// [sees](crate::diffusion::Denoiser::sees_references) it, or has an IP-Adapter for it.
    Reference,
}

/// An invalid inspiration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InspirationError {
    /// The weight is out of range.
    #[error(
        "the inspiration {kind} has the weight {weight}: give a number above 0 and at most {MAX_WEIGHT}"
    )]
    Weight {
        /// The name of the kind.
        kind: &'static str,
        /// The weight.
        weight: f32,
    },
    /// The range of steps is empty or out of range.
    #[error(
        "the inspiration {kind} acts from {from} to {to}: give two numbers in 0..=1, the first one smaller"
    )]
    Range {
        /// The name of the kind.
        kind: &'static str,
        /// The beginning.
        from: f32,
        /// The end.
        to: f32,
    },
    /// A text is missing.
    #[error("the inspiration Text has no words: say what the part should also show")]
    NoWords,
    /// A text is too long.
    #[error(
        "the words of the inspiration Text have {0} bytes: shorten them to at most {MAX_TEXT_LENGTH}"
    )]
    LongText(usize),
    /// An image is missing.
    #[error("the inspiration {0} has no image: name one with `image`")]
    NoImage(&'static str),
    /// Only a text has words.
    #[error("the inspiration {0} has words, but only Text uses them: leave them out")]
    Words(&'static str),
    /// A text has no image.
    #[error(
        "the inspiration Text has an image, which it does not use: leave it out, or choose another kind"
    )]
    Image,
    /// A picture or a part has more than [`MAX_INSPIRATIONS`].
    #[error(
        "{0} inspirations are too many: give at most {MAX_INSPIRATIONS} for a picture or a part"
    )]
    TooMany(usize),
}

/// The most inspirations of a picture or a part.
pub const MAX_INSPIRATIONS: usize = 16;

/// An inspiration in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<I> {
    kind: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<I>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    words: String,
    #[serde(default = "one", skip_serializing_if = "is_one", deserialize_with = "finite")]
    weight: f32,
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "finite")]
    from: f32,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "finite")]
    to: Option<f32>,
}

/// The name of a kind.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Name {
    Text,
    Scribble,
    ContentImage,
    StyleImage,
    Outline,
    ReferenceImage,
}

impl<I> Inspiration<I> {
    /// An inspiration of weight 1 in its usual steps.
    #[must_use]
    pub fn new(kind: InspirationKind<I>) -> Self {
        Self { kind, weight: 1.0, from: 0.0, to: None }
    }

    /// The same inspiration with another reference to its image.
    ///
    /// # Errors
    /// The error of `replace`.
    pub fn try_map<J, E>(
        &self,
        replace: impl FnOnce(&I) -> Result<J, E>,
    ) -> Result<Inspiration<J>, E> {
        let Self { ref kind, weight, from, to } = *self;
        let kind = match kind {
            InspirationKind::Text(words) => InspirationKind::Text(words.clone()),
            InspirationKind::Image(usage, image) => InspirationKind::Image(*usage, replace(image)?),
        };
        Ok(Inspiration { kind, weight, from, to })
    }

    /// The end of the steps that follow it, as a part of all steps.
    #[must_use]
    pub fn end(&self) -> f32 {
        self.to.unwrap_or_else(|| self.kind.default_end())
    }

    /// The beginning and the end of the steps that follow it, as parts of all steps. `strength` is the share of the steps
    /// that are run, which are the last ones.
    #[must_use]
    pub fn steps(&self, strength: f32) -> [f32; 2] {
        [self.from, self.end()].map(|part| 1.0 - (1.0 - part) * strength)
    }

    /// Checks that the numbers and the text are in range.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check(&self) -> Result<(), InspirationError> {
        let (kind, weight, from) = (self.kind.name(), self.weight, self.from);
        if !(weight > 0.0 && weight <= MAX_WEIGHT) {
            return Err(InspirationError::Weight { kind, weight });
        }
        let to = self.end();
        if !(from >= 0.0 && from < to && to <= 1.0) {
            return Err(InspirationError::Range { kind, from, to });
        }
        match &self.kind {
            InspirationKind::Text(words) if words.trim().is_empty() => {
                Err(InspirationError::NoWords)
            }
            InspirationKind::Text(words) if words.len() > MAX_TEXT_LENGTH => {
                Err(InspirationError::LongText(words.len()))
            }
            _ => Ok(()),
        }
    }

    /// Checks the inspirations of a picture or a part.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check_all(inspirations: &[Self]) -> Result<(), InspirationError> {
        if inspirations.len() > MAX_INSPIRATIONS {
            return Err(InspirationError::TooMany(inspirations.len()));
        }
        inspirations.iter().try_for_each(Self::check)
    }
}

/// The images of scribbles, with their weights. Images that are missing are left out.
pub(crate) fn scribbles<'a>(
    inspirations: &'a [Inspiration],
    images: &'a Images,
) -> impl Iterator<Item = (&'a RgbaImage, f32)> {
    inspirations.iter().filter_map(|inspiration| match &inspiration.kind {
        InspirationKind::Image(ImageUse::Scribble, id) => {
            Some((&**images.get(id)?, inspiration.weight))
        }
        _ => None,
    })
}

impl<I> InspirationKind<I> {
    /// The name, as in recipes and edit files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "Text",
            Self::Image(usage, _) => usage.name(),
        }
    }

    /// The image that it refers to.
    #[must_use]
    pub const fn image(&self) -> Option<&I> {
        match self {
            Self::Text(_) => None,
            Self::Image(_, image) => Some(image),
        }
    }

    /// Whether it holds shapes at their places in the picture.
    pub(crate) const fn holds_shapes(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Image(usage, _) => usage.holds_shapes(),
        }
    }

    /// The end of the steps that follow it unless an inspiration has its own, as a part of all steps.
    #[must_use]
    pub const fn default_end(&self) -> f32 {
        match self {
            Self::Text(_) => 1.0,
            Self::Image(usage, _) => usage.default_end(),
        }
    }
}

impl Inspiration {
    /// Feeds everything that decides the picture.
    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { kind, weight, from, to: _ } = self;
        digest.text("kind", kind.name());
        match kind {
            InspirationKind::Text(words) => digest.text("words", words),
            InspirationKind::Image(_, image) => digest.text("image", image.as_str()),
        }
        digest.optional_float("weight", Some(*weight).filter(|&weight| weight != 1.0));
        digest.optional_float("from", Some(*from).filter(|&from| from != 0.0));
        // A later version may have another default.
        digest.optional_float("to", Some(self.end()).filter(|&to| to != 1.0));
    }
}

impl ImageUse {
    /// All uses, in the order of menus.
    pub const ALL: [Self; 5] =
        [Self::Style, Self::Content, Self::Outline, Self::Scribble, Self::Reference];

    /// As [`InspirationKind::holds_shapes`].
    pub(crate) const fn holds_shapes(self) -> bool {
        !matches!(self, Self::Style | Self::Reference)
    }

    /// As [`InspirationKind::default_end`]. The same as [`LossKind::default_end`](super::LossKind::default_end) of the
    /// loss that makes a picture follow the image.
    const fn default_end(self) -> f32 {
        match self {
            Self::Outline => 0.7,
            Self::Style | Self::Content | Self::Scribble | Self::Reference => 1.0,
        }
    }

    /// The name, as in recipes and edit files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scribble => "Scribble",
            Self::Content => "ContentImage",
            Self::Style => "StyleImage",
            Self::Outline => "Outline",
            Self::Reference => "ReferenceImage",
        }
    }
}

impl<I> TryFrom<Entry<I>> for Inspiration<I> {
    type Error = InspirationError;

    fn try_from(entry: Entry<I>) -> Result<Self, InspirationError> {
        let Entry { kind, image, words, weight, from, to } = entry;
        let usage = match kind {
            Name::Text => None,
            Name::Scribble => Some(ImageUse::Scribble),
            Name::ContentImage => Some(ImageUse::Content),
            Name::StyleImage => Some(ImageUse::Style),
            Name::Outline => Some(ImageUse::Outline),
            Name::ReferenceImage => Some(ImageUse::Reference),
        };
        let kind = match (usage, image) {
            (None, None) => InspirationKind::Text(words),
            (None, Some(_)) => return Err(InspirationError::Image),
            (Some(usage), None) => return Err(InspirationError::NoImage(usage.name())),
            (Some(usage), Some(_)) if !words.is_empty() => {
                return Err(InspirationError::Words(usage.name()));
            }
            (Some(usage), Some(image)) => InspirationKind::Image(usage, image),
        };
        Ok(Self { kind, weight, from, to })
    }
}

impl<I> From<Inspiration<I>> for Entry<I> {
    fn from(inspiration: Inspiration<I>) -> Self {
        let Inspiration { kind, weight, from, to } = inspiration;
        let (kind, image, words) = match kind {
            InspirationKind::Text(words) => (Name::Text, None, words),
            InspirationKind::Image(usage, image) => {
                let name = match usage {
                    ImageUse::Scribble => Name::Scribble,
                    ImageUse::Content => Name::ContentImage,
                    ImageUse::Style => Name::StyleImage,
                    ImageUse::Outline => Name::Outline,
                    ImageUse::Reference => Name::ReferenceImage,
                };
                (name, Some(image), String::new())
            }
        };
        Self { kind, image, words, weight, from, to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Inspiration<String>, String> {
        let options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        options.from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn inspirations_are_read_as_authors_write_them() {
        let image =
            |usage, file: &str| Inspiration::new(InspirationKind::Image(usage, file.to_owned()));
        for (text, expected) in [
            (
                r#"(kind: Text, words: "velvet", weight: 0.5)"#,
                Inspiration {
                    weight: 0.5,
                    ..Inspiration::new(InspirationKind::Text("velvet".to_owned()))
                },
            ),
            (
                r#"(kind: ContentImage, image: "pose.png", weight: 0.7, from: 0.1, to: 0.6)"#,
                Inspiration {
                    weight: 0.7,
                    from: 0.1,
                    to: Some(0.6),
                    ..image(ImageUse::Content, "pose.png")
                },
            ),
            (r#"(kind: StyleImage, image: "a.png")"#, image(ImageUse::Style, "a.png")),
            (r#"(kind: Outline, image: "a.png")"#, image(ImageUse::Outline, "a.png")),
            (r#"(kind: Scribble, image: "a.png")"#, image(ImageUse::Scribble, "a.png")),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_values_are_named() {
        let wrong = |text: &str| match parse(text) {
            Ok(inspiration) => inspiration.check().unwrap_err().to_string(),
            Err(error) => error,
        };
        let long = format!(r#"(kind: Text, words: "{}")"#, "a".repeat(MAX_TEXT_LENGTH + 1));
        for (text, word) in [
            (r#"(kind: Text, words: "a", weight: -1.0)"#, "-1"),
            (r#"(kind: Text, words: "a", weight: 0.0)"#, "Text"),
            (r#"(kind: StyleImage, image: "a.png", weight: 11.0)"#, "StyleImage has the weight 11"),
            (r#"(kind: Text, words: "a", weight: NaN)"#, "NaN"),
            (r#"(kind: Text, words: "a", weight: 1e99)"#, "3.4e38"),
            (r#"(kind: Text, words: "a", from: 0.6, to: 0.5)"#, "0.6 to 0.5"),
            (r#"(kind: Text, words: "a", to: 1.5)"#, "1.5"),
            (r#"(kind: Text, words: "a", from: -0.5)"#, "-0.5"),
            (r#"(kind: Text)"#, "no words"),
            (r#"(kind: Text, words: " ")"#, "no words"),
            (&long, "8193"),
            (r#"(kind: Text, words: "a", image: "a.png")"#, "Text has an image"),
            (r#"(kind: Outline)"#, "Outline has no image"),
            (r#"(kind: Scribble, image: "a.png", words: "a")"#, "Scribble has words"),
            (r#"(kind: Sound, image: "a.png")"#, "Sound"),
            (r#"(kind: Text, words: "a", strength: 1.0)"#, "strength"),
        ] {
            let message = wrong(text);
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn its_steps_are_parts_of_those_that_are_run() {
        let text = Inspiration::new(InspirationKind::<String>::Text("velvet".to_owned()));
        let inspiration = Inspiration { from: 0.5, to: Some(0.75), ..text };
        assert_eq!(inspiration.steps(1.0), [0.5, 0.75]);
        // The last 40 % begin at 0.6. Half of them is over at 0.8, and three quarters are at 0.9.
        let [from, to] = inspiration.steps(0.4);
        assert!((from - 0.8).abs() < 1e-6 && (to - 0.9).abs() < 1e-6, "{from} {to}");
    }

    #[test]
    fn an_inspiration_survives_a_round_trip_through_json() {
        let image = BlobId::of_image(&RgbaImage::new(1, 1));
        let images = ImageUse::ALL.map(|usage| InspirationKind::Image(usage, image.clone()));
        for kind in images.into_iter().chain([InspirationKind::Text("velvet".to_owned())]) {
            let inspiration =
                Inspiration { weight: 0.5, from: 0.1, to: Some(0.9), ..Inspiration::new(kind) };
            let text = serde_json::to_string(&inspiration).unwrap();
            assert_eq!(serde_json::from_str::<Inspiration>(&text).unwrap(), inspiration, "{text}");
        }
    }
}
