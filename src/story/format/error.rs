//! The error of a story file that cannot be read.

use std::path::{Path, PathBuf};

use crate::{lfs::LfsPointer, text::without_bom};

/// The error of a story file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoryError {
    /// The file cannot be read.
    #[error("cannot read the story file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file is a Git LFS pointer.
    #[error("{path}: {source}")]
    LfsPointer {
        /// The file.
        path: PathBuf,
        /// The error.
        source: LfsPointer,
    },
    /// No registered format has the extension of the file.
    #[error(
        "{path} is in an unknown story format: use a file name that ends in {}",
        .known.iter().map(|extension| format!("`.{extension}`")).collect::<Vec<_>>().join(" or ")
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The known extensions, without the leading dot.
        known: Vec<&'static str>,
    },
    /// The file is empty or contains only white space.
    #[error("{path}:1:1: the story file is empty: it needs at least {minimum}")]
    Empty {
        /// The file.
        path: PathBuf,
        /// The smallest story in this format.
        minimum: &'static str,
    },
    /// The file is not UTF-8 text.
    #[error(
        "{path}:{line}:{column}: the byte 0x{byte:02x} is not valid UTF-8: save the story as UTF-8"
    )]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The first invalid byte.
        byte: u8,
    },
    /// The text is not a story in this format.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The error and its remedy.
        message: String,
    },
}

impl StoryError {
    /// The text of a file, without a leading byte order mark.
    ///
    /// # Errors
    /// [`Self::NotUtf8`] with the position of the first invalid byte.
    pub fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str, Self> {
        let bytes = without_bom(bytes);
        std::str::from_utf8(bytes).map_err(|error| {
            let (valid, invalid) = bytes.split_at(error.valid_up_to());
            let valid = String::from_utf8_lossy(valid);
            let last_line = valid.rsplit('\n').next().unwrap_or_default();
            Self::NotUtf8 {
                path: path.to_owned(),
                line: valid.matches('\n').count() + 1,
                column: last_line.chars().count() + 1,
                byte: invalid.first().copied().unwrap_or_default(),
            }
        })
    }
}
