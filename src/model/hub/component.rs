//! Downloads of one component of a model, such as an adapter, and their copies in the folder of the model.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{HubError, Listing, RemoteFile, fetch::is_intact};
use crate::model::{
    detect::TOKENIZER_FILES,
    package::{PICKLES, config_file, weights_among},
};

/// The bytes that are copied at a time.
const COPIED: u64 = 1 << 20;

/// The most names in a message.
const MAX_NAMES: usize = 12;

/// The part of a repository that is one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepoPart<'a> {
    /// A folder with a configuration and weights. An empty path is the repository itself.
    Folder(&'a str),
    /// A single file, such as `models/ip-adapter_sd15.safetensors`.
    File(&'a str),
}

/// The files of a component, of all names in a repository: the configuration, one set of weights, and a tokenizer.
///
/// # Errors
/// As [`Hub::list_component`](super::Hub::list_component).
pub(super) fn select(
    repo: &str,
    part: RepoPart<'_>,
    names: BTreeSet<String>,
) -> Result<BTreeSet<String>, HubError> {
    match part {
        RepoPart::File(file) => {
            let (repo, file) = (repo.to_owned(), file.trim_start_matches('/').to_owned());
            match extension(&file) {
                Some(ending) if PICKLES.contains(&ending) => Err(HubError::Pickle { repo, file }),
                Some("safetensors" | "json" | "txt") if names.contains(&file) => {
                    Ok(BTreeSet::from([file]))
                }
                _ => Err(HubError::NoFile { repo, file }),
            }
        }
        RepoPart::Folder(folder) => of_folder(repo, folder.trim_matches('/'), &names),
    }
}

fn of_folder(
    repo: &str,
    folder: &str,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, HubError> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let inside = names.iter().filter_map(|name| name.strip_prefix(&prefix));
    let inside: BTreeSet<&str> = inside.filter(|name| !name.contains('/')).collect();
    let with_endings = |names: &mut dyn Iterator<Item = &str>, endings: &[&str]| -> Vec<String> {
        let has = |name: &&str| extension(name).is_some_and(|ending| endings.contains(&ending));
        names.filter(has).map(str::to_owned).collect()
    };
    let mut chosen = weights_among(&inside);
    if chosen.is_empty() {
        chosen = with_endings(&mut inside.iter().copied(), &["safetensors"]);
    }
    let (repo, place) = (repo.to_owned(), in_words(folder));
    // Only an index of usual names comes with several files.
    let has_index = chosen.iter().any(|name| extension(name) == Some("json"));
    if chosen.len() > 1 && !has_index {
        let files = chosen.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<_>>();
        return Err(HubError::SeveralWeights { repo, place, files: listed(&files) });
    }
    if chosen.is_empty() {
        let elsewhere = with_endings(&mut names.iter().map(String::as_str), &["safetensors"]);
        let pickles = with_endings(&mut inside.iter().copied(), &PICKLES);
        let hint = match () {
            () if !elsewhere.is_empty() => {
                format!("choose a --file or a --subfolder of {}", listed(&elsewhere))
            }
            () if !pickles.is_empty() => format!(
                "{} may run code when it is loaded, and is never downloaded; choose another repository or --revision",
                listed(&pickles)
            ),
            () => "choose another repository".to_owned(),
        };
        return Err(HubError::NoWeights { repo, place, hint });
    }
    let others = [config_file("")].into_iter().chain(TOKENIZER_FILES.map(str::to_owned));
    let others = others.filter(|name| inside.contains(name.as_str()));
    Ok(chosen.into_iter().chain(others).map(|name| format!("{prefix}{name}")).collect())
}

impl Listing {
    /// Checks that [`Self::copy_into`] overwrites nothing in a folder, which may be missing.
    ///
    /// # Errors
    /// [`HubError::Occupied`] if a file is there with other contents; otherwise if one cannot be read.
    pub fn check_folder(&self, folder: &Path) -> Result<(), HubError> {
        self.files.iter().try_for_each(|file| is_there(file, &place(folder, file)).map(|_| ()))
    }

    /// Copies the downloaded files of a component into a folder, which is created if it is missing. Files that are there
    /// already stay. A file has its name there only when it is complete. `is_cancelled` is asked after each megabyte.
    ///
    /// # Errors
    /// [`HubError::Cancelled`] if `is_cancelled` says so; nothing incomplete is left behind then. As
    /// [`Self::check_folder`], and if a file is not in the cache or cannot be written.
    pub fn copy_into(
        &self,
        folder: &Path,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), HubError> {
        fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        for file in &self.files {
            let to = place(folder, file);
            if !is_there(file, &to)? {
                copy(file, &self.fetcher.snapshot.join(&file.path), &to, is_cancelled)?;
            }
        }
        Ok(())
    }
}

/// The path of a file in the folder of a component.
fn place(folder: &Path, file: &RemoteFile) -> PathBuf {
    folder.join(file.path.rsplit('/').next().unwrap_or(&file.path))
}

/// Whether a file is at a path.
///
/// # Errors
/// [`HubError::Occupied`] if something else is there.
fn is_there(file: &RemoteFile, path: &Path) -> Result<bool, HubError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(HubError::io("read", path)(error)),
        Ok(_) if is_intact(path, file)? => Ok(true),
        Ok(_) => Err(HubError::Occupied { path: path.to_owned() }),
    }
}

/// Copies a file, and replaces none. Another program may have copied the same file meanwhile.
pub(super) fn copy(
    file: &RemoteFile,
    from: &Path,
    to: &Path,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<(), HubError> {
    let mut source = File::open(from).map_err(HubError::io("read", from))?;
    let write = |error| HubError::io("write", to)(error);
    let folder = to.parent().unwrap_or(Path::new(""));
    let mut unfinished = unfinished_file(folder).map_err(write)?;
    while io::copy(&mut (&mut source).take(COPIED), &mut unfinished).map_err(write)? > 0 {
        if is_cancelled() {
            return Err(HubError::Cancelled);
        }
    }
    unfinished.as_file().sync_all().map_err(write)?;
    match unfinished.persist_noclobber(to) {
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            is_there(file, to).map(|_| ())
        }
        Err(error) => Err(write(error.error)),
        Ok(_) => Ok(()),
    }
}

fn unfinished_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // Readable for others, as far as the user allows it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".download-").tempfile_in(folder)
}

fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, extension)| extension)
}

/// A folder of a repository, for messages.
fn in_words(folder: &str) -> String {
    match folder {
        "" => "in its main folder".to_owned(),
        folder => format!("in its folder {folder}"),
    }
}

/// Names for a message.
fn listed(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(MAX_NAMES) {
        None | Some(0) => first,
        Some(more) => format!("{first} and {more} more"),
    }
}
