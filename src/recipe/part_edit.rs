//! The edit of a part of a picture.

use serde::{Deserialize, Serialize};

use super::{
    BlobId, Inspiration, InspirationError, Loss, LossError, MAX_TEXT_LENGTH, digest::Digester,
    images_of,
};
use crate::finite::finite;

/// The kind of the edit of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EditKind {
    /// Keep every pixel unchanged, even where parts below would change it.
    #[default]
    Keep,
    /// Redraw the part, starting from its pixels.
    Refine,
    /// Replace the contents of the part.
    Replace,
    /// Add new contents, starting from a scribble if there is one.
    Add,
    /// Remove the contents of the part. The gap is filled from its surroundings and drawn as "an empty scene".
    Remove,
    /// Increase the contrast of the part.
    Embolden,
}

/// The edit of one part. Fields that are `None` have a default that depends on [`kind`](Self::kind) and on the size of
/// the part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartEdit {
    /// The kind of the edit.
    pub kind: EditKind,
    /// The prompt of the part. For [`EditKind::Remove`] it names the object to remove. If it is empty, the prompt of
    /// the whole picture is used.
    pub words: String,
    /// The negative prompt of the part.
    #[serde(alias = "unwanted")]
    pub negative_prompt: String,
    /// The denoising strength, above 0 and at most 1: the fraction of the steps that are run. 0.2 to 0.4 polishes, 0.5
    /// to 0.7 changes, and from 0.8 on little of the old picture is left.
    #[serde(deserialize_with = "finite")]
    pub strength: Option<f32>,
    /// The strength of [`EditKind::Embolden`], above 0 and at most 2.
    #[serde(deserialize_with = "finite")]
    pub amount: Option<f32>,
    /// The seed of the part's own noise. By default the part uses the noise of the picture.
    pub seed: Option<u64>,
    /// The number of pixels by which the mask is grown.
    pub grow: Option<u32>,
    /// The width in pixels of the transition around the mask.
    pub feather: Option<u32>,
    /// The inspirations of the part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inspirations: Vec<Inspiration>,
    /// What the part is steered by while it is drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<Loss>,
}

/// An invalid edit of a part.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartEditError {
    /// The strength is out of range.
    #[error("strength {0} is out of range: give a number above 0 and at most 1, such as 0.6")]
    Strength(f32),
    /// The amount is out of range.
    #[error(
        "amount {0} is out of range: give a number above 0 and at most {MAX_AMOUNT}, such as {USUAL_AMOUNT}"
    )]
    Amount(f32),
    /// Only [`EditKind::Embolden`] has an amount.
    #[error("{0:?} has no amount: leave it out, or choose Embolden")]
    NoAmount(EditKind),
    /// The edit needs a prompt.
    #[error("{0:?} needs a prompt: describe what the part shows")]
    NoWords(EditKind),
    /// A loss has an invalid value.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// An inspiration has an invalid value.
    #[error(transparent)]
    Inspiration(#[from] InspirationError),
    /// [`EditKind::Keep`] draws nothing that could follow an inspiration.
    #[error(
        "Keep draws nothing, so it has no inspirations: leave them out, or choose another kind of edit"
    )]
    KeptInspiration,
    /// [`EditKind::Keep`] draws nothing that a loss could steer.
    #[error(
        "Keep draws nothing, so it has no losses: leave them out, or choose another kind of edit"
    )]
    KeptLoss,
    /// A text is too long for a prompt.
    #[error("`{field}` has {bytes} bytes: shorten it to at most {MAX_TEXT_LENGTH}")]
    LongText {
        /// `words` or `negative_prompt`.
        field: &'static str,
        /// The length in bytes.
        bytes: usize,
    },
    /// `grow` or `feather` is out of range.
    #[error("{what} {pixels} is out of range: give at most {MAX_REACH} pixels")]
    Reach {
        /// `grow` or `feather`.
        what: &'static str,
        /// The pixels.
        pixels: u32,
    },
}

/// The default of [`PartEdit::amount`].
pub const USUAL_AMOUNT: f32 = 0.5;

/// The largest [`PartEdit::amount`].
pub const MAX_AMOUNT: f32 = 2.0;

/// The largest [`PartEdit::grow`] and [`PartEdit::feather`], in pixels.
pub const MAX_REACH: u32 = 1024;

impl EditKind {
    /// All kinds, in the order of menus.
    pub const ALL: [Self; 6] =
        [Self::Keep, Self::Refine, Self::Replace, Self::Add, Self::Remove, Self::Embolden];

    /// The name, as a verb.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Refine => "refine",
            Self::Replace => "replace",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Embolden => "embolden",
        }
    }

    /// The default of [`PartEdit::strength`].
    #[must_use]
    pub const fn usual_strength(self) -> f32 {
        match self {
            Self::Keep => 0.0,
            Self::Refine => 0.4,
            Self::Replace => 1.0,
            Self::Add | Self::Remove => 0.9,
            Self::Embolden => 0.3,
        }
    }
}

impl PartEdit {
    /// An edit of this kind, with all other fields at their defaults.
    #[must_use]
    pub fn new(kind: EditKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The strength, or the default of the kind if it is unset.
    #[must_use]
    pub fn strength(&self) -> f32 {
        match self.kind {
            EditKind::Keep => 0.0,
            kind => self.strength.unwrap_or(kind.usual_strength()),
        }
    }

    /// The amount, or the default if it is unset. 0 for every kind but [`EditKind::Embolden`].
    #[must_use]
    pub fn amount(&self) -> f32 {
        match self.kind {
            EditKind::Embolden => self.amount.unwrap_or(USUAL_AMOUNT),
            _ => 0.0,
        }
    }

    /// This edit without the values that its kind does not use: a kept part covers exactly its mask, and only
    /// [`EditKind::Embolden`] has an amount.
    #[must_use]
    pub fn without_unused(self) -> Self {
        match self.kind {
            EditKind::Keep => Self::new(EditKind::Keep),
            EditKind::Embolden => self,
            _ => Self { amount: None, ..self },
        }
    }

    /// Checks that the numbers and the lengths of the texts are in range, and that the edit has a prompt if it needs one.
    ///
    /// # Errors
    /// The first invalid value.
    pub fn check(&self) -> Result<(), PartEditError> {
        if let Some(strength) = self.strength
            && !(strength > 0.0 && strength <= 1.0)
        {
            return Err(PartEditError::Strength(strength));
        }
        if let Some(amount) = self.amount {
            if self.kind != EditKind::Embolden {
                return Err(PartEditError::NoAmount(self.kind));
            }
            if !(amount > 0.0 && amount <= MAX_AMOUNT) {
                return Err(PartEditError::Amount(amount));
            }
        }
        for (what, pixels) in [("grow", self.grow), ("feather", self.feather)] {
            if let Some(pixels) = pixels.filter(|&pixels| pixels > MAX_REACH) {
                return Err(PartEditError::Reach { what, pixels });
            }
        }
        for (field, text) in [("words", &self.words), ("negative_prompt", &self.negative_prompt)] {
            if text.len() > MAX_TEXT_LENGTH {
                return Err(PartEditError::LongText { field, bytes: text.len() });
            }
        }
        if self.kind == EditKind::Keep && !self.losses.is_empty() {
            return Err(PartEditError::KeptLoss);
        }
        if self.kind == EditKind::Keep && !self.inspirations.is_empty() {
            return Err(PartEditError::KeptInspiration);
        }
        Inspiration::check_all(&self.inspirations)?;
        Loss::check_all(&self.losses)?;
        let needs_words = matches!(self.kind, EditKind::Replace | EditKind::Add);
        if needs_words && self.words.trim().is_empty() {
            return Err(PartEditError::NoWords(self.kind));
        }
        Ok(())
    }

    /// The images that its inspirations and losses refer to.
    pub fn images(&self) -> impl Iterator<Item = &BlobId> {
        images_of(&self.inspirations, &self.losses)
    }

    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { kind, words, negative_prompt, strength, amount, seed, grow, feather, .. } = self;
        digest.text("kind", kind.name());
        digest.text("words", words);
        digest.text("negative_prompt", negative_prompt);
        digest.optional_float("strength", *strength);
        digest.optional_float("amount", *amount);
        digest.optional_number("seed", *seed);
        digest.optional_number("grow", *grow);
        digest.optional_number("feather", *feather);
        for inspiration in &self.inspirations {
            digest.nested("inspiration", |digest| inspiration.feed(digest));
        }
        for loss in &self.losses {
            digest.nested("loss", |digest| loss.feed(digest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_value_that_is_out_of_range() {
        let of = |kind| PartEdit { words: "a cat".to_owned(), ..PartEdit::new(kind) };
        let wrong = |edit: PartEdit| edit.check().unwrap_err().to_string();
        for strength in [0.0, -0.1, 1.01, f32::NAN, f32::INFINITY] {
            let message = wrong(PartEdit { strength: Some(strength), ..of(EditKind::Refine) });
            assert!(message.contains(&format!("strength {strength} ")), "{message}");
        }
        let message = wrong(PartEdit { amount: Some(2.5), ..of(EditKind::Embolden) });
        assert!(message.contains("2.5"), "{message}");
        let message = wrong(PartEdit { amount: Some(1.0), ..of(EditKind::Refine) });
        assert!(message.contains("Refine"), "{message}");
        let message = wrong(PartEdit { grow: Some(2000), ..of(EditKind::Refine) });
        assert!(message.contains("grow 2000"), "{message}");
        let words = "a".repeat(MAX_TEXT_LENGTH + 1);
        let message = wrong(PartEdit { words, ..of(EditKind::Refine) });
        assert!(message.contains("`words` has 8193 bytes"), "{message}");
        let message = wrong(PartEdit { words: " ".to_owned(), ..of(EditKind::Replace) });
        assert!(message.contains("Replace") && message.contains("prompt"), "{message}");
    }

    #[test]
    fn every_kind_is_valid_without_settings() {
        for kind in EditKind::ALL {
            let edit = PartEdit { words: "a cat".to_owned(), ..PartEdit::new(kind) };
            assert_eq!(edit.check(), Ok(()));
            assert_eq!(edit.strength() == 0.0, kind == EditKind::Keep);
        }
    }
}
