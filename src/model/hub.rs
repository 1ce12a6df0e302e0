//! Downloads a diffusers folder, or MobileSAM's weights, from the Hugging Face hub.
//!
//! A download has two steps, so that it never starts without consent: [`Hub::list`] returns the
//! files, their sizes and the licence, and fetches no file; [`Listing::download`] fetches them.
//! Only the components that run here are fetched, and of them only safetensors, JSON and text
//! files. A download that was interrupted resumes, and each weight file is checked against the
//! SHA-256 in the listing.
//!
//! The hub's responses are not trusted: commits, entity tags and file names become paths in the
//! cache, so each is validated first. The access token is only sent to the hub's own origin.

mod client;
mod error;
mod fetch;
mod listing;

use std::path::PathBuf;

use hf_hub::{Cache, Repo, RepoType};

use client::{Client, Origin};

pub use error::HubError;
pub use listing::{Listing, RemoteFile};

/// Repository and file of MobileSAM's weights as safetensors.
const MOBILE_SAM: (&str, &str) = ("lmz/candle-sam", "mobile_sam-tiny-vitt.safetensors");

/// The public hub, unless `HF_ENDPOINT` names another.
const ENDPOINT: &str = "https://huggingface.co";

/// Called with a file and the number of bytes received since the last call.
pub type OnBytes<'a> = dyn FnMut(&RemoteFile, u64) + 'a;

/// A model hub and the local cache folder for its files.
#[derive(Debug)]
pub struct Hub {
    endpoint: String,
    cache: Cache,
}

impl Hub {
    /// The public hub and its usual cache folder; `HF_ENDPOINT` and `HF_HOME` name others.
    #[must_use]
    pub fn from_env() -> Self {
        let endpoint = std::env::var("HF_ENDPOINT").unwrap_or_else(|_| ENDPOINT.to_owned());
        Self { endpoint, cache: Cache::from_env() }
    }

    /// A hub at another address, with another cache folder.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self { endpoint: endpoint.into(), cache: Cache::new(cache.into()) }
    }

    /// Lists the files of a download of this repository, without downloading them. `revision` is a
    /// branch, a tag or a commit.
    ///
    /// # Errors
    /// If the hub cannot be reached, if its response is invalid, or if the repository does not
    /// exist or contains no diffusers folder.
    pub fn list(self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let listing = self.fetch_listing(repo, revision, listing::model_files)?;
        let has = |end: &str| listing.files.iter().any(|file| file.path.ends_with(end));
        if has("model_index.json") && has(".safetensors") {
            Ok(listing)
        } else {
            Err(HubError::NoModel { repo: repo.to_owned() })
        }
    }

    /// Lists the files of a download of MobileSAM's weights, without downloading them.
    /// [`Sam`](crate::mask::sam::Sam) reads these weights.
    ///
    /// # Errors
    /// If the hub cannot be reached or no longer has the weights.
    pub fn list_mobile_sam(self) -> Result<Listing, HubError> {
        let (repo, file) = MOBILE_SAM;
        let select = |mut files: Vec<RemoteFile>| {
            files.retain(|remote| remote.path == file);
            files
        };
        let listing = self.fetch_listing(repo, "main", select)?;
        if listing.files.is_empty() {
            return Err(HubError::NoFile { repo: repo.to_owned(), file: file.to_owned() });
        }
        Ok(listing)
    }

    /// The path of MobileSAM's weights in the cache, if they were downloaded.
    #[must_use]
    pub fn mobile_sam(&self) -> Option<PathBuf> {
        let (repo, file) = MOBILE_SAM;
        let commits = self.cache.repo(Repo::model(repo.to_owned())).pointer_path("");
        let commits = commits.read_dir().ok()?.flatten();
        commits.map(|commit| commit.path().join(file)).find(|file| file.exists())
    }

    fn fetch_listing(
        self,
        repo: &str,
        revision: &str,
        select: impl FnOnce(Vec<RemoteFile>) -> Vec<RemoteFile>,
    ) -> Result<Listing, HubError> {
        let origin = Origin::parse(&self.endpoint)?;
        let client = Client::new(origin, self.cache.token());
        let endpoint = self.endpoint.trim_end_matches('/');
        let revision = revision.replace('/', "%2F");
        let url = format!("{endpoint}/api/models/{repo}/revision/{revision}?blobs=true");
        let mut answer = client.get(repo, &url, None)?;
        let answer: listing::Answer = answer
            .body_mut()
            .read_json()
            .map_err(|source| HubError::Api { repo: repo.to_owned(), source: Box::new(source) })?;
        let commit = answer.commit()?;
        // Use files of one commit only, even if the branch changes during the download.
        let snapshot = Repo::with_revision(repo.to_owned(), RepoType::Model, commit.clone());
        Ok(Listing {
            licence: answer.licence(),
            files: select(answer.into_files()?),
            fetcher: fetch::Fetcher {
                client,
                files_url: format!("{endpoint}/{repo}/resolve/{commit}"),
                snapshot: self.cache.repo(snapshot).pointer_path(&commit),
            },
            commit,
        })
    }
}

#[cfg(test)]
mod tests;
