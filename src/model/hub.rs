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
//!
//! The variables of the environment are those of `huggingface_hub`: `HF_ENDPOINT` (a mirror), `HF_HOME` and `HF_HUB_CACHE`
//! (the cache), `HF_TOKEN` (the access token) and `HF_HUB_OFFLINE` (no request is sent).

mod cache;
mod cached;
mod client;
mod component;
mod digest;
mod error;
mod fetch;
mod limits;
mod listing;
mod part;
mod proxy;
mod task;
mod transport;
mod tunnel;
mod url;

use std::{collections::BTreeSet, ffi::OsString, io, path::PathBuf};

use hf_hub::{Cache, Repo, RepoType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use client::{Client, Origin, Token};
use limits::Limits;
use proxy::Variables;
use url::{SecretUrl, shown};

use crate::{foreign, text::without_bom};

pub use component::RepoPart;
pub use error::HubError;
pub use listing::{Listing, RemoteFile};
pub use task::{FetchState, FetchTask};

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
#[derive(Clone, Debug)]
pub struct Hub {
    endpoint: SecretUrl,
    cache: Cache,
    /// The access token of the environment, if there is one.
    token: Option<Token>,
    /// The file in which Hugging Face's own programs keep the access token.
    token_file: Option<PathBuf>,
    /// Whether no request may be sent.
    is_offline: bool,
    limits: Limits,
    variables: Variables,
}

impl Hub {
    /// The public hub and its usual cache folder. The [variables of the environment](self) name others.
    ///
    /// # Errors
    /// If no variable names a cache and there is no home folder, or if `HF_ENDPOINT` is not UTF-8.
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
        let home = hf_home(variable("HF_HOME"), std::env::home_dir());
        let cache = variable("HF_HUB_CACHE").map(PathBuf::from);
        let cache = cache.or_else(|| Some(home.as_ref()?.join("hub"))).ok_or(HubError::NoHome)?;
        let token_file = home.map(|home| home.join("token"));
        let token = variable("HF_TOKEN")
            .and_then(|token| usable_token("HF_TOKEN", &token.to_string_lossy()));
        let is_offline =
            variable("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value.to_string_lossy()));
        Ok(Self { token, token_file, is_offline, ..Self::at(endpoint, cache) })
    }

    /// A hub at another address, with another cache folder. The proxy is that of the environment: `HTTPS_PROXY` or
    /// `HTTP_PROXY`, as the address requires, then `ALL_PROXY`, then the other one. `NO_PROXY` lists hosts without it.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        let cache = Cache::new(cache.into());
        Self {
            endpoint: SecretUrl(endpoint.into()),
            token: None,
            token_file: Some(cache.token_path()),
            cache,
            is_offline: false,
            limits: Limits::default(),
            variables: Variables::of_process(),
        }
    }

    /// Lists the files of a download of this repository, without downloading them. `revision` is a
    /// branch, a tag or a commit.
    ///
    /// # Errors
    /// If the hub cannot be reached, if its response is invalid, or if the repository does not
    /// exist or contains no diffusers folder. [`HubError::Proxy`] if the proxy cannot be used,
    /// [`HubError::Offline`] if no request may be sent.
    pub fn list(self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        self.list_model(repo, revision, None)
    }

    /// As [`Self::list`], with the weights of a variant, such as `fp16`, for the components that have it.
    ///
    /// # Errors
    /// Also [`HubError::NoVariant`] if none has it.
    pub fn list_variant(
        self,
        repo: &str,
        revision: &str,
        variant: &str,
    ) -> Result<Listing, HubError> {
        self.list_model(repo, revision, Some(variant))
    }

    fn list_model(
        self,
        repo: &str,
        revision: &str,
        variant: Option<&str>,
    ) -> Result<Listing, HubError> {
        let select = |names| match variant {
            None => Ok(listing::model_files(names)),
            Some(variant) => listing::variant_files(repo, names, variant),
        };
        let listing = self.fetch_listing(repo, revision, select)?;
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

    /// The access token of the environment, or the one in the file.
    fn token(&self) -> Option<Token> {
        if self.token.is_some() {
            return self.token.clone();
        }
        let path = self.token_file.as_ref()?;
        match foreign::read(path, MAX_TOKEN) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(without_bom(&bytes));
                usable_token(&path.display().to_string(), &text)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                log::warn!("the access token in {} is not used: {error}", path.display());
                None
            }
        }
    }

    fn fetch_listing(
        self,
        repo: &str,
        revision: &str,
        select: impl FnOnce(BTreeSet<String>) -> Result<BTreeSet<String>, HubError>,
    ) -> Result<Listing, HubError> {
        if self.is_offline {
            return Err(HubError::Offline { repo: repo.to_owned() });
        }
        let origin = Origin::parse(&self.endpoint.0)?;
        let proxy = self.variables.proxy(origin.is_encrypted())?;
        let client = Client::new(origin, self.token(), proxy, self.limits);
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

/// The folder of Hugging Face's programs, from the value of `HF_HOME` and the home folder of the user.
fn hf_home(hf_home: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let home = home.filter(|home| !home.as_os_str().is_empty());
    hf_home.map(PathBuf::from).or_else(|| Some(home?.join(".cache").join("huggingface")))
}

/// The token in a text from a place that the warning names, if requests can contain it.
fn usable_token(place: &str, text: &str) -> Option<Token> {
    let token = text.trim();
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        log::warn!(
            "the access token in {place} is not used: it contains characters that no token has; log in again with \
             `hf auth login`"
        );
        return None;
    }
    Some(token).filter(|token| !token.is_empty()).map(|token| token.to_owned().into())
}

/// Whether a variable is set to one of the values that `huggingface_hub` takes for true.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|it| value.trim().eq_ignore_ascii_case(it))
}

/// Escapes a path for a URL.
fn url_path(path: &str) -> String {
    let parts = path.split('/').map(|part| utf8_percent_encode(part, RESERVED).to_string());
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
