//! Errors of downloads.

use std::{io, path::PathBuf};

/// An error of a download.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A server cannot be reached, or does not respond in time.
    #[error("cannot request {name} from the hub: {source}; {}", check(*.proxy))]
    Api {
        /// The repository or file.
        name: String,
        /// The cause.
        source: Box<ureq::Error>,
        /// The variable of the environment that names the proxy, if one is used.
        proxy: Option<&'static str>,
    },
    /// The proxy that the environment names cannot be used. Nothing was requested.
    #[error(
        "the proxy in {variable} cannot be used: {reason}; set {variable} to an http:// or https:// proxy, or unset it"
    )]
    Proxy {
        /// The variable of the environment.
        variable: &'static str,
        /// The reason, without the value of the variable.
        reason: String,
    },
    /// A server does not provide the repository or file.
    #[error("the hub does not provide {name}: it returns status {status}; {}", remedy(*.status))]
    Status {
        /// The repository or file.
        name: String,
        /// The HTTP status.
        status: u16,
    },
    /// The connection ends within the body of a response, or the body arrives too slowly.
    #[error("the hub's response for {name} is interrupted: {source}; try again")]
    Body {
        /// The repository or file.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// The listing is not the JSON of a hub.
    #[error("the hub's listing of {repo} is invalid: {source}; check HF_ENDPOINT")]
    Listing {
        /// The repository.
        repo: String,
        /// The line, the column and the reason.
        source: serde_json::Error,
    },
    /// The listing is too large.
    #[error("the hub's listing of {repo} is larger than {limit} bytes; check HF_ENDPOINT")]
    ListingTooLarge {
        /// The repository.
        repo: String,
        /// The maximum size in bytes.
        limit: u64,
    },
    /// There is no folder for the cache.
    #[error("there is no home folder for downloads: set HF_HOME to a folder")]
    NoHome,
    /// The address of the hub is not an absolute HTTP URL, or its port is not a number below 65536.
    #[error(
        "the hub's address \"{endpoint}\" is not an http:// or https:// URL with a valid port: check HF_ENDPOINT"
    )]
    Endpoint {
        /// The address, without user information and query.
        endpoint: String,
    },
    /// The hub's response has a value that cannot safely be used as a path.
    #[error(
        "the hub's response is invalid: its {field} is {value:?}, which is not {expected}; \
         check HF_ENDPOINT, this hub cannot be trusted"
    )]
    Malformed {
        /// The field: `commit`, `file name`, `size`, `SHA-256`, `blob id`.
        field: &'static str,
        /// The value.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
    /// The hub redirects to a URL that cannot be followed.
    #[error(
        "the hub redirects {url} to {location:?}, which is not followed: \
             redirects must be https:// URLs, or http:// URLs if HF_ENDPOINT is one"
    )]
    Redirect {
        /// The requested URL, without user information and query.
        url: String,
        /// The target of the redirect, likewise. Empty if there is none.
        location: String,
    },
    /// The hub redirects too often, possibly in a circle.
    #[error("the hub redirects {url} more than {limit} times; check HF_ENDPOINT")]
    TooManyRedirects {
        /// The requested URL, without user information and query.
        url: String,
        /// The maximum number of redirects.
        limit: usize,
    },
    /// The hub returns another range of a file than the requested one.
    #[error(
        "the hub returns the range {found:?} of {file}, but byte {from} and all that follow were \
         requested; run the download again"
    )]
    Range {
        /// The file, below the model's folder.
        file: String,
        /// The first requested byte.
        from: u64,
        /// The `Content-Range` of the response. Empty if it has none.
        found: String,
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
    /// The part of a repository has no safetensors weights.
    #[error("{repo} has no .safetensors weights {place}: {hint}")]
    NoWeights {
        /// The repository.
        repo: String,
        /// The place in the repository, in words.
        place: String,
        /// What it has instead, and the remedy.
        hint: String,
    },
    /// The part of a repository has several weights with unusual names.
    #[error("{repo} has several weights {place}: choose one with --file: {files}")]
    SeveralWeights {
        /// The repository.
        repo: String,
        /// The place in the repository, in words.
        place: String,
        /// The files.
        files: String,
    },
    /// The requested file is a pickle.
    #[error(
        "{file} of {repo} is a pickle, which can run code when it is loaded, and is never downloaded: \
         choose a .safetensors file"
    )]
    Pickle {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },
    /// The folder for a component has another file with the name of a downloaded one.
    #[error(
        "{path} is there with other contents, and nothing is overwritten: move it away, or choose another folder"
    )]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// No model has this variant of the weights.
    #[error("{repo} has no weights of the variant {variant:?}: leave the variant out")]
    NoVariant {
        /// The repository.
        repo: String,
        /// The variant.
        variant: String,
    },
    /// No request may be sent.
    #[error("{repo} is not requested, because HF_HUB_OFFLINE is set: unset it to use the hub")]
    Offline {
        /// The repository.
        repo: String,
    },
    /// The name of a repository has another form.
    #[error("{repo:?} is not the name of a repository: write OWNER/NAME")]
    RepoName {
        /// The name.
        repo: String,
    },
    /// The cache has no such repository.
    #[error("{repo} is not in the cache {cache}; `illustrate models list` lists what is there")]
    NotCached {
        /// The repository.
        repo: String,
        /// The folder of the cache.
        cache: PathBuf,
    },
    /// The download or the copy was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The hub sends a file of another size than the listing promises.
    #[error(
        "{file} has {found} bytes, but the hub's listing says {expected}; check HF_ENDPOINT, or \
         download another revision"
    )]
    Size {
        /// The file, below the model's folder.
        file: String,
        /// The size of the response in bytes.
        found: u64,
        /// The size in the listing in bytes.
        expected: u64,
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
        "the {hash} of {file} differs from the hub's listing: the file was removed, download it \
         again"
    )]
    Differs {
        /// The file, below the model's folder.
        file: String,
        /// The kind of the hash: `SHA-256` or `git blob id`.
        hash: &'static str,
    },
    /// Another process is downloading the same file.
    #[error("another process is downloading {path}: wait for it, then try again")]
    Busy {
        /// The unfinished file.
        path: PathBuf,
    },
    /// The cache has a link, a file with several names (hard links), or another kind of file where
    /// a download writes. It may lead to files outside the cache.
    #[error(
        "{path} is {found}, and a download only writes into its own files and folders: move it away, \
         then try again"
    )]
    NotOwn {
        /// The file or folder.
        path: PathBuf,
        /// `a link`, ...
        found: &'static str,
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

    /// Whether another request may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Api { .. } | Self::Body { .. } | Self::Range { .. } | Self::Incomplete { .. } => {
                true
            }
            // Request timeout, range not satisfiable, too many requests, errors of the server.
            Self::Status { status, .. } => matches!(status, 408 | 416 | 429 | 500..=599),
            _ => false,
        }
    }
}

/// The remedy for a request without a response.
fn check(proxy: Option<&str>) -> String {
    match proxy {
        None => "check the connection and HF_ENDPOINT".to_owned(),
        Some(variable) => format!("check the connection, HF_ENDPOINT and the proxy in {variable}"),
    }
}

/// The remedy for a status of the hub.
fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "accept the terms on the model's page if it has some, and log in with `hf auth login`"
        }
        404 => "check the name and the revision",
        408 | 429 | 500..=599 => "try again later",
        _ => "check HF_ENDPOINT",
    }
}
