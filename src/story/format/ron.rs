//! Stories in RON.
//!
//! `Some(..)` is optional: `speaker: "mira"` means the same as `speaker: Some("mira")`.

use std::path::Path;

use super::{StoryError, StoryFormat};
use crate::{
    ron_text::{self, RonError},
    story::Story,
};

/// A [`Story`] in RON: `*.story.ron`, or `*.ron`.
#[derive(Clone, Copy, Debug, Default)]
pub struct RonFormat;

impl StoryFormat for RonFormat {
    fn extensions(&self) -> &'static [&'static str] {
        &["story.ron", "ron"]
    }

    fn parse(&self, bytes: &[u8], path: &Path) -> Result<Story, StoryError> {
        parse(bytes, path)
    }
}

/// Reads a story from RON. `path` is for error messages.
///
/// # Errors
/// If `text` is not UTF-8, is empty, or is not a story. An unknown field is an error, so that a typing
/// mistake is found.
pub fn parse(text: impl AsRef<[u8]>, path: &Path) -> Result<Story, StoryError> {
    let text = StoryError::utf8(text.as_ref(), path)?;
    if text.trim().is_empty() {
        let minimum = "`(title: \"..\", scenes: [..])`";
        return Err(StoryError::Empty { path: path.to_owned(), minimum });
    }
    ron_text::parse(text.as_bytes()).map_err(|error| {
        let RonError { line, column, message } = error;
        StoryError::Syntax { path: path.to_owned(), line, column, message }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Story, StoryError> {
        parse(text, Path::new("a.story.ron"))
    }

    fn refusal(text: impl AsRef<[u8]>) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn some_is_optional() {
        let bare =
            r#"(title: "t", scenes: [(id: "a", place: "p", lines: [(speaker: "m", text: "x")])])"#;
        let full = bare.replace(r#""m""#, r#"Some("m")"#);
        let bare = read(bare).unwrap();
        assert_eq!(bare.scenes[0].lines[0].speaker.as_deref(), Some("m"));
        assert_eq!(bare, read(full).unwrap());
    }

    #[test]
    fn a_misspelt_field_is_reported_with_line_and_column() {
        let text = "(\n  title: \"t\",\n  scenes: [\n    (id: \"a\", plaice: \"p\"),\n  ],\n)";
        let error = refusal(text);
        assert!(error.starts_with("a.story.ron:4:15: "), "{error}");
        assert!(error.contains("plaice") && error.contains("`place`"), "{error}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = refusal("(title: \"t\")");
        assert!(error.starts_with("a.story.ron:1:") && error.contains("scenes"), "{error}");
    }

    #[test]
    fn text_after_the_story_is_refused() {
        let error = refusal("(title: \"t\", scenes: [])\n)");
        assert!(error.starts_with("a.story.ron:1:25: ") && error.contains("trailing"), "{error}");
    }

    #[test]
    fn the_error_for_an_empty_file_shows_the_smallest_story() {
        for text in ["", " \n\t", "\u{feff}"] {
            assert!(refusal(text).contains("scenes: [..]"), "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        assert_eq!(read("\u{feff}(title: \"t\", scenes: [])").unwrap().title, "t");
    }

    #[test]
    fn invalid_utf8_is_reported_with_its_position() {
        let error = refusal(b"(\n title: \"caf\xe9\", scenes: [])");
        assert!(error.starts_with("a.story.ron:2:13: the byte 0xe9"), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused_without_a_stack_overflow() {
        for open in ["(", "[", "{", "Some(", "/*", "(title:", "(scenes:["] {
            assert!(read(open.repeat(100_000)).is_err(), "{open}");
        }
        let unknown = format!("(title: \"t\", other: {}", "[".repeat(100_000));
        assert!(read(unknown).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(bytes);
        }

        #[test]
        fn text_like_ron_does_not_panic(
            pieces in proptest::collection::vec(
                prop::sample::select(vec![
                    "(", ")", "[", "]", "{", "}", ":", ",", "\"", "\\", "\\u{", "'", "r#\"", "#",
                    "#![enable(", "title", "scenes", "style", "id", "Some", "None", "1e999", "-0",
                    "0x", "/*", "*/", "//", "\n", " ", "é", "🦊", "sampler: (steps: ", "b\"",
                ]),
                0..60,
            ),
        ) {
            let _ = read(pieces.concat());
        }
    }
}
