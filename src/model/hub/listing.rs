//! The hub's description of a repository, and the files that a model needs.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use super::{HubError, OnBytes, fetch::Fetcher};
use crate::model::detect::component_names;

/// The files of a download.
#[derive(Debug)]
pub struct Listing {
    /// The commit that the files belong to.
    pub commit: String,
    /// The licence that the model card names.
    pub licence: Option<String>,
    /// The files, in the hub's order.
    pub files: Vec<RemoteFile>,
    pub(super) fetcher: Fetcher,
}

/// A file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path below the model's folder, with `/` between its parts.
    pub path: String,
    /// The size in bytes. 0 if the hub does not report it.
    pub bytes: u64,
    /// 64 hex digits.
    pub(super) sha256: Option<String>,
}

impl Listing {
    /// The total size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// Downloads the files that are not in the cache yet. Returns the folder with all files.
    ///
    /// # Errors
    /// If the connection fails, if a response is invalid, if a file differs from the listing, or if
    /// it cannot be written. Received bytes are kept, and the next call resumes the download.
    pub fn download(&self, on_bytes: &mut OnBytes<'_>) -> Result<PathBuf, HubError> {
        for file in &self.files {
            self.fetcher.fetch(file, on_bytes)?;
        }
        Ok(self.fetcher.snapshot.clone())
    }
}

/// The hub's description of a repository.
#[derive(Deserialize)]
pub(super) struct Answer {
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

impl Answer {
    /// The commit.
    ///
    /// # Errors
    /// [`HubError::Malformed`] if the commit is not a hash.
    pub(super) fn commit(&self) -> Result<String, HubError> {
        hash("commit", &self.sha)
    }

    pub(super) fn licence(&self) -> Option<String> {
        let card = self.card.as_ref()?;
        card.license_name.clone().or_else(|| card.license.clone())
    }

    /// All files of the repository.
    ///
    /// # Errors
    /// [`HubError::Malformed`] if a file name leaves the folder or a SHA-256 is invalid.
    pub(super) fn into_files(self) -> Result<Vec<RemoteFile>, HubError> {
        self.siblings.into_iter().map(Sibling::into_file).collect()
    }
}

impl Sibling {
    fn into_file(self) -> Result<RemoteFile, HubError> {
        if !is_relative(&self.rfilename) {
            return Err(HubError::Malformed {
                field: "file name",
                value: self.rfilename,
                expected: "a relative path without `..`",
            });
        }
        let sha256 = match self.lfs {
            Some(lfs) if !is_hash(&lfs.sha256, &[64]) => {
                let (field, expected) = ("SHA-256", "64 hex digits");
                return Err(HubError::Malformed { field, value: lfs.sha256, expected });
            }
            lfs => lfs.map(|lfs| lfs.sha256.to_ascii_lowercase()),
        };
        Ok(RemoteFile { path: self.rfilename, bytes: self.size.unwrap_or(0), sha256 })
    }
}

/// A commit or entity tag of the hub: SHA-1 or SHA-256 in hex digits, so that it is a safe file name.
///
/// # Errors
/// [`HubError::Malformed`] for any other value.
pub(super) fn hash(field: &'static str, value: &str) -> Result<String, HubError> {
    if is_hash(value, &[40, 64]) {
        return Ok(value.to_ascii_lowercase());
    }
    Err(HubError::Malformed { field, value: value.to_owned(), expected: "40 or 64 hex digits" })
}

fn is_hash(value: &str, lengths: &[usize]) -> bool {
    lengths.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a file name stays below the folder that it is joined to, on every system: no `..`, no
/// root, no drive, no backslash.
fn is_relative(name: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(_));
    !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && name.split('/').all(|part| !part.is_empty() && part != ".")
        && Path::new(name).components().all(plain)
}

/// The files of a diffusers folder that are needed here. Others, such as those of a safety checker,
/// are left out.
pub(super) fn model_files(mut files: Vec<RemoteFile>) -> Vec<RemoteFile> {
    let names: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    let is_component = |part: &str| component_names().any(|name| name == part);
    let needed = |path: &str| match path.split_once('/') {
        None => path == "model_index.json" || path == "README.md" || path.starts_with("LICENSE"),
        Some((part, file)) => {
            // Prefer full precision if both exist; `model.non_ema.safetensors` is for training.
            let has_full_twin = ["fp16", "non_ema"].iter().any(|variant| {
                let full = path.replace(&format!(".{variant}."), ".");
                full != path && names.contains(&full)
            });
            let is_data =
                matches!(file.rsplit_once('.'), Some((_, "safetensors" | "json" | "txt")));
            is_component(part) && !file.contains('/') && is_data && !has_full_twin
        }
    };
    files.retain(|file| needed(&file.path));
    files
}
