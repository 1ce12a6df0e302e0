//! Words put together to one prompt.

/// Words without line breaks, doubled spaces and commas at their ends, which joining would double.
pub(crate) fn tidy(words: &str) -> String {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.trim_matches(|c: char| c == ',' || c == ' ').to_owned()
}

/// Tidied words that are not empty, joined as the captions of picture collections are.
pub(crate) fn join<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(tidy).filter(|words| !words.is_empty());
    words.collect::<Vec<_>>().join(", ")
}
