//! The folder of a repository in the cache, `models--<owner>--<name>`.
//!
//! The folder may come from somebody else, with links to files elsewhere. Files are written and
//! removed through a handle, so that nothing outside the folder changes, and not through links.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    path::{Component, Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata, OpenOptions},
};

use super::HubError;

/// The folder of locks in the cache. It is that of `huggingface_hub`, which locks the same files.
const LOCKS: &str = ".locks";

/// The longest name of a file on most disks, in bytes.
const MAX_NAME: usize = 255;

/// The folder of contents in a repository.
pub(super) const BLOBS: &str = "blobs";

/// A folder, and everything below it. Paths are relative to it.
#[derive(Debug)]
pub(super) struct CacheFolder {
    dir: Dir,
    path: PathBuf,
}

/// A lock against other downloads of a file, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl CacheFolder {
    /// Opens or creates the folder at `path`. It may be a link.
    ///
    /// # Errors
    /// If it cannot be created or opened.
    pub(super) fn open(path: &Path) -> Result<Self, HubError> {
        fs::create_dir_all(path).map_err(HubError::io("create", path))?;
        let dir = Dir::open_ambient_dir(path, ambient_authority());
        Ok(Self { dir: dir.map_err(HubError::io("open", path))?, path: path.to_owned() })
    }

    /// The full path of a file, for messages.
    pub(super) fn path(&self, rel: &Path) -> PathBuf {
        self.path.join(rel)
    }

    /// Creates a folder and the folders above it, unless they exist.
    ///
    /// # Errors
    /// [`HubError::NotOwn`] if one of them is a link or a file; otherwise if one cannot be created.
    pub(super) fn create_folder(&self, rel: &Path) -> Result<(), HubError> {
        let mut folders: Vec<&Path> = rel.ancestors().collect();
        folders.retain(|folder| !folder.as_os_str().is_empty());
        for folder in folders.into_iter().rev() {
            let path = self.path(folder);
            match self.dir.create_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let found = self.dir.symlink_metadata(folder);
                    let found = found.map_err(HubError::io("read", &path))?;
                    if !found.is_dir() {
                        return Err(HubError::NotOwn { path, found: kind(&found) });
                    }
                }
                created => created.map_err(HubError::io("create", &path))?,
            }
        }
        Ok(())
    }

    /// Opens or creates a file for reading and appending.
    ///
    /// # Errors
    /// [`HubError::NotOwn`] if it is not a regular file, or if it has other names (hard links);
    /// otherwise if it cannot be opened.
    pub(super) fn open_file(&self, rel: &Path) -> Result<File, HubError> {
        let path = self.path(rel);
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        // A new file is created without following a link.
        let file = match self.dir.open_with(rel, options.clone().create_new(true)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = self.dir.symlink_metadata(rel).map_err(HubError::io("read", &path))?;
                if !found.is_file() || has_other_names(&found) {
                    return Err(HubError::NotOwn { path, found: kind(&found) });
                }
                self.dir.open_with(rel, &options)
            }
            file => file,
        };
        Ok(file.map_err(HubError::io("create", &path))?.into_std())
    }

    /// Moves a file. Replaces a file or a link at `to`.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), HubError> {
        let moved = self.dir.rename(from, &self.dir, to);
        moved.map_err(HubError::io("write", &self.path(to)))
    }

    /// Removes a file or a link, if it exists.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn remove(&self, rel: &Path) -> Result<(), HubError> {
        match self.dir.remove_file(rel) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(HubError::io("remove", &self.path(rel))),
        }
    }

    /// Removes a folder and everything below it. Links are removed, and not followed.
    ///
    /// # Errors
    /// [`HubError::NotOwn`] if it is a link or a file; otherwise if something cannot be removed.
    pub(super) fn remove_folder(&self, rel: &Path) -> Result<(), HubError> {
        match self.metadata(rel)? {
            Some(found) if !found.is_dir() => {
                Err(HubError::NotOwn { path: self.path(rel), found: kind(&found) })
            }
            _ => self.dir.remove_dir_all(rel).map_err(HubError::io("remove", &self.path(rel))),
        }
    }

    /// Checks that a file or a link is at a path, or nothing.
    ///
    /// # Errors
    /// [`HubError::NotOwn`] if it is a folder, a pipe or a device; otherwise if it cannot be examined.
    pub(super) fn check_place(&self, rel: &Path) -> Result<(), HubError> {
        match self.metadata(rel)? {
            Some(found) if !found.is_file() && !found.is_symlink() => {
                Err(HubError::NotOwn { path: self.path(rel), found: kind(&found) })
            }
            _ => Ok(()),
        }
    }

    /// Frees a path: removes the link of a download, and sets a file or another link aside, because the author may have
    /// made it. Its new name is that of `name` with the ending `.yours-1`, or the next free number. A link stays in its
    /// folder, because it may be relative.
    ///
    /// # Errors
    /// As [`Self::check_place`], and if the file cannot be renamed.
    pub(super) fn free(&self, rel: &Path, name: &Path) -> Result<(), HubError> {
        self.check_place(rel)?;
        let Some(found) = self.metadata(rel)? else { return Ok(()) };
        if found.is_symlink() && self.is_own(rel) {
            return self.remove(rel);
        }
        let name = if found.is_symlink() { rel } else { name };
        let aside = self.reserve(name)?;
        self.rename(rel, &aside)?;
        let (path, aside) = (self.path(name), self.path(&aside));
        log::warn!(
            "{} differs from the hub's file, and was replaced: the old one is {}",
            path.display(),
            aside.display()
        );
        Ok(())
    }

    /// Whether a link leads into `blobs` of this folder, as those of downloads do.
    fn is_own(&self, link: &Path) -> bool {
        let Ok(target) = self.dir.read_link_contents(link) else { return false };
        let target = link.parent().unwrap_or(Path::new("")).join(target);
        let mut below = PathBuf::new();
        for part in target.strip_prefix(&self.path).unwrap_or(&target).components() {
            match part {
                Component::ParentDir if !below.pop() => return false,
                Component::ParentDir | Component::CurDir => {}
                part => below.push(part),
            }
        }
        below.starts_with(BLOBS)
    }

    /// Creates an empty file with the first free name, so that no other program gets the name.
    fn reserve(&self, name: &Path) -> Result<PathBuf, HubError> {
        let mut n = 0;
        loop {
            n += 1;
            let aside = beside(name, &format!(".yours-{n}"));
            let created =
                self.dir.open_with(&aside, OpenOptions::new().write(true).create_new(true));
            match created {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => {
                    return created
                        .map(|_| aside.clone())
                        .map_err(HubError::io("create", &self.path(&aside)));
                }
            }
        }
    }

    /// The metadata of a file, a folder or a link itself, if it exists.
    fn metadata(&self, rel: &Path) -> Result<Option<Metadata>, HubError> {
        match self.dir.symlink_metadata(rel) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => found.map(Some).map_err(HubError::io("read", &self.path(rel))),
        }
    }

    /// Creates `link` as a link to the file `to`, in place of another link. A file there is set aside: see
    /// [`Self::free`]. The link is relative, so that the cache can be moved. If links are not allowed, as on Windows by
    /// default, moves the file itself.
    ///
    /// # Errors
    /// If neither is possible.
    pub(super) fn link(&self, to: &Path, link: &Path) -> Result<(), HubError> {
        self.free(link, link)?;
        let mut target: PathBuf = link.iter().skip(1).map(|_| "..").collect();
        target.push(to);
        #[cfg(unix)]
        let linked = self.dir.symlink(target, link);
        #[cfg(windows)]
        let linked = self.dir.symlink_file(target, link);
        #[cfg(not(any(unix, windows)))]
        let linked: io::Result<()> = Err(io::ErrorKind::Unsupported.into());
        linked.or_else(|_| self.rename(to, link))
    }
}

/// Locks the contents with this hash against other downloads into the same cache. `repo` is the name
/// of the repository's folder in the cache.
///
/// The lock file is never moved or removed: who has its lock has the lock that others wait for.
///
/// # Errors
/// `None` if another download has the lock; an error if the lock file cannot be opened or locked.
pub(super) fn lock(cache: &Path, repo: &Path, hash: &str) -> Result<Option<Lock>, HubError> {
    let cache = CacheFolder::open(cache)?;
    let folder = Path::new(LOCKS).join(repo);
    cache.create_folder(&folder)?;
    let rel = folder.join(hash).with_extension("lock");
    let file = cache.open_file(&rel)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(HubError::io("lock", &cache.path(&rel))(source)),
    }
}

/// Locks everything of a repository against downloads. `repo` is the name of its folder in the cache.
///
/// # Errors
/// [`HubError::Busy`] if a download has a lock; otherwise if a lock file cannot be opened or locked.
pub(super) fn lock_all(cache: &Path, repo: &Path) -> Result<Vec<Lock>, HubError> {
    let folder = cache.join(LOCKS).join(repo);
    let names = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(HubError::io("read", &folder))?,
    };
    let names = names.flatten().map(|entry| PathBuf::from(entry.file_name()));
    let hashes = names.filter_map(|name| Some(name.file_stem()?.to_str()?.to_owned()));
    let locked = hashes.map(|hash| {
        lock(cache, repo, &hash)?.ok_or_else(|| HubError::Busy { path: folder.join(&hash) })
    });
    locked.collect()
}

/// A name with an ending. A long name is shortened.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    let room = MAX_NAME.saturating_sub(ending.len());
    let mut name = match name.to_str() {
        Some(text) => OsString::from(&text[..text.floor_char_boundary(room)]),
        None => name.to_owned(),
    };
    name.push(ending);
    path.with_file_name(name)
}

/// Whether a file has other names. Windows does not report it for a path.
fn has_other_names(file: &Metadata) -> bool {
    #[cfg(unix)]
    return cap_std::fs::MetadataExt::nlink(file) > 1;
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// The kind of a file, for messages.
fn kind(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    if kind.is_symlink() {
        "a link"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_file() {
        "a file that may belong to others"
    } else {
        "no regular file"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_the_longest_name_is_set_aside_under_a_shorter_one() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFolder::open(folder.path()).unwrap();
        // Letters of two bytes, which are not divided.
        let long = format!("{}.md", "ü".repeat(126));
        for text in ["first", "second"] {
            fs::write(folder.path().join(&long), text).unwrap();
            cache.free(Path::new(&long), Path::new(&long)).unwrap();
        }
        for (n, text) in [(1, "first"), (2, "second")] {
            let aside = format!("{}.yours-{n}", "ü".repeat(123));
            assert_eq!(fs::read_to_string(folder.path().join(aside)).unwrap(), text);
        }
    }
}
