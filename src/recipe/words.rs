//! Joining words into a prompt.

/// Removes line breaks, doubled spaces, and commas at both ends, which joining would double.
pub(crate) fn tidy(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.trim_matches(|c: char| c == ',' || c == ' ').to_owned()
}

/// Tidies words and joins those that are not empty, in the format of the captions that models are trained with.
pub(crate) fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(tidy).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(", ")
}
