//! Temporary files, which Ctrl-C removes.

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::{NamedTempFile, PersistError};

use super::{
    attributes::{copy_attributes, copy_owner},
    place::{Place, keep},
};

/// The temporary files of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A temporary file. Ctrl-C removes it, too.
pub(super) struct Unfinished(Option<NamedTempFile>);

/// Why a file is not at its place.
pub(super) enum Unwritten {
    /// It cannot be written, and is removed.
    Incomplete(io::Error),
    /// It is complete, and cannot be moved.
    Kept {
        source: io::Error,
        /// Where it is.
        kept: PathBuf,
    },
}

impl Unfinished {
    /// Creates a file with a random name.
    ///
    /// # Errors
    /// If the folder does not exist or is not writable.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        // `tempfile_in` puts the random name into its errors.
        let open = |path: &Path| File::options().write(true).create_new(true).open(path);
        // Locked until the file is listed, so that `remove_unfinished` cannot miss it.
        let mut list = unfinished();
        let file = tempfile::Builder::new().make_in(folder, open)?;
        list.insert(file.path().to_path_buf());
        Ok(Self(Some(file)))
    }

    /// Gives the file the permissions of another one, and its owner, attributes and access list as far as the system
    /// allows it. `metadata` is that of the other file.
    ///
    /// # Errors
    /// If the system refuses the permissions.
    pub(super) fn inherit(&self, other: &File, metadata: &Metadata) -> io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        // A new owner takes some permissions away. The access list is part of the permissions.
        copy_owner(other, file.as_file());
        file.as_file().set_permissions(metadata.permissions())?;
        copy_attributes(other, file.as_file());
        Ok(())
    }

    /// Writes the contents, syncs them and moves the file to its place. Returns the path if it is another one, as
    /// [`Place::put`].
    ///
    /// # Errors
    /// If writing or moving fails.
    pub(super) fn finish(
        mut self,
        contents: &[u8],
        place: &Place,
    ) -> Result<Option<PathBuf>, Unwritten> {
        if let Some(file) = &mut self.0 {
            let written = file.as_file_mut().write_all(contents);
            written.and_then(|()| file.as_file().sync_all()).map_err(Unwritten::Incomplete)?;
        }
        // Locked until the file is at its place: the temporary path may be that of the old file for a moment, which
        // `remove_unfinished` must not remove.
        let mut list = unfinished();
        let Some(file) = self.0.take() else { return Ok(None) };
        list.remove(file.path());
        place.put(file).map_err(|PersistError { error, file }| Unwritten::Kept {
            source: error,
            kept: keep(file),
        })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            let mut list = unfinished();
            list.remove(file.path());
            drop(file);
        }
    }
}

/// Removes the temporary files of this process. Afterwards the process must end: no more can be created.
pub(crate) fn remove_unfinished() {
    let list = unfinished();
    for file in list.iter() {
        // A file that has just been finished is gone.
        let _ = fs::remove_file(file);
    }
    std::mem::forget(list);
}

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}
