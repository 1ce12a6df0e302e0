//! The place of an output file. Only what was there when the command began is replaced.

use std::{
    io,
    path::{Path, PathBuf},
};

use bevy_illustrator::foreign;
use blake3::Hash;
use tempfile::{NamedTempFile, PersistError};

/// Where a file is to appear.
pub(super) struct Place {
    /// The path, which is not a link.
    pub(super) path: PathBuf,
    /// The contents of the file that may be replaced. `None` if nothing may be.
    pub(super) was: Option<Hash>,
}

impl Place {
    /// Moves a file here. If another program wrote here in the meantime, the file gets a free name beside it, which is
    /// returned.
    ///
    /// # Errors
    /// If the file cannot be moved.
    pub(super) fn put(&self, file: NamedTempFile) -> io::Result<Option<PathBuf>> {
        if self.is_unchanged(&self.path) {
            match exchange(file.path(), &self.path) {
                // Dropping `file` removes the old file.
                Ok(()) if self.is_unchanged(file.path()) => return Ok(None),
                Ok(()) => return self.keep(file).map(|()| None),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    return file.persist(&self.path).map(|_| None).map_err(|error| error.error);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        match put_new(file, &self.path) {
            Ok(()) => Ok(None),
            Err(PersistError { error, file }) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.put_beside(file).map(Some).map_err(|error| error.error)
            }
            Err(error) => Err(error.error),
        }
    }

    /// Whether a file has the contents that may be replaced.
    fn is_unchanged(&self, path: &Path) -> bool {
        self.was.is_some_and(|was| hash(path).is_ok_and(|now| now == was))
    }

    /// Keeps a file that another program wrote between the comparison and the exchange.
    fn keep(&self, file: NamedTempFile) -> io::Result<()> {
        let kept = self.put_beside(file).map_err(|PersistError { error, file }| {
            // Dropping it would remove it.
            let _ = file.keep();
            error
        })?;
        log::warn!(
            "another program wrote {} in the meantime: its file is {} now",
            self.path.display(),
            kept.display()
        );
        Ok(())
    }

    /// Moves a file to the first free name of `NAME.new-1.png`, `NAME.new-2.png` and so on.
    fn put_beside(&self, mut file: NamedTempFile) -> Result<PathBuf, PersistError> {
        let mut n = 1_u64;
        loop {
            let mut name = self.path.file_stem().unwrap_or_default().to_os_string();
            name.push(format!(".new-{n}"));
            if let Some(extension) = self.path.extension() {
                name.push(".");
                name.push(extension);
            }
            let path = self.path.with_file_name(name);
            match put_new(file, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    (file, n) = (error.file, n + 1);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The hash of a file.
///
/// # Errors
/// If it cannot be read, or is not a regular file.
pub(super) fn hash(path: &Path) -> io::Result<Hash> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(foreign::open(path)?)?;
    Ok(hasher.finalize())
}

/// Moves a file to a path where nothing is.
fn put_new(file: NamedTempFile, path: &Path) -> Result<(), PersistError> {
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(PersistError { error, file }) => match path.symlink_metadata() {
            // The file system can neither keep what is at the new path nor make hard links.
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                file.persist(path).map(drop)
            }
            Ok(_) => Err(PersistError { error: io::ErrorKind::AlreadyExists.into(), file }),
            Err(_) => Err(PersistError { error, file }),
        },
    }
}

/// Exchanges two files in one step. File systems and systems that cannot do so return
/// [`Unsupported`](io::ErrorKind::Unsupported).
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };

    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
        result => Ok(result?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Puts a file with the contents `new` at a place that had the contents `was`, and has the contents `is` now.
    /// Returns the contents of each file in the folder, by name.
    fn files(was: Option<&str>, is: Option<&str>) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        if let Some(is) = is {
            fs::write(&path, is).unwrap();
        }
        let file = NamedTempFile::new_in(folder.path()).unwrap();
        fs::write(file.path(), "new").unwrap();
        let place = Place { path, was: was.map(|was| blake3::hash(was.as_bytes())) };
        place.put(file).unwrap();
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
        let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn only_the_file_that_was_there_is_replaced() {
        let file = |name: &str, contents: &str| (name.to_owned(), contents.to_owned());
        let new = [file("a.png", "new")];
        assert_eq!(files(None, None), new);
        assert_eq!(files(Some("old"), Some("old")), new);
        assert_eq!(files(Some("old"), None), new);
        let both = [file("a.new-1.png", "new"), file("a.png", "other")];
        assert_eq!(files(None, Some("other")), both);
        assert_eq!(files(Some("old"), Some("other")), both);
    }
}
