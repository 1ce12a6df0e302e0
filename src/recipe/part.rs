//! Parts of a picture, and what is to be done to them.

use std::{fmt, io, sync::Arc};

use image::{
    ImageFormat, RgbaImage,
    imageops::{self, FilterType},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{BlobId, RecipeId, TakeId, digest::Digester};
use crate::mask::{Area, Mask, text};

/// What becomes of a picture that is there already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureEdit {
    /// The take that it is, if it is one.
    pub parent: Option<TakeId>,
    /// The picture: its [`picture_hash`].
    pub picture: String,
    /// Words that every part's own words end with.
    pub style: String,
    /// The parts, the uppermost first. What is in none of them is kept.
    pub parts: Vec<Part>,
    /// What of the picture the networks see, in pixels, instead of what is chosen for them; widened to whole
    /// latents, and to as many as the model wants to see.
    pub context: Option<Area>,
    /// What all takes of it have in common, and all edits that do the same to other pictures; see
    /// [`Recipe::origin`](super::Recipe::origin).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<RecipeId>,
}

/// A part of a picture, and what is to be done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub mask: Mask,
    /// What is to be done.
    pub edit: PartEdit,
    /// A rough shape in colours, for [`EditKind::Add`] and [`EditKind::Replace`].
    pub scribble: Option<Scribble>,
}

/// A rough shape in colours, as large as the picture and see-through where there is nothing. Clones share
/// their pixels. In text it stands as a PNG in base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Scribble(pub Arc<RgbaImage>);

/// What is done to a part of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EditKind {
    /// Nothing: not one bit of it changes, whatever lies below it.
    #[default]
    Keep,
    /// Drawn anew from what is there: the same thing, better or a little different.
    Refine,
    /// Something else in its place.
    Replace,
    /// Something that is not there yet, from a rough shape in colours if there is one.
    Add,
    /// What is there goes, and its surroundings close over it: they are drawn as "an empty scene".
    Remove,
    /// More of what is there.
    Embolden,
}

/// What is to be done to one part, and how.
///
/// What is `None` is as it suits the [`kind`](Self::kind) and the size of the part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartEdit {
    /// What is done.
    pub kind: EditKind,
    /// What the part is to show; for [`EditKind::Remove`], what is to go. Without any, the words of the
    /// whole picture count.
    pub words: String,
    /// What the part must not show.
    #[serde(alias = "unwanted")]
    pub negative_prompt: String,
    /// How much of the way from noise is gone anew, above 0 and at most 1: 0.2 to 0.4 polish, 0.5 to 0.7
    /// change, from 0.8 on little is left.
    pub strength: Option<f32>,
    /// How much bolder [`EditKind::Embolden`] makes it, above 0 and at most 2.
    pub amount: Option<f32>,
    /// Seed of the part's own noise; the picture's if there is none.
    pub seed: Option<u64>,
    /// By how many pixels the mask reaches further.
    pub grow: Option<u32>,
    /// Over how many pixels around the mask the new fades into the old.
    pub feather: Option<u32>,
}

/// Why an edit makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartEditError {
    /// Outside its range.
    #[error("strength {0} cannot be used: give a number above 0 and at most 1, such as 0.6")]
    Strength(f32),
    /// Outside its range.
    #[error(
        "amount {0} cannot be used: give a number above 0 and at most {MAX_AMOUNT}, such as {USUAL_AMOUNT}"
    )]
    Amount(f32),
    /// Only emboldening knows an amount.
    #[error("{0:?} knows no amount: leave it out, or choose Embolden")]
    NoAmount(EditKind),
    /// A replaced part shows something else: what?
    #[error("{0:?} needs words: say what the part is to show")]
    NoWords(EditKind),
    /// So far that a mask would be all of any picture.
    #[error("{what} {pixels} cannot be used: give at most {MAX_REACH} pixels")]
    Reach {
        /// `grow` or `feather`.
        what: &'static str,
        /// The pixels.
        pixels: u32,
    },
}

/// How much bolder a part becomes where nothing is said.
pub const USUAL_AMOUNT: f32 = 0.5;

/// The most that a part can be emboldened by.
pub const MAX_AMOUNT: f32 = 2.0;

/// The most pixels that a mask can be grown or feathered by.
pub const MAX_REACH: u32 = 1024;

/// The blake3 over size and pixels of a picture, as 64 hexadecimal digits.
#[must_use]
pub fn picture_hash(picture: &RgbaImage) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&picture.width().to_le_bytes());
    hash.update(&picture.height().to_le_bytes());
    hash.update(picture);
    hash.finalize().to_hex().to_string()
}

impl Part {
    /// The same part of a picture of another size. What is in pixels stays so many pixels.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let scribble = self.scribble.as_ref().map(|Scribble(image)| {
            let same = image.dimensions() == (width, height);
            let resized =
                || Arc::new(imageops::resize(&**image, width, height, FilterType::Triangle));
            Scribble(if same { Arc::clone(image) } else { resized() })
        });
        Self { mask: self.mask.resized(width, height), scribble, ..self.clone() }
    }
}

impl PictureEdit {
    /// What is done for one take: parts with seeds of their own begin each take from another one, as the picture
    /// does.
    #[must_use]
    pub fn of_take(&self, take: u32) -> Self {
        let mut edit = self.clone();
        for seed in edit.parts.iter_mut().filter_map(|part| part.edit.seed.as_mut()) {
            *seed = seed.wrapping_add(u64::from(take));
        }
        edit
    }

    /// Whether it was asked for with these parts, for whichever take.
    #[must_use]
    pub fn draws(&self, parts: &[Part]) -> bool {
        let unseeded = |part: &Part| {
            let edit = PartEdit { seed: None, ..part.edit.clone() };
            Part { edit, ..part.clone() }
        };
        self.parts.iter().map(unseeded).eq(parts.iter().map(unseeded))
    }

    /// Whether two edits draw the same picture. The parent does not count, as the picture itself does;
    /// neither do the names of parts, or the origin.
    pub(super) fn draws_the_same(&self, other: &Self) -> bool {
        fn decides(part: &Part) -> (&Mask, &PartEdit, Option<&Scribble>) {
            (&part.mask, &part.edit, part.scribble.as_ref())
        }
        (&self.picture, &self.style, self.context) == (&other.picture, &other.style, other.context)
            && self.parts.iter().map(decides).eq(other.parts.iter().map(decides))
    }

    /// Feeds what [decides](Self::draws_the_same) the picture.
    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { parent: _, picture, style, parts, context, origin: _ } = self;
        digest.text("picture", picture);
        digest.text("style", style);
        if let Some(Area { x, y, width, height }) = *context {
            digest.nested("context", |digest| {
                digest.number("x", x.into());
                digest.number("y", y.into());
                digest.number("width", width.into());
                digest.number("height", height.into());
            });
        }
        for part in parts {
            digest.nested("part", |digest| part.feed(digest));
        }
    }
}

impl Part {
    fn feed(&self, digest: &mut Digester) {
        let Self { name: _, mask, edit, scribble } = self;
        digest.text("mask", BlobId::of_mask(mask).as_str());
        if let Some(Scribble(image)) = scribble {
            digest.text("scribble", BlobId::of_image(image).as_str());
        }
        edit.feed(digest);
    }
}

impl PartEdit {
    fn feed(&self, digest: &mut Digester) {
        let Self { kind, words, negative_prompt, strength, amount, seed, grow, feather } = self;
        digest.text("kind", kind.name());
        digest.text("words", words);
        digest.text("negative_prompt", negative_prompt);
        digest.optional_float("strength", *strength);
        digest.optional_float("amount", *amount);
        digest.optional_number("seed", *seed);
        digest.optional_number("grow", *grow);
        digest.optional_number("feather", *feather);
    }
}

impl fmt::Debug for Scribble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scribble({}x{})", self.0.width(), self.0.height())
    }
}

impl Serialize for Scribble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut png = io::Cursor::new(Vec::new());
        self.0.write_to(&mut png, ImageFormat::Png).map_err(ser::Error::custom)?;
        text::encoded(png.get_ref(), serializer)
    }
}

impl<'de> Deserialize<'de> for Scribble {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let png = text::decoded(deserializer)?;
        let image = image::load_from_memory_with_format(&png, ImageFormat::Png);
        Ok(Self(Arc::new(image.map_err(de::Error::custom)?.into_rgba8())))
    }
}

impl EditKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Keep, Self::Refine, Self::Replace, Self::Add, Self::Remove, Self::Embolden];

    /// What it does, as a verb.
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

    /// The strength of an edit that names none.
    #[must_use]
    pub const fn usual_strength(self) -> f32 {
        match self {
            Self::Keep => 0.0,
            Self::Refine => 0.4,
            Self::Replace => 1.0,
            Self::Add => 0.8,
            Self::Remove => 0.9,
            Self::Embolden => 0.5,
        }
    }
}

impl PartEdit {
    /// An edit of this kind, everything else as usual.
    #[must_use]
    pub fn new(kind: EditKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// How much of the way from noise is gone anew.
    #[must_use]
    pub fn strength(&self) -> f32 {
        match self.kind {
            EditKind::Keep => 0.0,
            kind => self.strength.unwrap_or(kind.usual_strength()),
        }
    }

    /// How much bolder it makes the part; 0 for everything but [`EditKind::Embolden`].
    #[must_use]
    pub fn amount(&self) -> f32 {
        match self.kind {
            EditKind::Embolden => self.amount.unwrap_or(USUAL_AMOUNT),
            _ => 0.0,
        }
    }

    /// Checks the numbers and that there are words where there must be.
    ///
    /// # Errors
    /// The first thing that makes no sense, with its value.
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
        let needs_words = matches!(self.kind, EditKind::Replace | EditKind::Add);
        if needs_words && self.words.trim().is_empty() {
            return Err(PartEditError::NoWords(self.kind));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Recipe, Sampler, Size};

    #[test]
    fn what_makes_no_sense_is_told_with_its_value() {
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
        let message = wrong(PartEdit { words: " ".to_owned(), ..of(EditKind::Replace) });
        assert!(message.contains("Replace") && message.contains("words"), "{message}");
    }

    #[test]
    fn edits_are_takes_of_one_exactly_when_their_identities_agree() {
        let part = |name: &str| Part {
            name: name.to_owned(),
            mask: Mask::full(2, 2),
            edit: PartEdit::new(EditKind::Refine),
            scribble: None,
        };
        let edit = PictureEdit {
            parent: None,
            picture: "p".to_owned(),
            style: "ink".to_owned(),
            parts: vec![part("sky"), part("sea")],
            context: None,
            origin: None,
        };
        let first = |first: Part| PictureEdit { parts: vec![first, part("sea")], ..edit.clone() };
        let scribble = Some(Scribble(Arc::new(RgbaImage::new(2, 2))));
        let context = Some(Area { x: 0, y: 0, width: 1, height: 1 });
        let parent = Some(TakeId::new("0123456789abcdef").unwrap());
        let others = [
            (true, first(part("heaven"))),
            (true, PictureEdit { parent, ..edit.clone() }),
            (true, PictureEdit { origin: Some(RecipeId("1".to_owned())), ..edit.clone() }),
            (false, first(Part { mask: Mask::empty(2, 2), ..part("sky") })),
            (false, first(Part { edit: PartEdit::new(EditKind::Keep), ..part("sky") })),
            (false, first(Part { scribble, ..part("sky") })),
            (false, PictureEdit { parts: vec![part("sky")], ..edit.clone() }),
            (false, PictureEdit { picture: "q".to_owned(), ..edit.clone() }),
            (false, PictureEdit { style: "oil".to_owned(), ..edit.clone() }),
            (false, PictureEdit { context, ..edit.clone() }),
        ];
        let recipe = |edit: &PictureEdit| Recipe {
            prompt: "a bay".to_owned(),
            negative_prompt: String::new(),
            size: Size::new(2, 2),
            seed: 1,
            take: 0,
            sampler: Sampler::default(),
            model: "sketch".to_owned(),
            edit: Some(edit.clone()),
        };
        let it = recipe(&edit);
        for (alike, other) in others.iter().map(|(alike, other)| (*alike, recipe(other))) {
            assert_eq!(it.same_but_take(&other.with_take(3)), alike, "{other:?}");
            assert_eq!(it.id() == other.id(), alike, "{other:?}");
        }
    }

    #[test]
    fn every_kind_can_be_used_as_it_is() {
        for kind in EditKind::ALL {
            let edit = PartEdit { words: "a cat".to_owned(), ..PartEdit::new(kind) };
            assert_eq!(edit.check(), Ok(()));
            assert_eq!(edit.strength() == 0.0, kind == EditKind::Keep);
        }
    }
}
