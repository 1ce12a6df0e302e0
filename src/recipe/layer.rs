//! The parts of a picture that the author works on, as a list of layers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BlobId, EditKind, Images, Part, PartEdit, PictureEdit, Scribble, part};
use crate::mask::{Area, Mask};

/// The author's opinion of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// No opinion.
    #[default]
    None,
    /// The part should stay unchanged.
    Liked,
    /// The part should be drawn again.
    Disliked,
}

/// A part that the author works on. The topmost layer is the first of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its pixels.
    pub mask: Mask,
    /// The author's opinion.
    #[serde(default)]
    pub verdict: Verdict,
    /// The edit that the author chose, if any.
    #[serde(default)]
    pub edit: Option<PartEdit>,
    /// A rough drawing in colour.
    #[serde(default)]
    pub scribble: Option<Scribble>,
    /// The images that the inspirations and losses of the edit refer to.
    #[serde(default, with = "images", skip_serializing_if = "Images::is_empty")]
    pub images: Images,
    /// The index of its display colour.
    #[serde(default)]
    pub colour: u8,
    /// Whether it is ignored.
    #[serde(default)]
    pub hidden: bool,
    /// Whether tools must not change it.
    #[serde(default)]
    pub locked: bool,
}

/// The author's marks on a take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The layers, topmost first.
    pub layers: Vec<Layer>,
    /// The area that the model sees, if the author chose one.
    #[serde(default)]
    pub context: Option<Area>,
}

impl Marks {
    /// The marks of the edited picture. Redrawn layers lose their scribble, because it is in the picture now, and their
    /// verdict, because it was about the old picture.
    #[must_use]
    pub fn after(&self, edit: &PictureEdit) -> Self {
        let mut marks = self.clone();
        for layer in &mut marks.layers {
            let mask = BlobId::of_mask(&layer.mask);
            if edit.parts.iter().any(|part| part.edit.kind != EditKind::Keep && part.mask == mask) {
                (layer.scribble, layer.verdict) = (None, Verdict::None);
            }
        }
        marks
    }
}

impl Layer {
    /// A layer without edit, scribble and verdict.
    #[must_use]
    pub fn new(name: impl Into<String>, mask: Mask) -> Self {
        Self {
            name: name.into(),
            mask,
            verdict: Verdict::None,
            edit: None,
            scribble: None,
            images: Images::new(),
            colour: 0,
            hidden: false,
            locked: false,
        }
    }

    fn with(&self, edit: PartEdit) -> Part {
        let Self { name, mask, scribble, images, .. } = self.clone();
        let used = edit.images().filter_map(|id| images.get_key_value(id));
        let images = used.map(|(id, image)| (id.clone(), Arc::clone(image))).collect();
        Part { name, mask, edit, scribble, images }
    }
}

/// Images as a list of PNG files. Their ids follow from their pixels.
mod images {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::recipe::{BlobId, Images, Scribble};

    pub(super) fn serialize<S: Serializer>(
        images: &Images,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(images.values().map(|image| Scribble(Arc::clone(image))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Images, D::Error> {
        let images = Vec::<Scribble>::deserialize(deserializer)?;
        Ok(images.into_iter().map(|Scribble(image)| (BlobId::of_image(&image), image)).collect())
    }
}

/// The parts with the edits that the author chose, without the values that the kind of an edit does not use.
#[must_use]
pub fn parts(layers: &[Layer]) -> Vec<Part> {
    let shown = layers.iter().filter(|layer| !layer.hidden);
    shown
        .filter_map(|layer| layer.edit.clone().map(|edit| layer.with(edit.without_unused())))
        .collect()
}

/// Keeps liked layers unchanged, and redraws the rest with the prompt of the picture.
#[must_use]
pub fn keep_liked(layers: &[Layer], (width, height): (u32, u32)) -> Vec<Part> {
    let rest = Layer::new("the rest", Mask::full(width, height));
    let mut parts = liked(layers);
    parts.push(rest.with(redraw(None)));
    parts
}

/// Draws disliked layers again, with their own words or, if they have none, the prompt of the picture. Where layers
/// overlap, liked ones stay unchanged.
#[must_use]
pub fn redo_disliked(layers: &[Layer]) -> Vec<Part> {
    let disliked = layers.iter().filter(|layer| is_shown_as(layer, Verdict::Disliked));
    let mut parts = liked(layers);
    parts.extend(disliked.map(|layer| layer.with(redraw(layer.edit.as_ref()))));
    parts
}

/// Describes parts for a button: `Replace sky, keep face`.
#[must_use]
pub fn in_words(parts: &[Part]) -> String {
    part::in_words(parts.iter().map(|part| (part.edit.kind, part.name.as_str())))
}

fn liked(layers: &[Layer]) -> Vec<Part> {
    let liked = layers.iter().filter(|layer| is_shown_as(layer, Verdict::Liked));
    liked.map(|layer| layer.with(PartEdit::new(EditKind::Keep))).collect()
}

fn is_shown_as(layer: &Layer, verdict: Verdict) -> bool {
    layer.verdict == verdict && !layer.hidden
}

/// An edit at full strength that draws a part again. It uses the chosen edit, except for its strength and
/// [`EditKind::Keep`].
fn redraw(chosen: Option<&PartEdit>) -> PartEdit {
    let chosen = chosen.filter(|edit| edit.kind != EditKind::Keep).cloned().unwrap_or_default();
    let kind = match chosen.kind {
        // The words may name what should be removed.
        kind @ (EditKind::Replace | EditKind::Add | EditKind::Remove) => kind,
        EditKind::Keep | EditKind::Refine | EditKind::Embolden => EditKind::Refine,
    };
    PartEdit { kind, strength: Some(1.0), amount: None, ..chosen }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recipe::{Loss, LossKind, PartRecipe},
        test_support::edit_of_parts,
    };

    fn layer(name: &str, verdict: Verdict, edit: Option<EditKind>) -> Layer {
        let words = |kind| PartEdit { words: name.to_uppercase(), ..PartEdit::new(kind) };
        Layer { verdict, edit: edit.map(words), ..Layer::new(name, Mask::full(2, 2)) }
    }

    fn layers() -> Vec<Layer> {
        vec![
            layer("face", Verdict::Liked, None),
            layer("sky", Verdict::Disliked, Some(EditKind::Embolden)),
            layer("coat", Verdict::None, Some(EditKind::Refine)),
            Layer { hidden: true, ..layer("dog", Verdict::Liked, Some(EditKind::Remove)) },
            layer("boat", Verdict::Disliked, None),
            layer("painter", Verdict::Disliked, Some(EditKind::Remove)),
        ]
    }

    #[test]
    fn chosen_edits_are_parts_unless_the_layer_is_hidden() {
        assert_eq!(in_words(&parts(&layers())), "Embolden sky, refine coat, remove painter");
        assert_eq!(in_words(&[]), "");
    }

    #[test]
    fn values_that_a_kind_of_edit_does_not_use_are_kept_but_not_drawn() {
        let edit = PartEdit {
            words: "a moon".to_owned(),
            amount: Some(1.0),
            grow: Some(4),
            losses: vec![Loss::new(LossKind::TotalVariation)],
            ..PartEdit::new(EditKind::Embolden)
        };
        let drawn = |kind| {
            let edit = PartEdit { kind, ..edit.clone() };
            let layer = Layer { edit: Some(edit), ..Layer::new("sky", Mask::full(2, 2)) };
            parts(&[layer]).remove(0).edit
        };
        assert_eq!(drawn(EditKind::Keep), PartEdit::new(EditKind::Keep));
        assert_eq!(drawn(EditKind::Embolden), edit);
        let replaced = PartEdit { kind: EditKind::Replace, amount: None, ..edit.clone() };
        assert_eq!(drawn(EditKind::Replace), replaced);
    }

    #[test]
    fn liked_layers_are_kept_and_the_rest_is_redrawn() {
        let parts = keep_liked(&layers(), (2, 2));
        assert_eq!(in_words(&parts), "Keep face, refine the rest");
        assert_eq!((parts[1].mask.clone(), parts[1].edit.strength()), (Mask::full(2, 2), 1.0));
    }

    #[test]
    fn disliked_layers_are_redrawn_with_their_own_words() {
        let parts = redo_disliked(&layers());
        assert_eq!(in_words(&parts), "Keep face, refine sky, refine boat, remove painter");
        assert_eq!(parts[1].edit.words, "SKY");
        assert_eq!(parts[3].edit.words, "PAINTER", "the words name the object to remove");
        assert!(parts.iter().all(|part| part.edit.check().is_ok()));
        assert!(parts[1..].iter().all(|part| part.edit.strength() == 1.0));
    }

    #[test]
    fn an_edit_clears_scribbles_and_verdicts_of_redrawn_layers() {
        let scribble = Scribble(Arc::new(image::RgbaImage::new(2, 2)));
        let mut layers = layers();
        for (x, layer) in layers.iter_mut().enumerate() {
            layer.mask = Mask::from_fn(2, 3, |_, y| (10 * x as u32 + y) as u8);
            layer.scribble = Some(scribble.clone());
        }
        let marks = Marks { layers: layers.clone(), context: None };
        let edit = edit_of_parts(redo_disliked(&layers).iter().map(PartRecipe::from).collect());
        let left = |layer: &Layer| (layer.verdict, layer.scribble.is_some());
        let after: Vec<_> = marks.after(&edit).layers.iter().map(left).collect();
        let drawn = (Verdict::None, false);
        // The face was kept. The coat and the hidden dog were not part of the edit.
        let expected = [
            (Verdict::Liked, true),
            drawn,
            (Verdict::None, true),
            (Verdict::Liked, true),
            drawn,
            drawn,
        ];
        assert_eq!(after, expected);
    }

    #[test]
    fn layers_survive_a_round_trip_through_json() {
        let text = serde_json::to_string(&layers()).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Layer>>(&text).unwrap(), layers());
    }
}
