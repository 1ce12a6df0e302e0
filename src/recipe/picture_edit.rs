//! Edits of a picture, as plain data.

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use super::{
    BlobId, Canvas, Part, PartEdit, RecipeId, Scribble, Size, TakeId, digest::Digester, part,
};
use crate::mask::Area;

/// An edit of parts of a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PictureEdit {
    /// The take of the picture, if the picture is a take.
    pub parent: Option<TakeId>,
    /// The [hash](picture_hash) of the picture.
    pub picture: String,
    /// Text that is appended to each part's own prompt.
    pub style: String,
    /// The parts, from top to bottom. Pixels outside all parts are kept.
    pub parts: Vec<PartRecipe>,
    /// The crop that the model receives, in pixels, if the author chose one. It is extended to whole latents and to the
    /// model's minimum size.
    pub context: Option<Area>,
    /// The larger picture that the parts lie on. `None`: the picture keeps its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canvas: Option<Canvas>,
    /// The size of the shot that the picture is for, if the picture was enlarged, by this edit or an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shot_size: Option<Size>,
    /// Whether the denoiser sees one tile of the size of its training at a time, for crops that are larger.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tiled: bool,
    /// The first recipe of the edit, shared by all of its takes and propagations: see
    /// [`Recipe::origin`](super::Recipe::origin).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<RecipeId>,
    /// The [seed of the choices](super::Recipe::choice_seed) in the prompt of the picture, if the prompt has choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice_seed: Option<u64>,
}

/// A [`Part`] in a recipe. It refers to mask and scribble by their ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartRecipe {
    /// Its name.
    pub name: String,
    /// Its mask.
    pub mask: BlobId,
    /// The edit.
    pub edit: PartEdit,
    /// Its scribble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scribble: Option<BlobId>,
}

/// The blake3 hash of the size and the pixels of a picture, as 64 hexadecimal digits.
#[must_use]
pub fn picture_hash(picture: &RgbaImage) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&picture.width().to_le_bytes());
    hash.update(&picture.height().to_le_bytes());
    hash.update(picture);
    hash.finalize().to_hex().to_string()
}

impl PictureEdit {
    /// The edit for one take. Seeds of parts advance with the take, as the seed of the picture does.
    #[must_use]
    pub fn of_take(&self, take: u32) -> Self {
        let mut edit = self.clone();
        for seed in edit.parts.iter_mut().filter_map(|part| part.edit.seed.as_mut()) {
            *seed = seed.wrapping_add(u64::from(take));
        }
        edit
    }

    /// The masks and images that the edit refers to.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobId> {
        self.parts.iter().flat_map(|part| {
            [&part.mask].into_iter().chain(&part.scribble).chain(part.edit.images())
        })
    }

    /// Describes the edit for a button: `Replace sky, keep face`.
    #[must_use]
    pub fn in_words(&self) -> String {
        part::in_words(self.parts.iter().map(|part| (part.edit.kind, part.name.as_str())))
    }

    /// Whether two edits draw the same picture. Ignores the parent, the origin, the size of the shot and the names of parts.
    pub(super) fn draws_the_same(&self, other: &Self) -> bool {
        fn decides(part: &PartRecipe) -> (&BlobId, &PartEdit, Option<&BlobId>) {
            (&part.mask, &part.edit, part.scribble.as_ref())
        }
        (&self.picture, &self.style, self.context) == (&other.picture, &other.style, other.context)
            && (self.canvas, self.tiled) == (other.canvas, other.tiled)
            && self.choice_seed == other.choice_seed
            && self.parts.iter().map(decides).eq(other.parts.iter().map(decides))
    }

    /// Feeds everything that [`Self::draws_the_same`] compares.
    pub(super) fn feed(&self, digest: &mut Digester) {
        let Self { parent: _, picture, style, parts, context, canvas, .. } = self;
        digest.optional_number("choice_seed", self.choice_seed);
        digest.text("picture", picture);
        digest.text("style", style);
        if let Some(context) = *context {
            digest.area("context", context);
        }
        if let Some(canvas) = canvas {
            digest.nested("canvas", |digest| canvas.feed(digest));
        }
        digest.number("tiled", self.tiled.into());
        for part in parts {
            digest.nested("part", |digest| part.feed(digest));
        }
    }
}

impl PartRecipe {
    fn feed(&self, digest: &mut Digester) {
        let Self { name: _, mask, edit, scribble } = self;
        digest.text("mask", mask.as_str());
        digest.text("scribble", scribble.as_ref().map_or("", BlobId::as_str));
        edit.feed(digest);
    }
}

impl From<&Part> for PartRecipe {
    /// Hashes the mask and the scribble.
    fn from(part: &Part) -> Self {
        let Part { name, mask, edit, scribble, images: _ } = part;
        Self {
            name: name.clone(),
            mask: BlobId::of_mask(mask),
            edit: edit.clone(),
            scribble: scribble.as_ref().map(|Scribble(image)| BlobId::of_image(image)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        mask::Mask,
        recipe::{EditKind, Recipe},
        test_support::edit_of_parts,
    };

    #[test]
    fn edits_draw_the_same_picture_exactly_if_their_identities_are_equal() {
        let part = |name: &str| PartRecipe {
            name: name.to_owned(),
            mask: BlobId::of_mask(&Mask::full(2, 2)),
            edit: PartEdit::new(EditKind::Refine),
            scribble: None,
        };
        let edit = edit_of_parts(vec![part("sky"), part("sea")]);
        let first = |first| PictureEdit { parts: vec![first, part("sea")], ..edit.clone() };
        let scribble = Some(BlobId::of_image(&RgbaImage::new(2, 2)));
        let context = Some(Area { x: 0, y: 0, width: 1, height: 1 });
        let canvas = Some(Canvas::upscaled(Size::new(2, 2), 2.0));
        let parent = Some(TakeId::new("0123456789abcdef").unwrap());
        let empty = BlobId::of_mask(&Mask::empty(2, 2));
        let others = [
            (true, first(part("heaven"))),
            (true, PictureEdit { parent, ..edit.clone() }),
            (true, PictureEdit { shot_size: Some(Size::new(1, 1)), ..edit.clone() }),
            (true, PictureEdit { origin: Some(RecipeId("1".to_owned())), ..edit.clone() }),
            (false, first(PartRecipe { mask: empty, ..part("sky") })),
            (false, first(PartRecipe { edit: PartEdit::new(EditKind::Keep), ..part("sky") })),
            (false, first(PartRecipe { scribble, ..part("sky") })),
            (false, PictureEdit { parts: vec![part("sky")], ..edit.clone() }),
            (false, PictureEdit { picture: "q".to_owned(), ..edit.clone() }),
            (false, PictureEdit { style: "oil".to_owned(), ..edit.clone() }),
            (false, PictureEdit { context, ..edit.clone() }),
            (false, PictureEdit { choice_seed: Some(1), ..edit.clone() }),
            (false, PictureEdit { canvas, ..edit.clone() }),
            (false, PictureEdit { tiled: true, ..edit.clone() }),
        ];
        let recipe = |edit: &PictureEdit| Recipe {
            edit: Some(edit.clone()),
            ..Recipe::new("a bay", Size::new(2, 2), "sketch")
        };
        let it = recipe(&edit);
        for (alike, other) in others.iter().map(|(alike, other)| (*alike, recipe(other))) {
            assert_eq!(it.same_but_take(&other.with_take(3)), alike, "{other:?}");
            assert_eq!(it.id() == other.id(), alike, "{other:?}");
        }
    }

    #[test]
    fn an_edit_refers_to_the_blobs_of_its_parts() {
        let image = Arc::new(RgbaImage::new(2, 2));
        let part = Part {
            scribble: Some(Scribble(image)),
            ..Part::new("sky", Mask::full(2, 2), PartEdit::new(EditKind::Refine))
        };
        let edit = edit_of_parts(vec![PartRecipe::from(&part)]);
        let ids: Vec<BlobId> = part.blobs().map(|blob| blob.id()).collect();
        assert_eq!(edit.blobs().collect::<Vec<_>>(), ids.iter().collect::<Vec<_>>());
    }
}
