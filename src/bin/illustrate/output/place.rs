//! The place of an output file. Only what was there when the command began is replaced.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, PersistError};

use super::version::Version;

/// The longest name of a file on most disks, in bytes.
const MAX_NAME: usize = 255;

/// Where a file is to appear.
pub(super) struct Place {
    /// The path, which is not a link.
    pub(super) path: PathBuf,
    /// The contents of the file that may be replaced. `None` if nothing may be.
    pub(super) was: Option<Version>,
}

impl Place {
    /// Moves a file here. If another program wrote here in the meantime, the file gets a free name beside it, which is
    /// returned.
    ///
    /// # Errors
    /// If the file cannot be moved. The error contains it.
    pub(super) fn put(&self, file: NamedTempFile) -> Result<Option<PathBuf>, PersistError> {
        self.put_by(exchange, file)
    }

    fn put_by(
        &self,
        exchange: impl Fn(&Path, &Path) -> io::Result<()>,
        file: NamedTempFile,
    ) -> Result<Option<PathBuf>, PersistError> {
        if self.is_unchanged(&self.path) {
            let new = Version::of(file.path()).ok();
            match exchange(file.path(), &self.path) {
                Ok(()) => {
                    self.remove_old(file);
                    return Ok(None);
                }
                // A server may do what it answers with an error, when the first answer is lost.
                Err(_) if new.is_some() && Version::of(&self.path).ok() == new => {
                    self.remove_old(file);
                    return Ok(None);
                }
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    return self.put_without_exchange(file);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(PersistError { error, file }),
            }
        }
        self.put_free(file)
    }

    /// Whether a file has the contents that may be replaced.
    fn is_unchanged(&self, path: &Path) -> bool {
        self.was.is_some_and(|was| Version::of(path).is_ok_and(|now| now == was))
    }

    /// Removes a file that was at this place, unless another program wrote it between the comparison and the exchange.
    fn remove_old(&self, file: NamedTempFile) {
        if self.is_unchanged(file.path()) {
            // Dropping `file` removes it.
            return;
        }
        let kept = self.put_beside(file).unwrap_or_else(|PersistError { file, .. }| keep(file));
        self.warn_of_move(&kept);
    }

    /// Moves the old file to a name beside it before its contents are compared. So nothing that another program writes
    /// here is replaced, although for a moment no file is here.
    fn put_without_exchange(&self, file: NamedTempFile) -> Result<Option<PathBuf>, PersistError> {
        let moved = self.reserve("old").and_then(|old| match fs::rename(&self.path, &old) {
            Ok(()) => Ok(Some(old)),
            Err(error) => {
                // A server may have moved it, and answer with an error.
                if old.metadata().is_ok_and(|data| data.len() == 0) {
                    let _ = fs::remove_file(&old);
                }
                if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
            }
        });
        let old = match moved {
            Ok(Some(old)) => old,
            Ok(None) => return self.put_free(file),
            Err(error) => return Err(PersistError { error, file }),
        };
        if !self.is_unchanged(&old) {
            self.put_back(&old);
            return self.put_free(file);
        }
        let put = self.put_free(file);
        match &put {
            Ok(_) => {
                // What stays has a name that says what it is.
                let _ = fs::remove_file(&old);
            }
            Err(_) => self.put_back(&old),
        }
        put
    }

    /// Moves a file back here, unless another file is here by now.
    fn put_back(&self, old: &Path) {
        let is_back = match fs::hard_link(old, &self.path) {
            Ok(()) => fs::remove_file(old).is_ok(),
            // Some file systems have no hard links.
            Err(_) => copy_new(old, &self.path).is_ok() && fs::remove_file(old).is_ok(),
        };
        if !is_back {
            self.warn_of_move(old);
        }
    }

    fn warn_of_move(&self, to: &Path) {
        log::warn!(
            "another program wrote {} in the meantime: its file is {} now",
            self.path.display(),
            to.display()
        );
    }

    /// Moves a file here, or to a free name beside this place if a file is here.
    fn put_free(&self, file: NamedTempFile) -> Result<Option<PathBuf>, PersistError> {
        match put_new(file, &self.path) {
            Ok(()) => Ok(None),
            Err(PersistError { error, file }) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.put_beside(file).map(Some)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a file to the first free name of `NAME.new-1.png`, `NAME.new-2.png` and so on.
    fn put_beside(&self, mut file: NamedTempFile) -> Result<PathBuf, PersistError> {
        let mut n = 1_u64;
        loop {
            let path = beside(&self.path, "new", n);
            match put_new(file, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    (file, n) = (error.file, n + 1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Creates an empty file with the first free name of `NAME.LABEL-1.png` and so on.
    fn reserve(&self, label: &str) -> io::Result<PathBuf> {
        let mut n = 1_u64;
        loop {
            let path = beside(&self.path, label, n);
            match File::create_new(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// `NAME.LABEL-N.png` for `NAME.png`. A long name is shortened.
fn beside(path: &Path, label: &str, n: u64) -> PathBuf {
    let mut ending = std::ffi::OsString::from(format!(".{label}-{n}"));
    if let Some(extension) = path.extension() {
        ending.push(".");
        ending.push(extension);
    }
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    let room = MAX_NAME.saturating_sub(ending.len());
    if name.len() > room {
        let text = name.to_string_lossy().into_owned();
        name = text[..text.floor_char_boundary(room)].into();
    }
    name.push(ending);
    path.with_file_name(name)
}

/// Keeps a temporary file. Returns its path, also if its folder has been renamed, where the system knows it.
pub(super) fn keep(file: NamedTempFile) -> PathBuf {
    let path = std::path::absolute(file.path()).unwrap_or_else(|_| file.path().to_path_buf());
    match file.keep() {
        #[cfg(target_os = "linux")]
        Ok((file, _)) if !exists(&path) => {
            use std::os::fd::AsRawFd;
            let link = format!("/proc/self/fd/{}", file.as_raw_fd());
            fs::read_link(link).ok().filter(|moved| exists(moved)).unwrap_or(path)
        }
        Ok(_) => path,
        Err(error) => {
            // Dropping it would remove it.
            std::mem::forget(error.file);
            path
        }
    }
}

/// Whether a file or a link is at a path.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Moves a file to a path where nothing is.
fn put_new(file: NamedTempFile, path: &Path) -> Result<(), PersistError> {
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(PersistError { error, file }) if is_unsupported(&error, path) => {
            copy_new(file.path(), path).map_err(|error| PersistError { error, file })
        }
        Err(PersistError { file, .. }) if exists(path) => {
            Err(PersistError { error: io::ErrorKind::AlreadyExists.into(), file })
        }
        Err(error) => Err(error),
    }
}

/// Copies a file to a path where nothing is. Only for file systems on which a move may replace what is there: a killed
/// program leaves an unfinished copy.
fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut copy = File::create_new(to)?;
    let copied = io::copy(&mut from, &mut copy).and_then(|_| {
        copy.set_permissions(from.metadata()?.permissions())?;
        copy.sync_all()
    });
    // Removing it by name could remove the file of another program.
    copied.inspect_err(|_| drop(copy.set_len(0)))
}

/// Whether a file could not be moved to a new path because the file system can neither keep what is there nor make hard
/// links. After the error [`AlreadyExists`](io::ErrorKind::AlreadyExists), the path may be free, but another program may
/// write to it again.
fn is_unsupported(error: &io::Error, path: &Path) -> bool {
    let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    error.kind() != io::ErrorKind::AlreadyExists
        && path.symlink_metadata().err().is_some_and(is_missing)
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
mod tests;
