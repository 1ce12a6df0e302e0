//! Downloads a diffusers folder, one component such as an adapter, or MobileSAM's weights, from the Hugging Face hub.
//!
//! A download has two steps, so that it never starts without consent: [`Hub::list`] returns the
//! files, their sizes and the licence, and fetches no file; [`Listing::download`] fetches them.
//! Only the components that run here are fetched, and of them only safetensors, JSON and text
//! files. A download that was interrupted resumes. [`Listing::copy_into`] copies a component into a model.
//!
//! The hub's responses are not trusted. Commits, hashes and file names become paths in the cache, so
//! each is validated first. A file is checked against the size and the hash in the listing (SHA-256,
//! or git's blob id) before it appears under its name, and no more bytes are written than the
//! listing promises. Each request has time limits. The access token is only sent to the hub's own
//! origin.

mod cache;
mod client;
mod component;
mod digest;
mod error;
mod fetch;
mod limits;
mod listing;
mod part;
mod proxy;
mod transport;
mod tunnel;
mod url;

use std::{collections::BTreeSet, ffi::OsString, io, path::PathBuf};

use hf_hub::{Cache, Repo, RepoType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use client::{Client, Origin};
use limits::Limits;
use proxy::Variables;
use url::{SecretUrl, shown};

use crate::{foreign, text::without_bom};

pub use component::RepoPart;
pub use error::HubError;
pub use listing::{Listing, RemoteFile};

/// Repository and file of MobileSAM's weights as safetensors.
const MOBILE_SAM: (&str, &str) = ("lmz/candle-sam", "mobile_sam-tiny-vitt.safetensors");

/// The most bytes of the file with the access token.
const MAX_TOKEN: u64 = 1 << 20;

/// The public hub, unless `HF_ENDPOINT` names another.
const ENDPOINT: &str = "https://huggingface.co";

/// The characters that are escaped within a part of a URL's path: all but letters, digits and
/// RFC 3986's other unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Called with a file, and the number of bytes of all files that have arrived so far. It decreases
/// if a file must be downloaded from its start again.
pub type OnBytes<'a> = dyn FnMut(&RemoteFile, u64) + 'a;

/// A model hub and the local cache folder for its files.
#[derive(Debug)]
pub struct Hub {
    endpoint: SecretUrl,
    cache: Cache,
    limits: Limits,
    variables: Variables,
}

impl Hub {
    /// The public hub and its usual cache folder; `HF_ENDPOINT` and `HF_HOME` name others.
    ///
    /// # Errors
    /// If there is neither `HF_HOME` nor a home folder, or if `HF_ENDPOINT` is not UTF-8.
    pub fn from_env() -> Result<Self, HubError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let endpoint = match variable("HF_ENDPOINT").map(OsString::into_string) {
            None => ENDPOINT.to_owned(),
            Some(Ok(endpoint)) => endpoint,
            Some(Err(endpoint)) => {
                let endpoint = shown(&endpoint.to_string_lossy());
                return Err(HubError::Endpoint { endpoint });
            }
        };
        Ok(Self::at(endpoint, cache_folder(variable("HF_HOME"), std::env::home_dir())?))
    }

    /// A hub at another address, with another cache folder. The proxy is that of the environment: `HTTPS_PROXY` or
    /// `HTTP_PROXY`, as the address requires, then `ALL_PROXY`, then the other one. `NO_PROXY` lists hosts without it.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: SecretUrl(endpoint.into()),
            cache: Cache::new(cache.into()),
            limits: Limits::default(),
            variables: Variables::of_process(),
        }
    }

    /// Lists the files of a download of this repository, without downloading them. `revision` is a
    /// branch, a tag or a commit.
    ///
    /// # Errors
    /// If the hub cannot be reached, if its response is invalid, or if the repository does not
    /// exist or contains no diffusers folder. [`HubError::Proxy`] if the proxy cannot be used.
    pub fn list(self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let listing =
            self.fetch_listing(repo, revision, |names| Ok(listing::model_files(names)))?;
        let has = |end: &str| listing.files.iter().any(|file| file.path.ends_with(end));
        if has("model_index.json") && has(".safetensors") {
            Ok(listing)
        } else {
            Err(HubError::NoModel { repo: repo.to_owned() })
        }
    }

    /// Lists the files of one component in a repository, without downloading them: an adapter, a CLIP model, a small
    /// autoencoder. [`Listing::copy_into`] copies them into a model.
    ///
    /// # Errors
    /// As [`Self::list`]. [`HubError::NoWeights`] or [`HubError::SeveralWeights`] if the part of the repository is not one
    /// component with safetensors weights, [`HubError::NoFile`] if it does not have the file.
    pub fn list_component(
        self,
        repo: &str,
        revision: &str,
        part: RepoPart<'_>,
    ) -> Result<Listing, HubError> {
        self.fetch_listing(repo, revision, |names| component::select(repo, part, names))
    }

    /// Lists the files of a download of MobileSAM's weights, without downloading them.
    /// [`Sam`](crate::mask::sam::Sam) reads these weights.
    ///
    /// # Errors
    /// If the hub cannot be reached or no longer has the weights. [`HubError::Proxy`] if the proxy cannot be used.
    pub fn list_mobile_sam(self) -> Result<Listing, HubError> {
        let (repo, file) = MOBILE_SAM;
        let select = |mut names: BTreeSet<String>| {
            names.retain(|name| name == file);
            Ok(names)
        };
        let listing = self.fetch_listing(repo, "main", select)?;
        if listing.files.is_empty() {
            return Err(HubError::NoFile { repo: repo.to_owned(), file: file.to_owned() });
        }
        Ok(listing)
    }

    /// The folder of the cache, with the downloaded models.
    #[must_use]
    pub fn cache_folder(&self) -> PathBuf {
        self.cache.path().clone()
    }

    /// The path of MobileSAM's weights in the cache, if they were downloaded.
    #[must_use]
    pub fn mobile_sam(&self) -> Option<PathBuf> {
        let (repo, file) = MOBILE_SAM;
        let commits = self.cache.repo(Repo::model(repo.to_owned())).pointer_path("");
        let commits = commits.read_dir().ok()?.flatten();
        commits.map(|commit| commit.path().join(file)).find(|file| file.exists())
    }

    /// The access token in the file that Hugging Face's own programs write.
    fn token(&self) -> Option<String> {
        let path = self.cache.token_path();
        let reason = match foreign::read(&path, MAX_TOKEN) {
            Ok(bytes) => {
                let token = String::from_utf8_lossy(without_bom(&bytes)).trim().to_owned();
                if token.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Some(token).filter(|token| !token.is_empty());
                }
                // No header can contain it.
                "it contains characters that no token has; log in again with `hf auth login`"
                    .to_owned()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => error.to_string(),
        };
        log::warn!("the access token in {} is not used: {reason}", path.display());
        None
    }

    fn fetch_listing(
        self,
        repo: &str,
        revision: &str,
        select: impl FnOnce(BTreeSet<String>) -> Result<BTreeSet<String>, HubError>,
    ) -> Result<Listing, HubError> {
        let origin = Origin::parse(&self.endpoint.0)?;
        let proxy = self.variables.proxy(origin.is_encrypted())?;
        let client = Client::new(origin, self.token().map(Into::into), proxy, self.limits);
        let endpoint = self.endpoint.0.trim_end_matches('/');
        let revision = utf8_percent_encode(revision, RESERVED);
        let repo_path = url_path(repo);
        let url = format!("{endpoint}/api/models/{repo_path}/revision/{revision}?blobs=true");
        let answer = listing::Answer::parse(repo, &client.listing(repo, &url)?)?;
        let commit = answer.commit()?;
        // Use files of one commit only, even if the branch changes during the download.
        let snapshot = Repo::with_revision(repo.to_owned(), RepoType::Model, commit.clone());
        Ok(Listing {
            licence: answer.licence(),
            files: answer.into_files(select)?,
            fetcher: fetch::Fetcher {
                client,
                files_url: SecretUrl(format!("{endpoint}/{repo_path}/resolve/{commit}")),
                snapshot: self.cache.repo(snapshot).pointer_path(&commit),
            },
            commit,
        })
    }
}

/// The usual cache folder, from the value of `HF_HOME` and the home folder of the user.
fn cache_folder(hf_home: Option<OsString>, home: Option<PathBuf>) -> Result<PathBuf, HubError> {
    let home = home.filter(|home| !home.as_os_str().is_empty());
    let root = hf_home.map(PathBuf::from);
    let root = root.or_else(|| Some(home?.join(".cache").join("huggingface")));
    Ok(root.ok_or(HubError::NoHome)?.join("hub"))
}

/// Escapes a path for a URL.
fn url_path(path: &str) -> String {
    let parts = path.split('/').map(|part| utf8_percent_encode(part, RESERVED).to_string());
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
