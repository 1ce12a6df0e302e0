//! Joining words into a prompt.

use super::comments::without_comment;

/// Where the words of a style have the prompt.
const PROMPT: &str = "{prompt}";

/// Removes comments, line breaks, doubled spaces, and commas at both ends, which joining would double.
pub(crate) fn tidy(words: &str) -> String {
    let words = words.lines().map(without_comment).flat_map(str::split_whitespace);
    let words = words.collect::<Vec<_>>().join(" ");
    words.trim_matches(|c: char| c == ',' || c == ' ').to_owned()
}

/// Tidies words and joins those that are not empty, in the format of the captions that models are trained with.
pub(crate) fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(tidy).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(", ")
}

/// A prompt with the words of a style: they surround the prompt if they contain `{prompt}`, and follow it otherwise.
pub(crate) fn in_style(prompt: &str, style: &str) -> String {
    if style.contains(PROMPT) {
        tidy(style).replacen(PROMPT, &tidy(prompt), 1)
    } else {
        join([prompt, style])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_style_follow_a_prompt_or_surround_it() {
        assert_eq!(in_style("a fox, ", " ink,\n hatched # or not\n"), "a fox, ink, hatched");
        assert_eq!(in_style("a fox", ""), "a fox");
        assert_eq!(
            in_style("a fox,", "ink of {prompt} at night, hatched"),
            "ink of a fox at night, hatched"
        );
        assert_eq!(in_style("a {prompt}", "({prompt}:1.2)"), "(a {prompt}:1.2)");
    }
}
