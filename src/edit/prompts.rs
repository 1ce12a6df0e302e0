//! The prompts of the parts of an edit.

use crate::{
    prompt::words::{in_style, join},
    recipe::{EditKind, PartEdit},
};

/// The prompts of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPrompts {
    /// The prompt.
    pub prompt: String,
    /// The negative prompt.
    pub negative_prompt: String,
}

/// The prompts of a part.
///
/// A part without its own words uses `prompt`, the prompt of the whole picture. If a part has its
/// own words, `style` is appended to them, or surrounds them if it contains `{prompt}`. `negative_prompt`, the negative prompt of the whole
/// picture, applies to every part.
#[must_use]
pub fn part_prompts(
    edit: &PartEdit,
    prompt: &str,
    negative_prompt: &str,
    style: &str,
) -> PartPrompts {
    let (words, negative) = (edit.words.as_str(), edit.negative_prompt.as_str());
    let [prompt, negative_prompt] = match edit.kind {
        // The model infers the content from the surroundings. The prompt only requests an empty scene.
        EditKind::Remove => {
            [in_style("an empty scene", style), join([words, negative, negative_prompt])]
        }
        _ if words.trim().is_empty() => [join([prompt]), join([negative, negative_prompt])],
        _ => [in_style(words, style), join([negative, negative_prompt])],
    };
    PartPrompts { prompt, negative_prompt }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_edit_has_its_prompts() {
        let edit = |kind, words: &str| PartEdit {
            words: words.to_owned(),
            negative_prompt: "rust".to_owned(),
            ..PartEdit::new(kind)
        };
        for (edit, prompt, negative_prompt) in [
            (edit(EditKind::Replace, "a moon"), "a moon, ink", "rust, fog"),
            (edit(EditKind::Refine, " "), "a bay at night", "rust, fog"),
            (edit(EditKind::Remove, "a ship"), "an empty scene, ink", "a ship, rust, fog"),
        ] {
            let found = part_prompts(&edit, "a bay at night", "fog", "ink");
            assert_eq!(
                (found.prompt.as_str(), found.negative_prompt.as_str()),
                (prompt, negative_prompt)
            );
        }
    }
}
