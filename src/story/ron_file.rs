//! A story in a RON file.

use std::path::{Path, PathBuf};

use super::{Story, StorySource};

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

/// Reads a story from RON text; `path` is the file that errors name.
///
/// # Errors
/// When the text is no story, with line and column.
pub fn parse(_text: impl AsRef<[u8]>, _path: &Path) -> Result<Story, RonStoryError> {
    todo!()
}

impl StorySource for RonFile {
    type Error = RonStoryError;

    fn story(&self) -> Result<Story, RonStoryError> {
        todo!()
    }
}
