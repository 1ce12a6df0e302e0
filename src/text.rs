//! Unicode: byte order marks, letters and normalization.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc};

/// The contents of a UTF-8 file without the byte order mark that some editors write at its beginning.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Whether a character is a letter, a digit, or a mark of one, such as the tones of Thai and the virama of Hindi.
pub(crate) fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// The text with composed characters (Unicode normalization form C), so that texts that look the same are equal.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { text.into() } else { text.nfc().collect() }
}

/// The same text for all names that are one name on a disk that ignores case. Such disks differ: some count `ß` and `ss`
/// as one, some `ς` and `σ`. Converting to upper case and back joins them all.
pub(crate) fn folded(text: &str) -> String {
    composed(&text.to_lowercase().to_uppercase().to_lowercase()).into_owned()
}

/// Whether two names are the same with composed characters.
pub(crate) fn is_same_name(a: &str, b: &str) -> bool {
    a == b || composed(a) == composed(b)
}

/// The first `max_chars` characters of a text, and dots if there are more.
pub(crate) fn shortened(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]).into(),
    }
}

/// Composes the characters of a text in place: see [`composed`].
pub(crate) fn compose(text: &mut String) {
    if let Cow::Owned(composed) = composed(text) {
        *text = composed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        assert_eq!(shortened("über", 4), "über");
        assert_eq!(shortened("über", 1), "ü...");
        assert_eq!(shortened("", 0), "");
    }
}
