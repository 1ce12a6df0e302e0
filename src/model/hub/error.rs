//! Errors of downloads.

use std::{io, path::PathBuf};

/// An error of a download.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub cannot be reached, or returns an error.
    #[error("the hub does not provide {repo}: {source}")]
    Api {
        /// The repository or file.
        repo: String,
        /// The cause.
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
    /// The hub's response has a value that cannot safely be used as a path.
    #[error(
        "the hub's response is invalid: its {field} is {value:?}, which is not {expected}; \
         check HF_ENDPOINT, this hub cannot be trusted"
    )]
    Malformed {
        /// The field: `commit`, `entity tag`, `file name`, `SHA-256`.
        field: &'static str,
        /// The value.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
    /// The hub redirects to a URL that cannot be followed.
    #[error("the hub redirects {url} to {location:?}, which cannot be followed")]
    Redirect {
        /// The requested URL.
        url: String,
        /// The target of the redirect. Empty if there were too many redirects.
        location: String,
    },
    /// The repository contains no diffusers folder.
    #[error("{repo} contains no diffusers folder with .safetensors files")]
    NoModel {
        /// The repository.
        repo: String,
    },
    /// The repository does not contain the file.
    #[error("{repo} does not contain {file}")]
    NoFile {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },
    /// The connection ended before the file was complete.
    #[error("{file} is incomplete: {found} of {expected} bytes; run the download again to resume")]
    Incomplete {
        /// The file, below the model's folder.
        file: String,
        /// Bytes on disk.
        found: u64,
        /// Bytes of the whole file.
        expected: u64,
    },
    /// The contents of a file differ from the listing.
    #[error(
        "the SHA-256 of {path} differs from the hub's listing: it was removed, download it again"
    )]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// Another process is downloading the same file.
    #[error("another process is downloading {path}: wait for it, then try again")]
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
        /// The I/O error.
        source: io::Error,
    },
}

impl HubError {
    /// Adds the file to an I/O error.
    pub(super) fn io(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
