//! Repositories in the cache: their size on disk, and their removal.

use std::path::{Path, PathBuf};

use hf_hub::Repo;
use walkdir::WalkDir;

use super::{
    Hub, HubError,
    cache::{CacheFolder, lock_all},
};

/// The characters in the names of owners and repositories besides letters and digits.
const PUNCTUATION: [char; 3] = ['-', '_', '.'];

impl Hub {
    /// The size of a downloaded repository in bytes, with unfinished files and older commits. `None` if nothing of it is in
    /// the cache.
    ///
    /// # Errors
    /// [`HubError::RepoName`].
    pub fn cached_bytes(&self, repo: &str) -> Result<Option<u64>, HubError> {
        let folder = self.cache.path().join(folder_name(repo)?);
        Ok(folder.is_dir().then(|| bytes_below(&folder)))
    }

    /// Removes a downloaded repository from the cache, which other programs may share. Returns the freed bytes.
    ///
    /// # Errors
    /// [`HubError::NotCached`] if it is not there, [`HubError::Busy`] during a download of it, [`HubError::NotOwn`] if its
    /// folder is a link. Otherwise if a file cannot be removed.
    pub fn remove(&self, repo: &str) -> Result<u64, HubError> {
        let folder = folder_name(repo)?;
        let path = self.cache.path().join(&folder);
        if path.symlink_metadata().is_err() {
            let cache = self.cache.path().clone();
            return Err(HubError::NotCached { repo: repo.to_owned(), cache });
        }
        let _locks = lock_all(self.cache.path(), &folder)?;
        let bytes = bytes_below(&path);
        CacheFolder::open(self.cache.path())?.remove_folder(&folder)?;
        Ok(bytes)
    }
}

/// The folder of a repository in the cache.
///
/// # Errors
/// [`HubError::RepoName`] if the name could be another path.
fn folder_name(repo: &str) -> Result<PathBuf, HubError> {
    let is_name = |name: &str| {
        let is_plain =
            |letter: char| letter.is_ascii_alphanumeric() || PUNCTUATION.contains(&letter);
        !name.is_empty() && name.chars().all(is_plain)
    };
    match repo.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => {
            Ok(Repo::model(repo.to_owned()).folder_name().into())
        }
        _ => Err(HubError::RepoName { repo: repo.to_owned() }),
    }
}

/// The size of all files below a folder. Links count nothing.
fn bytes_below(folder: &Path) -> u64 {
    let files = WalkDir::new(folder).into_iter().flatten();
    let sizes = files
        .filter(|file| file.file_type().is_file())
        .filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.fold(0, u64::saturating_add)
}
