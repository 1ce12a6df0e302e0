//! What can go wrong with an art folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::TakeId;
use crate::storyboard::ShotId;

/// Why an art folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtError {
    /// The system refused: disk full, folder read-only, ...
    #[error("cannot {what} {path}: {source}{}", what_to_do(.source))]
    Io {
        /// `write`, `read`, `create`, ...
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error(
        "another program has the art folder {path} open: close it, or give this one another folder"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that must lie in the art folder is a link to another place. Nothing is written or
    /// deleted behind it.
    #[error("{path} is a link to another folder: remove the link, a real folder is created then")]
    LinkedFolder {
        /// The link.
        path: PathBuf,
    },
    /// The folder was opened with [`Art::read`](super::Art::read).
    #[error("the art folder {path} is open for looking only: nothing can be written")]
    LookingOnly {
        /// The folder.
        path: PathBuf,
    },
    /// The text of the ledger cannot be read. It is never overwritten then.
    #[error(
        "{path}:{line}:{column}: {message}: correct it there, or move the file away to begin without accepted takes and words of your own"
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What RON said.
        message: String,
    },
    /// What was marked on a take cannot be read. It is never overwritten: when the take's parts are marked
    /// anew it is set aside as `<take>.broken-1.json`.
    #[error("{path}: {message}: correct it there, or mark the parts anew, which keeps this file")]
    Marks {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A picture file cannot be read as a picture.
    #[error("{path} is no picture: {message}: draw it again")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The take is not there.
    #[error("shot {shot} has no take {take}")]
    NoSuchTake {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
}

impl ArtError {
    /// What turns a refusal of the system into an error that names the file.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

fn what_to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": free some space and try again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": make it writable, or choose another art folder"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file stands where a folder should be, move it away"
        }
        _ => "",
    }
}
