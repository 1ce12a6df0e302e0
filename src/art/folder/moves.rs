//! Moving files on every file system, without replacing any.

use std::{io, path::Path};

use super::{Folder, is_missing, replace::TEMPORARY};

impl Folder {
    /// Moves a file, a folder or a link. If the new path exists, that is
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists).
    ///
    /// Some file systems, such as NFS, cannot move a file without replacing another one. There the file gets a second name
    /// and then loses the first one. Another program may write a new file under the first name in between. So a file
    /// only loses a name in the temporary folder in this way, which no other program uses, and a file in its place first
    /// moves to the temporary folder.
    pub(super) fn move_file(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.store.rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            result => return result,
        }
        if to.starts_with(TEMPORARY) {
            // The name is new: there is nothing to replace.
            return self.move_if_absent(from, to);
        }
        if from.starts_with(TEMPORARY) {
            return self.move_by_link(from, to);
        }
        self.check_absent(to)?;
        self.create_folder(Path::new(TEMPORARY)).map_err(io::Error::other)?;
        let away = self.replaced_path(from, &[], None).map_err(io::Error::other)?;
        self.store.rename_over(from, &away)?;
        let moved = self.store.sync_folder(Path::new(TEMPORARY));
        moved.and_then(|()| self.move_by_link(&away, to)).map_err(|error| {
            match self.move_by_link(&away, from) {
                Ok(()) => error,
                // The next change of the file, or opening the folder, brings it back. No caller may try again before.
                Err(stuck) => io::Error::other(stuck),
            }
        })
    }

    /// Moves a file out of the temporary folder in two steps: a second name, which never replaces anything, and the
    /// removal of the first one.
    fn move_by_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.store.link(from, to) {
            Ok(()) => {
                // After a power cut the file has at least one of its names.
                self.store.sync_folder(to.parent().unwrap_or(Path::new("")))?;
                self.store.remove(from)?;
                self.store.sync_folder(Path::new(TEMPORARY))
            }
            // It is a folder, or the file system has no second names.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.move_if_absent(from, to)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a file to a path that does not exist. A file that another program writes there at the same moment is
    /// replaced.
    fn move_if_absent(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_absent(to)?;
        self.store.rename_over(from, to)
    }

    fn check_absent(&self, path: &Path) -> io::Result<()> {
        match self.store.metadata(path) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
