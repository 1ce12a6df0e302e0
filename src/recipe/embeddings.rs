//! The textual inversions in the prompts of a recipe.

use std::collections::BTreeSet;

use super::{EditKind, Inspiration, InspirationKind, PictureEdit, Recipe};
use crate::prompt::{Prompt, TextPiece, split_embedding_tags};

impl Recipe {
    /// The names of the textual inversions in the prompts of the picture, of its parts and of its inspirations. Those in losses
    /// have no effect.
    pub(crate) fn embeddings(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut add = |prompt: &str| {
            for fragment in Prompt::parse(prompt).sections.iter().flatten() {
                names.extend(split_embedding_tags(&fragment.text).into_iter().filter_map(
                    |piece| match piece {
                        TextPiece::Words(_) => None,
                        TextPiece::Embedding(name) => Some(name.to_owned()),
                    },
                ));
            }
        };
        add(&self.prompt);
        add(&self.negative_prompt);
        texts(&self.inspirations).for_each(&mut add);
        if let Some(PictureEdit { style, parts, .. }) = &self.edit {
            add(style);
            for edit in parts.iter().map(|part| &part.edit).filter(|it| it.kind != EditKind::Keep) {
                add(&edit.words);
                add(&edit.negative_prompt);
                texts(&edit.inspirations).for_each(&mut add);
            }
        }
        names
    }
}

/// The texts that pictures are inspired by.
fn texts(inspirations: &[Inspiration]) -> impl Iterator<Item = &str> {
    inspirations.iter().filter_map(|inspiration| match &inspiration.kind {
        InspirationKind::Text(words) => Some(words.as_str()),
        InspirationKind::Image(..) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::Mask,
        recipe::{Part, PartEdit, PartRecipe, Size},
        test_support::edit_of_parts,
    };

    #[test]
    fn the_prompts_of_a_picture_its_parts_and_its_inspirations_name_embeddings() {
        let text = |words: &str| Inspiration::new(InspirationKind::Text(words.to_owned()));
        let part = |kind, name: &str| {
            let edit = PartEdit {
                words: format!("embedding:{name}-words"),
                negative_prompt: format!("(embedding:{name}-negative:1.2)"),
                inspirations: vec![text(&format!("embedding:{name}-text"))],
                ..PartEdit::new(kind)
            };
            PartRecipe::from(&Part::new(name, Mask::full(8, 8), edit))
        };
        let parts = vec![part(EditKind::Replace, "coat"), part(EditKind::Keep, "face")];
        let edit = PictureEdit { style: "embedding:style".into(), ..edit_of_parts(parts) };
        let recipe = Recipe {
            negative_prompt: "fog # embedding:comment\n embedding:negative".into(),
            inspirations: vec![text("[embedding:text]")],
            edit: Some(edit),
            ..Recipe::new("an embedding, embedding:prompt.", Size::new(8, 8), "m")
        };
        let expected =
            ["coat-negative", "coat-text", "coat-words", "negative", "prompt", "style", "text"];
        assert!(recipe.embeddings().iter().eq(expected.iter()), "{:?}", recipe.embeddings());
    }
}
