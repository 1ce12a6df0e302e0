//! The hub's description of a repository, and the files that a model needs.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use serde::Deserialize;

use super::{
    HubError, OnBytes,
    digest::{self, Digest},
    fetch::Fetcher,
};
use crate::{model::detect::component_names, text::without_bom};

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
    /// The size in bytes.
    pub bytes: u64,
    pub(super) digest: Digest,
}

impl Listing {
    /// The total size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }

    /// Downloads the files that are not in the cache yet. Returns the folder with all files. Files
    /// in the cache are checked against the listing, and those that differ are downloaded again.
    /// `is_cancelled` is asked whenever bytes arrive.
    ///
    /// # Errors
    /// [`HubError::Cancelled`] if `is_cancelled` says so. Also if the connection fails, if a response
    /// is invalid, if a file differs from the listing, or if it cannot be written. Received bytes are
    /// kept, and the next call resumes the download.
    pub fn download(
        &self,
        on_bytes: &mut OnBytes<'_>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<PathBuf, HubError> {
        let mut before: u64 = 0;
        for file in &self.files {
            let mut on_bytes = |found| {
                on_bytes(file, before.saturating_add(found));
                if is_cancelled() { Err(HubError::Cancelled) } else { Ok(()) }
            };
            self.fetcher.fetch(file, &mut on_bytes)?;
            before = before.saturating_add(file.bytes);
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
    license: Option<Licence>,
    license_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Licence {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
}

impl Answer {
    /// # Errors
    /// [`HubError::Listing`].
    pub(super) fn parse(repo: &str, json: &[u8]) -> Result<Self, HubError> {
        serde_json::from_slice(without_bom(json))
            .map_err(|source| HubError::Listing { repo: repo.to_owned(), source })
    }

    /// The commit.
    ///
    /// # Errors
    /// [`HubError::Malformed`] if the commit is not a hash.
    pub(super) fn commit(&self) -> Result<String, HubError> {
        digest::commit(&self.sha)
    }

    pub(super) fn licence(&self) -> Option<String> {
        let card = self.card.as_ref()?;
        let licence = card.license.as_ref().map(|licence| match licence {
            Licence::One(licence) => licence.clone(),
            Licence::Several(licences) => licences.join(", "),
        });
        card.license_name.clone().or(licence)
    }

    /// The files of the repository that `select` returns, of the names of all files.
    ///
    /// # Errors
    /// [`HubError::Malformed`] if any file name leaves the folder, or if a selected file has no
    /// size or no valid hash. Otherwise those of `select`.
    pub(super) fn into_files(
        self,
        select: impl FnOnce(BTreeSet<String>) -> Result<BTreeSet<String>, HubError>,
    ) -> Result<Vec<RemoteFile>, HubError> {
        let names = self.siblings.iter().map(Sibling::name).collect::<Result<_, _>>()?;
        let selected = select(names)?;
        let siblings = self.siblings.into_iter();
        siblings.filter(|file| selected.contains(&file.rfilename)).map(Sibling::into_file).collect()
    }
}

impl Sibling {
    /// The checked name.
    fn name(&self) -> Result<String, HubError> {
        if is_relative(&self.rfilename) {
            return Ok(self.rfilename.clone());
        }
        Err(HubError::Malformed {
            field: "file name",
            value: self.rfilename.clone(),
            expected: "a relative path without `..` and control characters",
        })
    }

    fn into_file(self) -> Result<RemoteFile, HubError> {
        let digest = match self.lfs {
            Some(lfs) => Digest::sha256(&lfs.sha256),
            None => Digest::git_blob(&self.blob_id.unwrap_or_default()),
        };
        let bytes = self.size.ok_or_else(|| HubError::Malformed {
            field: "size",
            value: format!("missing for {}", self.rfilename),
            expected: "a number of bytes",
        })?;
        Ok(RemoteFile { path: self.rfilename, bytes, digest: digest? })
    }
}

/// Whether a file name stays below the folder that it is joined to, on every system: no `..`, no
/// root, no drive, no backslash. Control characters would change what a terminal shows.
fn is_relative(name: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(_));
    !name.is_empty()
        && !name.contains(['\\', ':'])
        && !name.contains(char::is_control)
        && name.split('/').all(|part| !part.is_empty() && part != ".")
        && Path::new(name).components().all(plain)
}

/// As [`model_files`], with the weights of a variant for the components that have it.
///
/// # Errors
/// [`HubError::NoVariant`] if none has it.
pub(super) fn variant_files(
    repo: &str,
    names: BTreeSet<String>,
    variant: &str,
) -> Result<BTreeSet<String>, HubError> {
    // `model.fp16.safetensors`, `model.fp16-00001-of-00002.safetensors`, `model.safetensors.index.fp16.json`
    let (inside, before) = (format!(".{variant}."), format!(".{variant}-"));
    let is_variant = |path: &str| path.contains(&inside) || path.contains(&before);
    let is_weights =
        |path: &str| path.ends_with(".safetensors") || path.contains(".safetensors.index.");
    let folder = |path: &str| path.split_once('/').map(|(folder, _)| folder.to_owned());
    let with_variant: BTreeSet<_> = names
        .iter()
        .filter(|path| is_weights(path) && is_variant(path))
        .filter_map(|path| folder(path))
        .collect();
    if with_variant.is_empty() {
        return Err(HubError::NoVariant { repo: repo.to_owned(), variant: variant.to_owned() });
    }
    let is_replaced = |path: &String| {
        is_weights(path)
            && !is_variant(path)
            && folder(path).is_some_and(|it| with_variant.contains(&it))
    };
    Ok(model_files(names.into_iter().filter(|path| !is_replaced(path)).collect()))
}

/// The files of a diffusers folder that are needed here. Others, such as those of a safety checker,
/// are left out.
pub(super) fn model_files(mut names: BTreeSet<String>) -> BTreeSet<String> {
    let is_component = |part: &str| component_names().any(|name| name == part);
    let all = names.clone();
    let needed = |path: &str| match path.split_once('/') {
        None => path == "model_index.json" || path == "README.md" || path.starts_with("LICENSE"),
        Some((part, file)) => {
            // Prefer full precision if both exist; `model.non_ema.safetensors` is for training.
            let has_full_twin = ["fp16", "non_ema"].iter().any(|variant| {
                let full = path.replace(&format!(".{variant}."), ".");
                full != path && all.contains(&full)
            });
            let is_data =
                matches!(file.rsplit_once('.'), Some((_, "safetensors" | "json" | "txt")));
            is_component(part) && !file.contains('/') && is_data && !has_full_twin
        }
    };
    names.retain(|path| needed(path));
    names
}
