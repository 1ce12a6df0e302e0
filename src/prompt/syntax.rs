//! Notations in prompts that other programs understand and this one reads as ordinary words.

use super::{
    fragments::{MAX_WEIGHT, weight},
    lora_tags::split_lora_tags,
};

/// A notation of another program in a prompt. Its message says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PromptSyntax {
    /// A weight that is out of range, as in `(red:100)`.
    #[error(
        "the number in `{0}` is read as ordinary words: a weight is a number from 0 to {MAX_WEIGHT}, such as 1.3"
    )]
    Weight(String),
    /// Words that change between steps, as in `[cat:dog:0.5]` and `[cat|dog]`.
    #[error(
        "`{0}` is read as ordinary words, because the words of a prompt are the same in all steps: choose one of them, or \
         write `{{a|b}}` to choose one by the seed"
    )]
    Schedule(String),
    /// A file that changes the model, as in `<lyco:name:0.8>`, or a LoRA without a name or with a wrong weight.
    #[error("`{0}` is read as ordinary words: write `<lora:name:0.8>` with the name of a LoRA")]
    Network(String),
}

impl PromptSyntax {
    /// Finds the first notation of each kind.
    pub fn find(prompt: &str) -> impl Iterator<Item = Self> {
        let weight = brackets(prompt, '(', ')').find(|found| is_number_out_of_range(found));
        let schedule = brackets(prompt, '[', ']').find(|found| is_schedule(found));
        let [weight, schedule, network] =
            [weight, schedule, network(prompt)].map(|found| found.map(ToOwned::to_owned));
        let weight = weight.map(Self::Weight);
        let schedule = schedule.map(Self::Schedule);
        weight.into_iter().chain(schedule).chain(network.map(Self::Network))
    }
}

/// The innermost pairs of brackets.
fn brackets(prompt: &str, open: char, close: char) -> impl Iterator<Item = &str> {
    prompt.split_inclusive(close).filter_map(move |text| {
        let found = &text[text.rfind(open)?..];
        found.ends_with(close).then_some(found)
    })
}

/// The text between the brackets.
fn inner(found: &str) -> &str {
    &found[1..found.len() - 1]
}

/// The last number after a colon.
fn number(text: &str) -> Option<f32> {
    text.rsplit_once(':')?.1.trim().parse().ok().filter(|number: &f32| !number.is_nan())
}

fn is_number_out_of_range(found: &str) -> bool {
    let text = inner(found);
    number(text).is_some() && weight(text).is_none()
}

fn is_schedule(found: &str) -> bool {
    let text = inner(found);
    number(text).is_some() || (text.contains('|') && !text.contains(['{', '}']))
}

/// The first `<lora:name>` that cannot be read, or of a file of a related kind.
fn network(prompt: &str) -> Option<&str> {
    let is_wrong = |found: &&str| split_lora_tags(found).1.is_empty();
    let mut found = prompt.match_indices('<').filter_map(|(start, _)| {
        let rest = &prompt[start..];
        let kinds = ["<lora:", "<lyco:", "<hypernet:"];
        kinds.iter().find(|kind| rest.starts_with(**kind))?;
        Some(&rest[..=rest.find('>')?])
    });
    found.find(is_wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_other_programs_are_found_and_ordinary_words_are_not() {
        let found = |prompt: &str| PromptSyntax::find(prompt).collect::<Vec<_>>();
        let weight = |text: &str| PromptSyntax::Weight(text.to_owned());
        let schedule = |text: &str| PromptSyntax::Schedule(text.to_owned());
        let network = |text: &str| PromptSyntax::Network(text.to_owned());
        assert_eq!(found("a (red coat:13), rain"), [weight("(red coat:13)")]);
        assert_eq!(found("((red: -1 ) coat)"), [weight("(red: -1 )")]);
        assert_eq!(found("[(cat):dog:0.5], [a|b]"), [schedule("[(cat):dog:0.5]")]);
        assert_eq!(found("a [cat|dog]"), [schedule("[cat|dog]")]);
        assert_eq!(
            found("ink <lora:a:0.8> <lora:ink-v2:x> (x:20)"),
            [weight("(x:20)"), network("<lora:ink-v2:x>")]
        );
        for plain in [
            "",
            "a coat (red:1.3)",
            "(left: right)",
            "a < b",
            "<lora:",
            "<lora:ink-v2:0.8>",
            ":1)",
            "1:2)",
            "[a], [{a|b}]",
            "(a:12",
        ] {
            assert_eq!(found(plain), [], "{plain}");
        }
    }
}
