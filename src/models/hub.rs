//! Download of a diffusers folder, or of MobileSAM's weights, from the Hugging Face hub.
//!
//! Two steps, so that nothing starts unasked: [`Hub::list`] tells what would come (files, sizes,
//! licence) and fetches no file; [`Listing::download`] fetches it. Only the parts that run here are
//! taken, and of them only safetensors, JSON and text files. A download that was cut off goes on
//! where it stopped, and each weight file is checked against the SHA-256 that the hub tells.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use hf_hub::{
    Cache, CacheRepo, Repo, RepoType,
    api::{
        Progress,
        sync::{ApiBuilder, ApiError, ApiRepo},
    },
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The parts of a pipeline that run here; a safety checker, for one, would be fetched for nothing.
const PARTS: [&str; 5] = ["scheduler", "text_encoder", "tokenizer", "unet", "vae"];

/// Repository and file of MobileSAM's weights as safetensors.
const MOBILE_SAM: (&str, &str) = ("lmz/candle-sam", "mobile_sam-tiny-vitt.safetensors");

/// Where models come from and where they are kept.
#[derive(Debug)]
pub struct Hub {
    api: ApiBuilder,
    cache: Cache,
}

/// What a download would bring.
#[derive(Debug)]
pub struct Listing {
    /// The commit that it stands for, as the hub names it.
    pub commit: String,
    /// The licence that the model card names.
    pub licence: Option<String>,
    /// The files, in the hub's order.
    pub files: Vec<RemoteFile>,
    repo: ApiRepo,
    here: CacheRepo,
}

/// A file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path below the model's folder.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    sha256: Option<String>,
}

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub cannot be asked, or says no.
    #[error("the hub does not give {repo}: {source}")]
    Api {
        /// The repository.
        repo: String,
        /// What went wrong.
        source: ApiError,
    },
    /// The repository holds no diffusers folder.
    #[error("{repo} holds no diffusers folder with .safetensors files")]
    NoModel {
        /// The repository.
        repo: String,
    },
    /// The repository holds no such file.
    #[error("{repo} holds no {file}")]
    NoFile {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },
    /// A file arrived, but not the one that the hub promised.
    #[error(
        "{path} is not what the hub promised (its SHA-256 differs): it was removed, download it again"
    )]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// The file that arrived cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Called with the bytes that came since the last call, and the file that they belong to.
pub type OnBytes<'a> = dyn FnMut(&RemoteFile, u64) + 'a;

impl Hub {
    /// The public hub and its usual cache folder; `HF_ENDPOINT` and `HF_HOME` name others.
    #[must_use]
    pub fn from_env() -> Self {
        Self { api: ApiBuilder::from_env(), cache: Cache::from_env() }
    }

    /// Another address and cache folder.
    #[must_use]
    pub fn at(endpoint: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        let cache = Cache::new(cache.into());
        let api = ApiBuilder::from_cache(cache.clone()).with_endpoint(endpoint.into());
        Self { api, cache }
    }

    /// Tells what a download of this repository would bring, and downloads nothing. `revision` is a
    /// branch, a tag or a commit.
    ///
    /// # Errors
    /// When the hub cannot be asked, does not know the repository, or it holds no diffusers folder.
    pub fn list(self, repo: &str, revision: &str) -> Result<Listing, HubError> {
        let listing = self.listing(repo, revision, wanted)?;
        let has = |end: &str| listing.files.iter().any(|file| file.path.ends_with(end));
        if has("model_index.json") && has(".safetensors") {
            Ok(listing)
        } else {
            Err(HubError::NoModel { repo: repo.to_owned() })
        }
    }

    /// Tells what a download of MobileSAM's weights would bring ([`Sam`](crate::mask::sam::Sam) reads them),
    /// and downloads nothing.
    ///
    /// # Errors
    /// When the hub cannot be asked, or does not have them any more.
    pub fn list_mobile_sam(self) -> Result<Listing, HubError> {
        let (repo, file) = MOBILE_SAM;
        let wanted = |mut siblings: Vec<Sibling>| {
            siblings.retain(|sibling| sibling.rfilename == file);
            siblings.into_iter().map(Into::into).collect()
        };
        let listing = self.listing(repo, "main", wanted)?;
        if listing.files.is_empty() {
            return Err(HubError::NoFile { repo: repo.to_owned(), file: file.to_owned() });
        }
        Ok(listing)
    }

    /// MobileSAM's weights, if they were downloaded before.
    #[must_use]
    pub fn mobile_sam(&self) -> Option<PathBuf> {
        let (repo, file) = MOBILE_SAM;
        let commits = self.cache.repo(Repo::model(repo.to_owned())).pointer_path("");
        let commits = commits.read_dir().ok()?.flatten();
        commits.map(|commit| commit.path().join(file)).find(|file| file.exists())
    }

    fn listing(
        self,
        repo: &str,
        revision: &str,
        wanted: impl FnOnce(Vec<Sibling>) -> Vec<RemoteFile>,
    ) -> Result<Listing, HubError> {
        let failed = |source| HubError::Api { repo: repo.to_owned(), source };
        let api = self.api.with_retries(3).build().map_err(failed)?;
        let named = |revision: &str| {
            Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned())
        };
        let request = api.repo(named(revision)).info_request().query("blobs", "true");
        let ask = || -> Result<Answer, ureq::Error> { request.call()?.body_mut().read_json() };
        let answer = ask().map_err(|error| failed(Box::new(error).into()))?;
        // Files of one commit belong together, even when the branch moves on while they come.
        let repo = api.repo(named(&answer.sha));
        let here = self.cache.repo(named(&answer.sha));
        let licence = answer.card.and_then(|card| card.license_name.or(card.license));
        Ok(Listing { commit: answer.sha, licence, files: wanted(answer.siblings), repo, here })
    }
}

impl Listing {
    /// Size of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Downloads what is not there yet, and returns the folder that holds it all.
    ///
    /// # Errors
    /// When the hub stops answering, a file differs from what it promised, or the disk refuses. What
    /// has come so far stays, and the next call goes on from there.
    pub fn download(&self, on_bytes: &mut OnBytes<'_>) -> Result<PathBuf, HubError> {
        for file in &self.files {
            if self.here.get(&file.path).is_some() {
                continue;
            }
            let progress = Report { file, on_bytes };
            let path = self
                .repo
                .download_with_progress(&file.path, progress)
                .map_err(|source| HubError::Api { repo: file.path.clone(), source })?;
            file.check(&path)?;
        }
        Ok(self.here.pointer_path(&self.commit))
    }
}

impl RemoteFile {
    /// Compares a file that has come with what the hub promised.
    fn check(&self, path: &Path) -> Result<(), HubError> {
        let Some(promised) = &self.sha256 else { return Ok(()) };
        let read = |source| HubError::Read { path: path.to_path_buf(), source };
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path).map_err(read)?, &mut hash).map_err(read)?;
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == *promised {
            return Ok(());
        }
        // The link in the folder and the file that it points to, so that the next download is whole.
        if let Ok(blob) = path.canonicalize() {
            std::fs::remove_file(blob).map_err(read)?;
        }
        Err(HubError::Differs { path: path.to_path_buf() })
    }
}

/// What we take of a repository.
fn wanted(siblings: Vec<Sibling>) -> Vec<RemoteFile> {
    let names: BTreeSet<String> = siblings.iter().map(|s| s.rfilename.clone()).collect();
    let kept = |path: &str| match path.split_once('/') {
        None => path == "model_index.json" || path == "README.md" || path.starts_with("LICENSE"),
        Some((part, file)) => {
            // Of two precisions the full one; `model.non_ema.safetensors` is for training.
            let twin = ["fp16", "non_ema"].iter().any(|variant| {
                let whole = path.replace(&format!(".{variant}."), ".");
                whole != path && names.contains(&whole)
            });
            let known = matches!(file.rsplit_once('.'), Some((_, "safetensors" | "json" | "txt")));
            PARTS.contains(&part) && !file.contains(['/', '\\']) && known && !twin
        }
    };
    siblings.into_iter().filter(|sibling| kept(&sibling.rfilename)).map(Into::into).collect()
}

impl From<Sibling> for RemoteFile {
    fn from(sibling: Sibling) -> Self {
        Self {
            path: sibling.rfilename,
            bytes: sibling.size.unwrap_or(0),
            sha256: sibling.lfs.map(|lfs| lfs.sha256),
        }
    }
}

/// What the hub says of a repository.
#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
    #[serde(rename = "cardData")]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    license: Option<String>,
    license_name: Option<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
}

struct Report<'a, 'b> {
    file: &'a RemoteFile,
    on_bytes: &'a mut OnBytes<'b>,
}

impl Progress for Report<'_, '_> {
    fn init(&mut self, _size: usize, _filename: &str) {}

    fn update(&mut self, bytes: usize) {
        (self.on_bytes)(self.file, bytes as u64);
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests;
