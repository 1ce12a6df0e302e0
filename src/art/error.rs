//! Errors of an art folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{TakeId, picture_file::EncodeError};
use crate::{
    generator::MissingBlob, lfs::LfsPointer, picture::TooManyPixels, recipe::BlobError,
    storyboard::ShotId,
};

/// An error of reading or writing an art folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtError {
    /// An operation on a file failed: disk full, folder read-only, ...
    #[error("cannot {what} {path}: {source}{}", what_to_do(what, .source))]
    Io {
        /// `write`, `read`, `create`, ...
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The I/O error.
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
    /// A subfolder of the art folder is a link. Nothing is written to its target, or deleted there.
    #[error(
        "{path} is a link to another folder: remove the link, and a folder is created in its place"
    )]
    LinkedFolder {
        /// The link.
        path: PathBuf,
    },
    /// The folder was moved, removed or replaced while it was open.
    #[error(
        "the art folder {path} was moved, removed or replaced while it was open: restart this program"
    )]
    Moved {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was opened read-only, with [`Art::read`](super::Art::read).
    #[error("the art folder {path} is open read-only: open it for writing to change it")]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// The ledger cannot be parsed. The file is never overwritten.
    #[error(
        "{path}:{line}:{column}: {message}: correct the file, or move it away to start without accepted takes and your own words"
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The error of the RON parser.
        message: String,
    },
    /// The marks of a take cannot be parsed. The file is never overwritten: when new marks are saved, it is renamed to
    /// `<take>.broken-1.json`.
    #[error(
        "{path}: {message}: correct the file, or mark the parts again; a copy of the file is kept"
    )]
    Marks {
        /// The file.
        path: PathBuf,
        /// The reason.
        message: String,
    },
    /// A file is a Git LFS pointer. It is not replaced.
    #[error("{path}: {source}")]
    LfsPointer {
        /// The file.
        path: PathBuf,
        /// The error.
        source: LfsPointer,
    },
    /// A picture file cannot be decoded.
    #[error("{path} is not a readable picture: {message}: draw it again")]
    Picture {
        /// The file.
        path: PathBuf,
        /// The reason.
        message: String,
    },
    /// A picture file is too large to be decoded.
    #[error("{path} is too large to be opened: scale it down")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file of a mask or an image is missing.
    #[error("{path} is missing: mark the part again, or choose the image again")]
    NoBlob {
        /// The file.
        path: PathBuf,
    },
    /// A mask or an image cannot be encoded or decoded.
    #[error("{path}: {source}: mark the part again, or choose the image again")]
    Blob {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: BlobError,
    },
    /// A mask of an edit is an image, or the other way round.
    #[error(transparent)]
    OtherBlob(#[from] MissingBlob),
    /// The masks and images of a recipe, or the marks on a take, need too much memory.
    #[error(transparent)]
    BlobsTooLarge(#[from] TooManyPixels),
    /// A picture could not be read back if it was written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<EncodeError>,
    },
    /// A file is a link that leads out of the art folder. It is not followed.
    #[error("{path} is a link that leads out of the art folder: replace it by the file itself")]
    LinkedFile {
        /// The link.
        path: PathBuf,
    },
    /// The shot has no take with this name.
    #[error("shot {shot} has no take {take}")]
    NoSuchTake {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
}

impl ArtError {
    /// Returns a function that adds the file to an I/O error.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }

    /// Checks the first bytes of a file.
    ///
    /// # Errors
    /// [`Self::LfsPointer`].
    pub(super) fn check_pointer(path: &Path, first: &[u8]) -> Result<(), Self> {
        LfsPointer::check(first)
            .map_err(|source| Self::LfsPointer { path: path.to_owned(), source })
    }
}

fn what_to_do(what: &str, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => {
            ": a folder has the name of a file that is needed, move it away"
        }
        io::ErrorKind::CrossesDevices => {
            ": the folders of an art folder must be on one file system, so unmount it or choose another art folder"
        }
        _ if what == "lock" => {
            ": this file system may have no locks, choose an art folder on another one"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": free some space and try again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": make it writable, or choose another art folder"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file has the name of a folder that is needed, move it away"
        }
        _ => "",
    }
}
