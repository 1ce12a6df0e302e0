//! What can go wrong with a download.

use std::{io, path::PathBuf};

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub cannot be reached, or refuses.
    #[error("the hub does not provide {repo}: {source}")]
    Api {
        /// The repository or file.
        repo: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The address of the hub is not an absolute HTTP URL.
    #[error(
        "the hub's address \"{endpoint}\" is not an http:// or https:// URL: check HF_ENDPOINT"
    )]
    Endpoint {
        /// The address.
        endpoint: String,
    },
    /// The hub's answer holds a value that must not be used as a path.
    #[error(
        "the hub's answer is refused: its {field} is {value:?}, which is not {expected}; \
         check HF_ENDPOINT, this hub cannot be trusted"
    )]
    Malformed {
        /// The part of the answer: `commit`, `entity tag`, `file name`, `SHA-256`.
        field: &'static str,
        /// The value.
        value: String,
        /// The form that it must have.
        expected: &'static str,
    },
    /// The hub redirects to a URL that cannot be followed.
    #[error("the hub redirects {url} to {location:?}, which cannot be followed")]
    Redirect {
        /// The URL that was asked for.
        url: String,
        /// The target of the redirect; empty when there are too many of them.
        location: String,
    },
    /// The repository holds no diffusers folder.
    #[error("{repo} holds no diffusers folder with .safetensors files")]
    NoModel {
        /// The repository.
        repo: String,
    },
    /// The repository does not hold the file.
    #[error("{repo} does not hold {file}")]
    NoFile {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },
    /// The connection ended before the file was complete.
    #[error(
        "{file} arrived in part: {found} of {expected} bytes; run the download again to resume"
    )]
    Incomplete {
        /// The file, below the model's folder.
        file: String,
        /// Bytes on disk.
        found: u64,
        /// Bytes of the whole file.
        expected: u64,
    },
    /// A file arrived, but not the one in the listing.
    #[error(
        "the SHA-256 of {path} differs from the hub's listing: it was removed, download it again"
    )]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// Another process downloads the same file.
    #[error("another process downloads {path}: wait for it, then try again")]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// A file of the cache cannot be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `write`, `create`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl HubError {
    /// Names the file in an error of the system.
    pub(super) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
