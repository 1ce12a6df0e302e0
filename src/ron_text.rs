//! RON that people write by hand: stories, edit files and the ledger.

use ron::{Options, extensions::Extensions};
use serde::de::DeserializeOwned;

/// The maximum nesting depth: more than the levels of a story, and little enough for any stack.
const MAX_DEPTH: usize = 64;

/// Where and why a text cannot be parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RonError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    pub message: String,
}

/// Parses RON in which `Some(..)` is optional.
///
/// # Errors
/// If the text is not UTF-8, not RON, not a `T`, or too deep.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, RonError> {
    let options = Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_recursion_limit(MAX_DEPTH);
    options.from_bytes(text).map_err(|error| match conflict(text) {
        Some(line) => RonError {
            line,
            column: 1,
            message: "this line is a conflict marker of Git: choose one of the two versions, and remove the markers"
                .to_owned(),
        },
        None => RonError {
            line: error.span.start.line,
            column: error.span.start.col,
            message: error.code.to_string(),
        },
    })
}

/// The first line of a conflict that Git has left in a text, from 1.
fn conflict(text: &[u8]) -> Option<usize> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let begin = lines.position(|line| line.starts_with(b"<<<<<<< "))?;
    lines.any(|line| line.starts_with(b">>>>>>> ")).then_some(begin + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_text_with_a_conflict_of_git_is_at_its_first_marker() {
        let text = b"[\n<<<<<<< HEAD\n1,\n=======\n2,\n>>>>>>> branch\n]";
        let error = parse::<Vec<u32>>(text).unwrap_err();
        assert_eq!((error.line, error.column), (2, 1));
        assert!(error.message.contains("conflict"), "{}", error.message);
        // A start marker without an end marker is not a conflict.
        let text = b"[\n/*\n<<<<<<< HEAD\n*/\n1, x]";
        let error = parse::<Vec<u32>>(text).unwrap_err();
        assert_eq!((error.line, error.message.contains("conflict")), (5, false));
        assert_eq!(parse::<Option<u32>>(b"1"), Ok(Some(1)));
    }
}
