//! A story in a RON file.
//!
//! `Some(..)` may be left out: `speaker: "mira"` says as much as `speaker: Some("mira")`.

use std::path::{Path, PathBuf};

use ron::{Options, extensions::Extensions};

use super::{Story, StorySource};

/// How deep a story may nest: far more than a [`Story`] has levels, and far less than a stack holds.
const DEEPEST: usize = 64;

/// What a story is called that has no file, or none with a name: see [`name`].
pub const NO_NAME: &str = "story";

/// A `*.story.ron` file.
#[derive(Clone, Debug)]
pub struct RonFile(pub PathBuf);

/// Why a RON story could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RonStoryError {
    /// The file could not be read.
    #[error("cannot read the story file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds nothing but white space.
    #[error(
        "{path}:1:1: the story file is empty: it needs at least `(title: \"..\", scenes: [..])`"
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is no UTF-8 text.
    #[error(
        "{path}:{line}:{column}: the byte 0x{byte:02x} is no UTF-8 text: save the story as UTF-8"
    )]
    NoText {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The first byte that does not fit.
        byte: u8,
    },
    /// The text is no story.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What RON said.
        message: String,
    },
}

impl StorySource for RonFile {
    type Error = RonStoryError;

    fn story(&self) -> Result<Story, RonStoryError> {
        let bytes = std::fs::read(&self.0)
            .map_err(|source| RonStoryError::Read { path: self.0.clone(), source })?;
        parse(bytes, &self.0)
    }
}

/// What a story is called by the name of its file, which names its art folder: `act.1` for `act.1.story.ron`.
#[must_use]
pub fn name(file_name: &str) -> &str {
    let name = file_name.strip_suffix(".ron").unwrap_or(file_name);
    let name = name.strip_suffix(".story").unwrap_or(name);
    if name.is_empty() { NO_NAME } else { name }
}

/// Reads a story from the text, or the bytes, of a RON file. `path` is for messages only.
///
/// # Errors
/// When the bytes are no UTF-8, are empty, or are no story: a field that a [`Story`] does not have is
/// refused, so that a slip of the pen is not lost in silence.
pub fn parse(text: impl AsRef<[u8]>, path: &Path) -> Result<Story, RonStoryError> {
    let text = utf8(text.as_ref(), path)?;
    if text.trim().is_empty() {
        return Err(RonStoryError::Empty { path: path.to_owned() });
    }
    let options = Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_recursion_limit(DEEPEST);
    options.from_str(text).map_err(|error| RonStoryError::Syntax {
        path: path.to_owned(),
        line: error.span.start.line,
        column: error.span.start.col,
        message: error.code.to_string(),
    })
}

/// The bytes as text, without the byte order mark that some editors put first.
fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str, RonStoryError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = String::from_utf8_lossy(good);
        let last_line = good.rsplit('\n').next().unwrap_or_default();
        RonStoryError::NoText {
            path: path.to_owned(),
            line: good.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            byte: bad.first().copied().unwrap_or_default(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Story, RonStoryError> {
        parse(text, Path::new("a.story.ron"))
    }

    fn refusal(text: impl AsRef<[u8]>) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn some_may_be_left_out() {
        let bare =
            r#"(title: "t", scenes: [(id: "a", place: "p", lines: [(speaker: "m", text: "x")])])"#;
        let full = bare.replace(r#""m""#, r#"Some("m")"#);
        let bare = read(bare).unwrap();
        assert_eq!(bare.scenes[0].lines[0].speaker.as_deref(), Some("m"));
        assert_eq!(bare, read(full).unwrap());
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_line_and_column() {
        let text = "(\n  title: \"t\",\n  scenes: [\n    (id: \"a\", plaice: \"p\"),\n  ],\n)";
        let told = refusal(text);
        assert!(told.starts_with("a.story.ron:4:15: "), "{told}");
        assert!(told.contains("plaice") && told.contains("`place`"), "{told}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let told = refusal("(title: \"t\")");
        assert!(told.starts_with("a.story.ron:1:") && told.contains("scenes"), "{told}");
    }

    #[test]
    fn text_after_the_story_is_refused() {
        let told = refusal("(title: \"t\", scenes: [])\n)");
        assert!(told.starts_with("a.story.ron:1:25: ") && told.contains("trailing"), "{told}");
    }

    #[test]
    fn an_empty_file_says_what_it_needs() {
        for text in ["", " \n\t", "\u{feff}"] {
            assert!(refusal(text).contains("scenes: [..]"), "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_story() {
        assert_eq!(read("\u{feff}(title: \"t\", scenes: [])").unwrap().title, "t");
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_place() {
        let told = refusal(b"(\n title: \"caf\xe9\", scenes: [])");
        assert!(told.starts_with("a.story.ron:2:13: the byte 0xe9"), "{told}");
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
        for open in ["(", "[", "{", "Some(", "/*", "(title:", "(scenes:["] {
            assert!(read(open.repeat(100_000)).is_err(), "{open}");
        }
        let unknown = format!("(title: \"t\", other: {}", "[".repeat(100_000));
        assert!(read(unknown).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let told = RonFile("nowhere/x.story.ron".into()).story().unwrap_err().to_string();
        assert!(told.contains("nowhere/x.story.ron"), "{told}");
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(bytes);
        }

        #[test]
        fn no_text_that_looks_like_ron_makes_it_panic(
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
