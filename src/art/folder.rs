//! Access to the files of an art folder: one process writes, and each file is replaced atomically.

mod moves;
mod recover;
mod replace;
mod settle;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use blake3::Hash;

use super::{
    ArtError,
    disk_store::{DiskStore, ignore_unsupported},
    store::{Entry, Kind, Metadata, ReadSeek, Store},
};
use crate::{recipe::Images, text::without_bom};

/// The largest number of a take: a larger one is not of this program. Every program that reads JSON represents it
/// exactly.
pub(super) const MAX_TAKE_NUMBER: u64 = 1 << 52;

/// An art folder. Clones share one lock, which is held until the last of them is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    store: Arc<dyn Store>,
    is_writable: bool,
    state: Arc<State>,
}

/// The contents of a text file.
#[derive(Debug)]
pub(crate) struct Text(Vec<u8>);

impl Deref for Text {
    type Target = [u8];

    /// The text without the byte order mark that some editors write at its beginning.
    fn deref(&self) -> &[u8] {
        without_bom(&self.0)
    }
}

#[derive(Debug, Default)]
struct State {
    /// The folders that are durable, as far as this process knows.
    durable: Mutex<BTreeSet<PathBuf>>,
    /// The number of names in the temporary folder that were used.
    temporary: AtomicU64,
    /// The bytes that this program has read or written, by path.
    known: Mutex<BTreeMap<PathBuf, Vec<Hash>>>,
    /// The places of files at which a change failed. A file that had left such a place may still be in the temporary
    /// folder.
    failed: Mutex<BTreeSet<PathBuf>>,
    /// Held while a file is checked and then moved or replaced.
    changes: Mutex<()>,
    /// The largest number of a take.
    takes: AtomicU64,
    /// Images that are not in their files yet.
    unwritten: Mutex<Images>,
}

impl Folder {
    /// Opens a folder for writing, creates it if it does not exist, removes unfinished files of a killed process,
    /// and brings back files that it had moved away.
    ///
    /// # Errors
    /// [`ArtError::Locked`] if another process has it open; otherwise if an operation on a file fails.
    pub(crate) fn open(root: PathBuf) -> Result<Self, ArtError> {
        create_root(&root)?;
        let store = DiskStore::open(root.clone())?;
        Self::over(root, Arc::new(store))
    }

    /// Opens the folder of a store for writing. `root` is the path of the folder.
    ///
    /// # Errors
    /// If `.tmp` is a link that cannot be removed, a file in it cannot be brought back, or the folder cannot be synced.
    pub(super) fn over(root: PathBuf, store: Arc<dyn Store>) -> Result<Self, ArtError> {
        let folder = Self { root, store, is_writable: true, state: Arc::default() };
        folder.recover()?;
        // A process before this one may have failed to do so.
        folder.sync_folder(Path::new(""))?;
        Ok(folder)
    }

    /// Opens a folder read-only. It need not exist.
    pub(crate) fn read_only(root: PathBuf) -> Self {
        let store = Arc::new(DiskStore::read(root.clone()));
        Self { root, store, is_writable: false, state: Arc::default() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the folder is open for writing.
    pub(crate) fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// The images that are not in their files yet. All clones of the folder share them.
    pub(super) fn unwritten_images(&self) -> MutexGuard<'_, Images> {
        self.state.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a new take. It is larger than all recorded ones.
    pub(super) fn next_take_number(&self) -> u64 {
        self.state.takes.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records the number of an existing take. Numbers that leave no room for new takes are ignored.
    pub(super) fn record_take_number(&self, number: u64) {
        if number <= MAX_TAKE_NUMBER / 2 {
            self.state.takes.fetch_max(number, Ordering::Relaxed);
        }
    }

    /// Reads a file; `None` if it does not exist.
    ///
    /// # Errors
    /// If an operation on the file fails.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ArtError> {
        self.read_first(path, u64::MAX)
    }

    /// Reads at most this number of bytes from the beginning of a file, as [`Self::read`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn read_first(&self, path: &Path, most: u64) -> Result<Option<Vec<u8>>, ArtError> {
        let read = || {
            let mut bytes = Vec::new();
            self.open_file(path)?.take(most).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    /// Reads a text file as [`Self::read`].
    ///
    /// # Errors
    /// If an operation on the file fails, or it is a Git LFS pointer.
    pub(crate) fn read_text(&self, path: &Path) -> Result<Option<Text>, ArtError> {
        let Some(bytes) = self.read(path)? else { return Ok(None) };
        ArtError::check_pointer(path, &bytes)?;
        Ok(Some(Text(bytes)))
    }

    /// Records that the program has read all that a file contains. [`Self::write_bytes`] may replace it.
    pub(crate) fn remember(&self, path: &Path, text: &Text) {
        let hash = blake3::hash(&text.0);
        lock(&self.state.known).insert(self.relative(path).to_owned(), vec![hash]);
    }

    /// As [`Self::remember`] if the program would write the file as `rewritten`, and this is the same. Otherwise
    /// [`Self::write_bytes`] sets it aside, because it may contain more: comments, equal keys, or fields of a newer
    /// version.
    pub(crate) fn remember_if(&self, path: &Path, text: &Text, rewritten: &[u8]) {
        if **text == *rewritten {
            self.remember(path, text);
        } else {
            self.remember_absence(path);
        }
    }

    /// Records that a file does not exist. [`Self::write_bytes`] sets aside what another program writes there.
    pub(super) fn remember_absence(&self, path: &Path) {
        lock(&self.state.known).insert(self.relative(path).to_owned(), Vec::new());
    }

    /// Whether the program has read or written this file.
    pub(super) fn knows(&self, path: &Path) -> bool {
        lock(&self.state.known).contains_key(self.relative(path))
    }

    /// Keeps the other threads of this program from changes of which files exist, for a check and the change that
    /// depends on it.
    pub(super) fn changes(&self) -> MutexGuard<'_, ()> {
        lock(&self.state.changes)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// If an operation on the file fails.
    pub(super) fn open_file(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        self.store.open(self.relative(path))
    }

    /// Lists a folder, in any order. A folder that does not exist is empty.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<Entry>, ArtError> {
        match self.store.list(self.relative(path)) {
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            result => result.map_err(|error| self.error("read", path, error)),
        }
    }

    /// Whether there is a file, a folder or a link.
    ///
    /// # Errors
    /// As [`Self::metadata`].
    pub(crate) fn has(&self, path: &Path) -> Result<bool, ArtError> {
        Ok(self.metadata(path)?.is_some())
    }

    /// Describes a file, a folder or a link; `None` if it does not exist.
    ///
    /// # Errors
    /// If it may exist, but cannot be described.
    pub(super) fn metadata(&self, path: &Path) -> Result<Option<Metadata>, ArtError> {
        match self.store.metadata(self.relative(path)) {
            Ok(data) => Ok(Some(data)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.error("read", path, error)),
        }
    }

    /// Makes the current file at this path durable, or its absence. An earlier process may have failed to do so.
    ///
    /// # Errors
    /// If the folder cannot be synced.
    pub(super) fn sync(&self, path: &Path) -> Result<(), ArtError> {
        let parent = self.relative(path).parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || self.has(parent)? {
            self.sync_folder(parent)?;
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<(), ArtError> {
        match (self.is_writable, self.store.is_in_place()) {
            (false, _) => Err(ArtError::ReadOnly { path: self.root.clone() }),
            (true, false) => Err(ArtError::Moved { path: self.root.clone() }),
            (true, true) => Ok(()),
        }
    }

    /// Creates the folder that a file goes to, and returns it.
    fn create_parent<'a>(&self, path: &'a Path) -> Result<&'a Path, ArtError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        self.create_folder(parent)?;
        Ok(parent)
    }

    /// Creates a folder and its missing parents, and makes them durable: a power cut must not lose their files. A process
    /// before this one may have created the folder and failed to sync it.
    fn create_folder(&self, path: &Path) -> Result<(), ArtError> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let is_missing = match self.store.metadata(path) {
            Ok(Metadata { kind: Kind::Folder, .. }) => {
                if lock(&self.state.durable).contains(path) {
                    return Ok(());
                }
                false
            }
            Err(error) if is_missing(&error) => true,
            Ok(Metadata { kind: Kind::Link, .. }) => {
                return Err(ArtError::LinkedFolder { path: self.root.join(path) });
            }
            Ok(_) => return Err(self.error("create", path, io::ErrorKind::AlreadyExists.into())),
            Err(error) => return Err(self.error("create", path, error)),
        };
        let parent = self.create_parent(path)?;
        if is_missing {
            match self.store.create_folder(path) {
                // Another thread was faster.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && self.is_folder(path) => {}
                result => result.map_err(|error| self.error("create", path, error))?,
            }
        }
        self.sync_folder(parent)?;
        lock(&self.state.durable).insert(path.to_owned());
        Ok(())
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.store.metadata(path).is_ok_and(|data| data.kind == Kind::Folder)
    }

    /// Syncs a folder, so that a rename in it survives a power cut.
    fn sync_folder(&self, path: &Path) -> Result<(), ArtError> {
        self.store.sync_folder(path).map_err(|error| self.error("write", path, error))
    }

    /// The path of a file relative to the folder.
    fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Adds the file to an error of the system. A path through a link is an error of its own.
    fn error(&self, what: &'static str, path: &Path, source: io::Error) -> ArtError {
        let relative = self.relative(path);
        let is_link =
            |folder: &&Path| self.store.metadata(folder).is_ok_and(|data| data.kind == Kind::Link);
        if let Some(link) = relative.ancestors().skip(1).find(is_link) {
            return ArtError::LinkedFolder { path: self.root.join(link) };
        }
        let path = self.root.join(relative);
        // cap-std reports a link that leads out of the folder in this way.
        if source.kind() == io::ErrorKind::PermissionDenied && is_link(&relative) {
            return ArtError::LinkedFile { path };
        }
        ArtError::Io { what, path, source }
    }
}

/// The set is always valid, so a panic while it was locked is harmless.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// Creates an art folder and its missing parents. New folders are synced, so that a power cut does not lose their files.
fn create_root(root: &Path) -> Result<(), ArtError> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<&Path> = root.ancestors().take_while(is_new).collect();
    fs::create_dir_all(root).map_err(ArtError::io("create", root))?;
    for parent in new.into_iter().filter_map(Path::parent).filter(|_| cfg!(unix)) {
        // The parent of a relative path may be empty.
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let synced =
            fs::File::open(parent).and_then(|folder| ignore_unsupported(folder.sync_all()));
        synced.map_err(ArtError::io("write", parent))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
