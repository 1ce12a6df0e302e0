//! Notations in prompts that other programs understand and this one reads as ordinary words.

/// A notation of another program in a prompt. Its message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptSyntax {
    /// The weight of words, as in `(red:1.3)`.
    #[error(
        "`{0}` is read as ordinary words, because weights are not supported yet: leave out the parentheses and the \
         number; the edit `Embolden` strengthens a part of a picture"
    )]
    Weight(String),
    /// A file that changes the model, as in `<lora:name:0.8>`.
    #[error(
        "`{0}` is read as ordinary words, because such files are not supported yet: leave it out, or use a model that \
         contains it"
    )]
    Network(String),
}

impl PromptSyntax {
    /// Finds the first notation of each kind.
    pub fn find(prompt: &str) -> impl Iterator<Item = Self> {
        let weight = weight(prompt).map(|found| Self::Weight(found.to_owned()));
        let network = network(prompt).map(|found| Self::Network(found.to_owned()));
        weight.into_iter().chain(network)
    }
}

/// The first `(words:number)`.
fn weight(prompt: &str) -> Option<&str> {
    prompt.match_indices(')').find_map(|(end, _)| {
        let (words, number) = prompt[..end].rsplit_once(':')?;
        number.trim().parse::<f32>().ok()?;
        Some(&prompt[words.rfind('(')?..=end])
    })
}

/// The first `<lora:name>`, or of a file of a related kind.
fn network(prompt: &str) -> Option<&str> {
    prompt.match_indices('<').find_map(|(start, _)| {
        let rest = &prompt[start..];
        let kinds = ["<lora:", "<lyco:", "<hypernet:"];
        kinds.iter().find(|kind| rest.starts_with(**kind))?;
        Some(&rest[..=rest.find('>')?])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_other_programs_are_found_and_ordinary_words_are_not() {
        let found = |prompt: &str| PromptSyntax::find(prompt).collect::<Vec<_>>();
        let weight = |text: &str| PromptSyntax::Weight(text.to_owned());
        let network = |text: &str| PromptSyntax::Network(text.to_owned());
        assert_eq!(found("a (red coat:1.3), rain"), [weight("(red coat:1.3)")]);
        assert_eq!(found("((red: .5 ) coat)"), [weight("(red: .5 )")]);
        assert_eq!(
            found("ink <lora:ink-v2:0.8> (x:2)"),
            [weight("(x:2)"), network("<lora:ink-v2:0.8>")]
        );
        for plain in
            ["", "a coat (red)", "at 12:30", "(left: right)", "a < b", "<lora:", ":1)", "1:2)"]
        {
            assert_eq!(found(plain), [], "{plain}");
        }
    }
}
