//! Writing, moving and removing files, without losing what another program writes at the same time.
//!
//! The old file is first moved to the temporary folder. Then its contents are read. If they are known, the file is removed.
//! Otherwise it is set aside.

use std::{
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::Ordering,
};

use blake3::Hash;

use super::{ArtError, Folder, Kind, is_missing, lock, settle::Known};
use crate::foreign::{self, ForeignFileError};

/// The temporary folder. It is on the same file system, so that files can be moved.
pub(super) const TEMPORARY: &str = ".tmp";

/// The ending of a new file that is being written.
pub(super) const UNFINISHED: &str = ".unfinished";

/// The maximum number of attempts to replace a file that another program writes again and again.
const ATTEMPTS: usize = 100;

impl Folder {
    /// Writes a file that only this program writes. Contents that it has neither read nor written are set aside.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub(crate) fn write_bytes(&self, path: &Path, bytes: &[u8]) -> Result<(), ArtError> {
        let (key, new) = (self.relative(path).to_owned(), blake3::hash(bytes));
        let known = {
            let mut all = lock(&self.state.known);
            let known = all.entry(key.clone()).or_default();
            let before = known.clone();
            // A write that fails may have replaced the file.
            known.push(new);
            before
        };
        self.write(path, bytes, Known::Hashes(&known))?;
        lock(&self.state.known).insert(key, vec![new]);
        Ok(())
    }

    /// As [`Self::replace`], but the old file is only removed if `is_copy` returns true after the file has left its place.
    /// `is_copy` looks for another file with the same picture.
    ///
    /// # Errors
    /// As [`Self::replace`].
    pub(in crate::art) fn replace_copy(
        &self,
        path: &Path,
        bytes: &[u8],
        old: &[u8],
        is_copy: &dyn Fn() -> bool,
    ) -> Result<(), ArtError> {
        self.write(path, bytes, Known::Copy(&[blake3::hash(old)], is_copy))
    }

    /// Writes a file below the folder atomically: the bytes are written to a temporary file, which is synced and moved to
    /// its place. An old file is removed if it has the contents `old`, and is set aside otherwise.
    ///
    /// # Errors
    /// If the folder is open read-only, the file would be too long to be read back, or an operation on a file fails. The old
    /// file is whole then, in its place or set aside.
    pub(crate) fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        old: Option<&[u8]>,
    ) -> Result<(), ArtError> {
        self.write(path, bytes, Known::Hashes(old.map(blake3::hash).as_slice()))
    }

    fn write(&self, path: &Path, bytes: &[u8], known: Known<'_>) -> Result<(), ArtError> {
        if bytes.len() as u64 > foreign::MAX_PICTURE {
            let error = ForeignFileError::TooLong { limit: foreign::MAX_PICTURE };
            return Err(self.error("write", path, error.into()));
        }
        let to = self.relative(path);
        self.change(&[to], || {
            self.create_folder(Path::new(TEMPORARY))?;
            let unfinished = Path::new(TEMPORARY).join(format!("{}{UNFINISHED}", self.number()));
            let new = blake3::hash(bytes);
            let written = self.store.write_new(&unfinished, bytes);
            let written = written.map_err(|error| self.error("write", path, error));
            let result = written.and_then(|()| self.put(&unfinished, to, known, Some(new)));
            if result.is_err() {
                // What cannot be removed now is removed when the folder is opened the next time.
                let _ = self.store.remove(&unfinished);
            }
            result
        })
    }

    /// Changes the files at some places, after finishing or undoing earlier changes there that failed. Otherwise an old file
    /// that could not be removed would come back to its place at the next opening.
    fn change<T>(
        &self,
        places: &[&Path],
        change: impl FnOnce() -> Result<T, ArtError>,
    ) -> Result<T, ArtError> {
        self.check_writable()?;
        for place in places {
            if lock(&self.state.failed).contains(*place) {
                self.recover_place(place)?;
                lock(&self.state.failed).remove(*place);
            }
        }
        let result = change();
        if result.is_err() {
            lock(&self.state.failed).extend(places.iter().map(|place| place.to_path_buf()));
        }
        result
    }

    /// Moves a file within the folder. A file at the new path is removed if it has the contents `old`, and is set aside
    /// otherwise.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(in crate::art) fn move_over(
        &self,
        from: &Path,
        to: &Path,
        old: Option<&[u8]>,
    ) -> Result<(), ArtError> {
        let (from, to) = (self.relative(from), self.relative(to));
        let known = old.map(blake3::hash);
        self.change(&[from, to], || self.put(from, to, Known::Hashes(known.as_slice()), None))
    }

    /// Moves a file or a folder to a path that does not exist.
    ///
    /// # Errors
    /// If the folder is open read-only, the new path exists, or an operation on a file fails.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), ArtError> {
        self.check_writable()?;
        let (source, target) = (self.relative(from), self.relative(to));
        let parent = self.create_parent(target)?;
        self.move_file(source, target).map_err(|error| self.error("move", from, error))?;
        self.sync_folder(parent)
    }

    /// Removes a file if it exists. It is set aside if it does not have the contents `old`.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(crate) fn remove(&self, path: &Path, old: Option<&[u8]>) -> Result<(), ArtError> {
        self.remove_known(path, Known::Hashes(old.map(blake3::hash).as_slice()))
    }

    /// As [`Self::remove`], but the file is only removed if `is_copy` returns true, as in [`Self::replace_copy`].
    ///
    /// # Errors
    /// As [`Self::remove`].
    pub(in crate::art) fn remove_copy(
        &self,
        path: &Path,
        old: &[u8],
        is_copy: &dyn Fn() -> bool,
    ) -> Result<(), ArtError> {
        self.remove_known(path, Known::Copy(&[blake3::hash(old)], is_copy))
    }

    fn remove_known(&self, path: &Path, known: Known<'_>) -> Result<(), ArtError> {
        let place = self.relative(path);
        self.change(&[place], || {
            self.create_folder(Path::new(TEMPORARY))?;
            let replaced = self.replaced_path(place, known.hashes(), None)?;
            match self.move_file(place, &replaced) {
                Err(error) if is_missing(&error) => self.sync(path),
                result => {
                    result.map_err(|error| self.error("remove", path, error))?;
                    self.sync(path)?;
                    self.settle(&replaced, place, known)
                }
            }
        })
    }

    /// Moves a file to a free name in the same folder, such as `a.broken-1.json` for `a.json`. Returns the new path.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<PathBuf, ArtError> {
        let place = self.relative(path);
        let aside = self.change(&[place], || {
            self.create_folder(Path::new(TEMPORARY))?;
            let replaced = self.replaced_path(place, &[], None)?;
            let moved = self.move_file(place, &replaced);
            moved.map_err(|error| self.error("move", path, error))?;
            self.sync(path)?;
            self.move_aside(&replaced, place)
        })?;
        Ok(self.root.join(aside))
    }

    /// Moves a file to a place. `new` is the hash of the file if it is a new one.
    fn put(
        &self,
        from: &Path,
        to: &Path,
        known: Known<'_>,
        new: Option<Hash>,
    ) -> Result<(), ArtError> {
        let what = if new.is_some() { "write" } else { "move" };
        let parent = self.create_parent(to)?;
        let named = |error| self.error(what, if new.is_some() { to } else { from }, error);
        let mut from = from.to_owned();
        let mut can_exchange = new.is_some();
        for _ in 0..ATTEMPTS {
            match self.move_file(&from, to) {
                Ok(()) => return self.sync_folder(parent),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    self.remove_new(&from, new);
                    return Err(named(error));
                }
            }
            if self.metadata(to)?.is_some_and(|data| data.kind == Kind::Folder) {
                self.remove_new(&from, new);
                return Err(named(io::ErrorKind::IsADirectory.into()));
            }
            self.create_folder(Path::new(TEMPORARY))?;
            let replaced = self.replaced_path(to, known.hashes(), new)?;
            if can_exchange {
                // After the exchange, the old file has this name.
                self.move_file(&from, &replaced).map_err(named)?;
                from = replaced;
                match self.store.exchange(&from, to) {
                    Ok(()) => {
                        self.sync_folder(parent)?;
                        return self.settle(&from, to, known);
                    }
                    Err(error) if is_missing(&error) => {}
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        can_exchange = false;
                    }
                    Err(error) => {
                        self.remove_new(&from, new);
                        return Err(named(error));
                    }
                }
                continue;
            }
            match self.move_file(to, &replaced) {
                Err(error) if is_missing(&error) => continue,
                Err(error) => {
                    // An error may be reported although the file has moved.
                    let _ = self.move_file(&replaced, to);
                    self.remove_new(&from, new);
                    return Err(named(error));
                }
                Ok(()) => {}
            }
            // If the process is killed here, opening the folder brings the old file back. After a power cut it does so only
            // if the move of the old file reaches the disk before that of the new one.
            match self
                .store
                .sync_folder(Path::new(TEMPORARY))
                .and_then(|()| self.move_file(&from, to))
            {
                Ok(()) => {
                    self.sync_folder(parent)?;
                    return self.settle(&replaced, to, known);
                }
                // Another program has written a file in the meantime.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.settle(&replaced, to, known)?;
                }
                Err(error) => {
                    // If this fails, opening the folder brings the old file back.
                    let _ = self.move_file(&replaced, to);
                    self.remove_new(&from, new);
                    return Err(named(error));
                }
            }
        }
        self.remove_new(&from, new);
        Err(named(io::ErrorKind::ResourceBusy.into()))
    }

    /// Removes a new file that was not put in its place. An exchange that reported an error may have put it there: then
    /// the name is that of the old file.
    fn remove_new(&self, path: &Path, new: Option<Hash>) {
        if new.is_some() && self.hash(path).is_ok_and(|hash| hash == new) {
            let _ = self.store.remove(path);
        }
    }

    pub(super) fn number(&self) -> String {
        let number = self.state.temporary.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", process::id())
    }
}
