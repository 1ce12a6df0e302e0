//! The choices `{a|b}` in the prompts of a recipe.

use super::{EditKind, InspirationKind, Lora, LossKind, PartRecipe, PictureEdit, Recipe};
use crate::prompt::{LoraTag, chosen, split_lora_tags};

impl Recipe {
    /// The seed of the choices in the prompt of the picture. An edit keeps those of the picture that it changes.
    #[must_use]
    pub fn choice_seed(&self) -> u64 {
        let of_picture = self.edit.as_ref().and_then(|edit| edit.choice_seed);
        of_picture.unwrap_or_else(|| self.noise_seed())
    }

    /// Whether the prompts of the picture have choices.
    #[must_use]
    pub fn has_choices(&self) -> bool {
        [&self.prompt, &self.negative_prompt].into_iter().any(|prompt| chosen(prompt, 0) != *prompt)
    }

    /// This recipe with one option of each choice in its prompts, inspirations and losses: what is drawn. The words of
    /// edited parts are chosen by the seed of the take. The LoRAs in the prompts of the picture and its parts are then in
    /// [`Self::loras`].
    #[must_use]
    pub fn with_choices_made(&self) -> Self {
        let mut recipe = self.clone();
        let (seed, of_take) = (self.choice_seed(), self.noise_seed());
        let Self { prompt, negative_prompt, inspirations, losses, edit, .. } = &mut recipe;
        let choose = |text: &mut String, seed| *text = chosen(text, seed);
        choose(prompt, seed);
        choose(negative_prompt, seed);
        let mut in_prompts = take_loras(prompt);
        let mut parts: &mut [PartRecipe] = &mut [];
        if let Some(PictureEdit { style, parts: of_edit, .. }) = edit {
            choose(style, seed);
            parts = of_edit;
        }
        let of_parts = parts.iter_mut().map(|part| &mut part.edit);
        let mut wishes = vec![(inspirations, losses, seed)];
        for edit in of_parts.filter(|edit| edit.kind != EditKind::Keep) {
            choose(&mut edit.words, of_take);
            in_prompts.extend(take_loras(&mut edit.words));
            choose(&mut edit.negative_prompt, of_take);
            wishes.push((&mut edit.inspirations, &mut edit.losses, of_take));
        }
        for (inspirations, losses, seed) in wishes {
            for inspiration in inspirations {
                match &mut inspiration.kind {
                    InspirationKind::Text(words) => choose(words, seed),
                    InspirationKind::Image(..) => {}
                }
            }
            for loss in losses {
                match &mut loss.kind {
                    LossKind::Text(words) => choose(words, seed),
                    LossKind::Direction { from, to } => {
                        choose(from, seed);
                        choose(to, seed);
                    }
                    _ => {}
                }
            }
        }
        recipe.loras.extend(in_prompts);
        recipe
    }
}

/// Takes the LoRAs out of a prompt. Their files are names.
fn take_loras(prompt: &mut String) -> Vec<Lora> {
    let (words, tags) = split_lora_tags(prompt);
    if tags.is_empty() {
        return Vec::new();
    }
    // Without the commas and spaces around them.
    let words = words.split(',').map(str::trim).filter(|words| !words.is_empty());
    *prompt = words.collect::<Vec<_>>().join(", ");
    tags.into_iter().map(|LoraTag { name, weight }| Lora { file: name, weight }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::Mask,
        recipe::{Inspiration, Loss, Part, PartEdit, Size},
        test_support::edit_of_parts,
    };

    const CHOICE: &str = "a {red|blue|green|white} coat";

    fn picture() -> Recipe {
        Recipe {
            negative_prompt: CHOICE.to_owned(),
            inspirations: vec![Inspiration::new(InspirationKind::Text(CHOICE.to_owned()))],
            losses: vec![Loss::new(LossKind::Text(CHOICE.to_owned()))],
            ..Recipe::new(CHOICE, Size::new(8, 8), "m")
        }
    }

    #[test]
    fn all_texts_of_a_take_have_the_same_option_and_takes_differ() {
        let mut found = std::collections::HashSet::new();
        for take in 0..30 {
            let recipe = picture().with_take(take).with_choices_made();
            let words = recipe.prompt.clone();
            assert!(!words.contains('|'));
            assert_eq!(recipe.negative_prompt, words);
            assert_eq!(recipe.inspirations[0].kind, InspirationKind::Text(words.clone()));
            assert_eq!(recipe.losses[0].kind, LossKind::Text(words.clone()));
            found.insert(words);
        }
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn an_edit_keeps_the_choices_of_the_picture_and_chooses_the_words_of_parts_for_each_take() {
        let part = PartEdit {
            words: CHOICE.to_owned(),
            losses: vec![Loss::new(LossKind::Text(CHOICE.to_owned()))],
            ..PartEdit::new(EditKind::Replace)
        };
        let part = PartRecipe::from(&Part::new("coat", Mask::full(8, 8), part));
        let edit = PictureEdit {
            choice_seed: Some(picture().with_take(7).choice_seed()),
            style: CHOICE.to_owned(),
            ..edit_of_parts(vec![part])
        };
        let edit = Recipe { edit: Some(edit), ..picture() };
        let mut found = std::collections::HashSet::new();
        for take in 0..30 {
            let Recipe { prompt, edit: Some(edit), .. } = edit.with_take(take).with_choices_made()
            else {
                panic!("not an edit")
            };
            assert_eq!(prompt, picture().with_take(7).with_choices_made().prompt);
            assert_eq!(edit.style, prompt);
            let PartEdit { words, losses, .. } = &edit.parts[0].edit;
            assert_eq!(losses[0].kind, LossKind::Text(words.clone()));
            found.insert(words.clone());
        }
        assert_eq!(found.len(), 4);
    }
}
