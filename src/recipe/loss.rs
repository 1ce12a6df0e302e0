//! Losses: numbers that steer how a picture or a part of it is drawn.

mod colour;
mod kind;

use serde::{Deserialize, Serialize};

use super::{BlobId, MAX_TEXT_LENGTH, digest::Digester};
use crate::finite::finite;

pub use colour::{Colour, ColourError};
pub use kind::LossKind;

/// A loss of a picture or of a part: drawing is steered to make its value small.
///
/// `I` refers to an image: a [`BlobId`] in recipes, a path in edit files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss<I = BlobId> {
    /// The kind, with its target.
    pub kind: LossKind<I>,
    /// The strength, above 0 and at most [`MAX_WEIGHT`]. It has the same effect at any size of picture and part.
    #[serde(default = "one", skip_serializing_if = "is_one", deserialize_with = "finite")]
    pub weight: f32,
    /// The value at which the loss stops steering. By default it never stops.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "finite")]
    pub stop: Option<f32>,
    /// Whether the value is made large instead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unlike: bool,
    /// The first steps that are steered, as a part of the steps that are run, in 0..=1. An edit of strength 0.4 runs the
    /// last 40 % of all steps.
    #[serde(default, skip_serializing_if = "is_zero", deserialize_with = "finite")]
    pub from: f32,
    /// The end of the steps that are steered, as a part of the steps that are run, in 0..=1. By default
    /// [`LossKind::default_end`].
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "finite")]
    pub to: Option<f32>,
    /// Whether the gradient goes through the denoiser, which costs several times the time of a step. Otherwise it is taken
    /// with respect to the predicted picture.
    #[serde(default, skip_serializing_if = "is_false")]
    pub strict: bool,
}

/// An invalid loss.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LossError {
    /// The weight is out of range.
    #[error(
        "the loss {kind} has the weight {weight}: give a number above 0 and at most {MAX_WEIGHT}"
    )]
    Weight {
        /// The kind.
        kind: String,
        /// The weight.
        weight: f32,
    },
    /// The stop value is not a number.
    #[error("the loss {kind} has the stop value {stop}: give a number of at least 0")]
    Stop {
        /// The kind.
        kind: String,
        /// The stop value.
        stop: f32,
    },
    /// The range of steps is empty or out of range.
    #[error(
        "the loss {kind} steers from {from} to {to}: give two numbers in 0..=1, the first one smaller"
    )]
    Range {
        /// The kind.
        kind: String,
        /// The beginning.
        from: f32,
        /// The end.
        to: f32,
    },
    /// A palette has no colours, or too many.
    #[error("a palette of {0} colours cannot be used: give 1 to {MAX_COLOURS}")]
    Palette(usize),
    /// The saturation is out of range.
    #[error("saturation {0} is out of range: give a number from 0 (grey) to 1")]
    Saturation(f32),
    /// The lightness is out of range.
    #[error("lightness {0} is out of range: give a number from 0 (black) to 1 (white)")]
    Lightness(f32),
    /// A text is missing.
    #[error("the loss {0} has an empty text: say what the part should show")]
    EmptyText(&'static str),
    /// The texts are too long.
    #[error(
        "the texts of the loss {kind} have {bytes} bytes: shorten them to at most {MAX_TEXT_LENGTH}"
    )]
    LongText {
        /// The kind.
        kind: String,
        /// The length in bytes.
        bytes: usize,
    },
    /// A picture or a part has more than [`MAX_LOSSES`].
    #[error("{0} losses are too many: give at most {MAX_LOSSES} for a picture or a part")]
    TooMany(usize),
}

/// The largest [`Loss::weight`].
pub const MAX_WEIGHT: f32 = 10.0;

/// What [`Loss::strict`] adds to [`Loss::usual_cost`].
const USUAL_COST_OF_STRICT: f32 = 5.5;

/// The most colours of a palette.
pub const MAX_COLOURS: usize = 16;

/// The most losses of a picture or a part.
pub const MAX_LOSSES: usize = 16;

impl<I> Loss<I> {
    /// A loss of weight 1 in its usual steps.
    #[must_use]
    pub fn new(kind: LossKind<I>) -> Self {
        Self { kind, weight: 1.0, stop: None, unlike: false, from: 0.0, to: None, strict: false }
    }

    /// The same loss with other references to images.
    ///
    /// # Errors
    /// The error of `replace`.
    pub fn try_map<J, E>(&self, replace: impl FnOnce(&I) -> Result<J, E>) -> Result<Loss<J>, E> {
        let Self { ref kind, weight, stop, unlike, from, to, strict } = *self;
        let kind = kind.try_map(replace)?;
        Ok(Loss { kind, weight, stop, unlike, from, to, strict })
    }

    /// Checks that all numbers and texts are in range.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check(&self) -> Result<(), LossError> {
        let kind = || self.kind.name().to_owned();
        let Self { weight, stop, from, .. } = *self;
        if !(weight > 0.0 && weight <= MAX_WEIGHT) {
            return Err(LossError::Weight { kind: kind(), weight });
        }
        if let Some(stop) = stop.filter(|stop| !(stop.is_finite() && *stop >= 0.0)) {
            return Err(LossError::Stop { kind: kind(), stop });
        }
        let to = self.end();
        if !(from >= 0.0 && from < to && to <= 1.0) {
            return Err(LossError::Range { kind: kind(), from, to });
        }
        self.kind.check()
    }

    /// The end of the steps that are steered, as a part of all steps.
    #[must_use]
    pub fn end(&self) -> f32 {
        self.to.unwrap_or_else(|| self.kind.default_end())
    }

    /// The time that the loss adds to a step, as a share of a step without losses: about that of `benches/losses.rs` with the
    /// built-in model on a CPU. `None` for kinds of other crates.
    #[must_use]
    pub fn usual_cost(&self) -> Option<f32> {
        let of_kind = self.kind.usual_cost()?;
        Some(if self.strict { of_kind + USUAL_COST_OF_STRICT } else { of_kind })
    }

    /// Checks the losses of a picture or a part.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check_all(losses: &[Self]) -> Result<(), LossError> {
        if losses.len() > MAX_LOSSES {
            return Err(LossError::TooMany(losses.len()));
        }
        losses.iter().try_for_each(Self::check)
    }
}

impl Loss {
    /// Feeds everything that decides the picture.
    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { kind, weight, stop, unlike, from, to: _, strict } = self;
        kind.feed(digest);
        digest.optional_float("weight", Some(*weight).filter(|&weight| weight != 1.0));
        digest.optional_float("stop", *stop);
        digest.number("unlike", u64::from(*unlike));
        digest.optional_float("from", Some(*from).filter(|&from| from != 0.0));
        // A later version may have another default.
        digest.optional_float("to", Some(self.end()).filter(|&to| to != 1.0));
        if *strict {
            digest.number("strict", 1);
        }
    }
}

pub(super) fn one() -> f32 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_one(value: &f32) -> bool {
    *value == 1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Loss<String>, String> {
        let options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        options.from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn losses_are_read_as_authors_write_them() {
        let loss = parse(r##"(kind: Palette(["#203060", "#E0b040"]), weight: 2.0)"##).unwrap();
        let colours = vec![Colour([0x20, 0x30, 0x60]), Colour([0xe0, 0xb0, 0x40])];
        assert_eq!(loss, Loss { weight: 2.0, ..Loss::new(LossKind::Palette(colours)) });
        let loss = parse(r#"(kind: Outline("lines.png"), to: 0.5)"#).unwrap();
        assert_eq!(loss.kind.image().unwrap(), "lines.png");
        assert_eq!((loss.from, loss.to), (0.0, Some(0.5)));
        assert_eq!(parse("(kind: TotalVariation)").unwrap(), Loss::new(LossKind::TotalVariation));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let wrong = |text: &str| match parse(text) {
            Ok(loss) => loss.check().unwrap_err().to_string(),
            Err(error) => error,
        };
        for (text, word) in [
            ("(kind: TotalVariation, weight: -1.0)", "-1"),
            ("(kind: TotalVariation, weight: 0.0)", "TotalVariation"),
            ("(kind: TotalVariation, weight: 11.0)", "11"),
            ("(kind: TotalVariation, weight: 1e99)", "3.4e38"),
            ("(kind: TotalVariation, weight: NaN)", "NaN"),
            ("(kind: TotalVariation, stop: -0.1)", "-0.1"),
            ("(kind: TotalVariation, from: 0.6, to: 0.5)", "0.6"),
            ("(kind: TotalVariation, to: 1.5)", "1.5"),
            ("(kind: Saturation(1.5))", "1.5"),
            ("(kind: Lightness(-0.5))", "-0.5"),
            ("(kind: Palette([]))", "0 colours"),
            (r##"(kind: Palette(["#12345"]))"##, "#12345"),
            (r#"(kind: Palette(["red"]))"#, "red"),
            (r#"(kind: Text(" "))"#, "empty text"),
            (r#"(kind: Direction(from: "a", to: ""))"#, "empty text"),
            (r#"(kind: Text("a"), from: 0.7)"#, "0.7 to 0.6"),
            ("(kind: Beauty)", "Beauty"),
            ("(kind: TotalVariation, strength: 1.0)", "strength"),
        ] {
            let message = wrong(text);
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn a_loss_survives_a_round_trip_through_json() {
        let image = BlobId::of_image(&image::RgbaImage::new(1, 1));
        let custom = LossKind::Custom { name: "Symmetry".to_owned(), value: "x".to_owned() };
        for kind in [
            LossKind::Palette(vec![Colour([1, 2, 3])]),
            LossKind::Text("a green coat".to_owned()),
            LossKind::Direction { from: "a day".to_owned(), to: "a night".to_owned() },
            LossKind::TotalVariation,
            LossKind::Saturation(0.25),
            LossKind::Lightness(0.75),
            LossKind::Outline(image.clone()),
            LossKind::Colours(image.clone()),
            LossKind::Latents(image.clone()),
            LossKind::Style(image.clone()),
            LossKind::Content(image),
            custom,
        ] {
            let loss = Loss {
                weight: 0.5,
                stop: Some(0.0),
                unlike: true,
                from: 0.1,
                to: Some(0.9),
                ..Loss::new(kind)
            };
            let text = serde_json::to_string(&loss).unwrap();
            assert_eq!(serde_json::from_str::<Loss>(&text).unwrap(), loss, "{text}");
        }
    }
}
