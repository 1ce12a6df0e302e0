//! Temporary files, which Ctrl-C removes.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::NamedTempFile;

use super::place::Place;

/// The temporary files of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A temporary file. Ctrl-C removes it, too.
pub(super) struct Unfinished(Option<NamedTempFile>);

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

    /// Sets the permissions of the file.
    ///
    /// # Errors
    /// If the system refuses them.
    pub(super) fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |file| file.as_file().set_permissions(permissions))
    }

    /// Writes the contents, syncs them and moves the file to its place. Returns the path if it is another one, as
    /// [`Place::put`].
    ///
    /// # Errors
    /// If writing or moving fails.
    pub(super) fn finish(mut self, contents: &[u8], place: &Place) -> io::Result<Option<PathBuf>> {
        if let Some(file) = &mut self.0 {
            file.as_file_mut().write_all(contents)?;
            file.as_file().sync_all()?;
        }
        // Locked until the file is at its place: the temporary path may be that of the old file for a moment, which
        // `remove_unfinished` must not remove.
        let mut list = unfinished();
        let Some(file) = self.0.take() else { return Ok(None) };
        list.remove(file.path());
        place.put(file)
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
