//! The parts of a picture as the author works on them: a list like the layers of a paint program.

use serde::{Deserialize, Serialize};

use super::part::{EditKind, Part, PartEdit, PictureEdit, Scribble};
use crate::mask::{Area, Mask};

/// What the author thinks of a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    None,
    /// It is to stay as it is.
    Liked,
    /// It is to become another.
    Disliked,
}

/// A part on the author's desk. In a list the uppermost stands first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub mask: Mask,
    /// What the author thinks of it.
    #[serde(default)]
    pub verdict: Verdict,
    /// What is to be done to it, if anything was said.
    #[serde(default)]
    pub edit: Option<PartEdit>,
    /// A rough shape in colours.
    #[serde(default)]
    pub scribble: Option<Scribble>,
    /// Which of the part colours it has.
    #[serde(default)]
    pub colour: u8,
    /// As if it were not there.
    #[serde(default)]
    pub hidden: bool,
    /// Tools leave it alone.
    #[serde(default)]
    pub locked: bool,
}

/// What the author marked on a take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The parts, the uppermost first.
    pub layers: Vec<Layer>,
    /// What of the picture the model sees, if the author says so.
    #[serde(default)]
    pub context: Option<Area>,
}

impl Marks {
    /// What is marked on a picture that came of an edit of the marked one. Where something was drawn anew, what was
    /// scribbled is in the picture now, and a verdict was about the old one.
    #[must_use]
    pub fn after(&self, edit: &PictureEdit) -> Self {
        let mut marks = self.clone();
        for layer in &mut marks.layers {
            let drew = |part: &Part| part.edit.kind != EditKind::Keep && part.mask == layer.mask;
            if edit.parts.iter().any(drew) {
                (layer.scribble, layer.verdict) = (None, Verdict::None);
            }
        }
        marks
    }
}

impl Layer {
    /// A part of which nothing is said yet.
    #[must_use]
    pub fn new(name: impl Into<String>, mask: Mask) -> Self {
        Self {
            name: name.into(),
            mask,
            verdict: Verdict::None,
            edit: None,
            scribble: None,
            colour: 0,
            hidden: false,
            locked: false,
        }
    }

    fn with(&self, edit: PartEdit) -> Part {
        let Self { name, mask, scribble, .. } = self.clone();
        Part { name, mask, edit, scribble }
    }
}

/// What is to be done as it stands in the list.
#[must_use]
pub fn parts(layers: &[Layer]) -> Vec<Part> {
    let shown = layers.iter().filter(|layer| !layer.hidden);
    shown.filter_map(|layer| layer.edit.clone().map(|edit| layer.with(edit))).collect()
}

/// Keeps what is liked to the bit, and draws everything else anew under the words of the picture.
#[must_use]
pub fn keep_liked(layers: &[Layer], (width, height): (u32, u32)) -> Vec<Part> {
    let rest = Layer::new("the rest", Mask::full(width, height));
    let mut parts = liked(layers);
    parts.push(rest.with(anew(None)));
    parts
}

/// Draws what is disliked anew, under its own words or else those of the picture; what is liked stays
/// to the bit where the two overlap.
#[must_use]
pub fn redo_disliked(layers: &[Layer]) -> Vec<Part> {
    let disliked = layers.iter().filter(|layer| is(layer, Verdict::Disliked));
    let mut parts = liked(layers);
    parts.extend(disliked.map(|layer| layer.with(anew(layer.edit.as_ref()))));
    parts
}

/// What parts come to, in the words of a button: `Replace sky, keep face`.
#[must_use]
pub fn in_words(parts: &[Part]) -> String {
    let words = |part: &Part| format!("{} {}", part.edit.kind.name(), part.name);
    let text = parts.iter().map(words).collect::<Vec<_>>().join(", ");
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn liked(layers: &[Layer]) -> Vec<Part> {
    let liked = layers.iter().filter(|layer| is(layer, Verdict::Liked));
    liked.map(|layer| layer.with(PartEdit::new(EditKind::Keep))).collect()
}

fn is(layer: &Layer, verdict: Verdict) -> bool {
    layer.verdict == verdict && !layer.hidden
}

/// All of it new: what was said of it still counts, but that it is to be kept, or how strongly.
fn anew(said: Option<&PartEdit>) -> PartEdit {
    let said = said.filter(|edit| edit.kind != EditKind::Keep).cloned().unwrap_or_default();
    let kind = match said.kind {
        // Words may name what is to go.
        kind @ (EditKind::Replace | EditKind::Add | EditKind::Remove) => kind,
        EditKind::Keep | EditKind::Refine | EditKind::Embolden => EditKind::Refine,
    };
    PartEdit { kind, strength: Some(1.0), amount: None, ..said }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn layer(name: &str, verdict: Verdict, edit: Option<EditKind>) -> Layer {
        let words = |kind| PartEdit { words: name.to_uppercase(), ..PartEdit::new(kind) };
        Layer { verdict, edit: edit.map(words), ..Layer::new(name, Mask::full(2, 2)) }
    }

    fn desk() -> Vec<Layer> {
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
    fn what_is_said_is_done_and_what_is_hidden_is_not() {
        assert_eq!(in_words(&parts(&desk())), "Embolden sky, refine coat, remove painter");
        assert_eq!(in_words(&[]), "");
    }

    #[test]
    fn what_is_liked_is_kept_and_the_rest_is_new() {
        let parts = keep_liked(&desk(), (2, 2));
        assert_eq!(in_words(&parts), "Keep face, refine the rest");
        assert_eq!((parts[1].mask.clone(), parts[1].edit.strength()), (Mask::full(2, 2), 1.0));
    }

    #[test]
    fn what_is_disliked_is_drawn_anew_under_its_own_words() {
        let parts = redo_disliked(&desk());
        assert_eq!(in_words(&parts), "Keep face, refine sky, refine boat, remove painter");
        assert_eq!(parts[1].edit.words, "SKY");
        assert_eq!(parts[3].edit.words, "PAINTER", "what is to go, not what is to come");
        assert!(parts.iter().all(|part| part.edit.check().is_ok()));
        assert!(parts[1..].iter().all(|part| part.edit.strength() == 1.0));
    }

    #[test]
    fn after_an_edit_what_was_drawn_is_neither_scribbled_nor_judged_any_more() {
        let scribble = Scribble(Arc::new(image::RgbaImage::new(2, 2)));
        let mut layers = desk();
        for (x, layer) in layers.iter_mut().enumerate() {
            layer.mask = Mask::from_fn(2, 3, |_, y| (10 * x as u32 + y) as u8);
            layer.scribble = Some(scribble.clone());
        }
        let marks = Marks { layers: layers.clone(), context: None };
        let edit = PictureEdit {
            parent: None,
            picture: String::new(),
            style: String::new(),
            parts: redo_disliked(&layers),
            context: None,
            origin: None,
        };
        let left = |layer: &Layer| (layer.verdict, layer.scribble.is_some());
        let after: Vec<_> = marks.after(&edit).layers.iter().map(left).collect();
        let drawn = (Verdict::None, false);
        // The face was kept; the coat was not in it, nor the hidden dog.
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
    fn a_desk_goes_through_text_unchanged() {
        let text = serde_json::to_string(&desk()).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Layer>>(&text).unwrap(), desk());
    }
}
