//! Art folders on disk.

use std::{
    fs::{File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, FileType, OpenOptions},
    time::SystemTime,
};

use super::{
    ArtError,
    store::{Entry, Kind, Metadata, ReadSeek, Store},
};
use crate::foreign;

const LOCK: &str = ".lock";

/// An art folder on disk. It is accessed through a handle, so that no link inside the folder leads out of it.
#[derive(Debug)]
pub(super) struct DiskStore {
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "no other system says whether a folder moved")
    )]
    root: PathBuf,
    /// The error if the folder could not be opened read-only, for example because it does not exist.
    dir: Result<Dir, io::ErrorKind>,
    /// The locks of a folder that is open for writing.
    _locks: Vec<File>,
}

impl DiskStore {
    /// Opens a folder that exists, and locks it.
    ///
    /// The lock is on the folder itself where the system can lock folders, because the lock file can be removed, for
    /// example by `git clean`. Programs of older versions only know the lock file.
    ///
    /// # Errors
    /// [`ArtError::Locked`] if another process has it open; otherwise if an operation on a file fails.
    pub(super) fn open(root: PathBuf) -> Result<Self, ArtError> {
        let path = root.join(LOCK);
        let dir = Dir::open_ambient_dir(&root, ambient_authority());
        let dir = dir.map_err(ArtError::io("open", &root))?;
        let mut locks = Vec::new();
        if cfg!(unix) {
            let folder = File::open(&root).map_err(ArtError::io("open", &root))?;
            match folder.try_lock() {
                Ok(()) => locks.push(folder),
                Err(TryLockError::WouldBlock) => return Err(ArtError::Locked { path: root }),
                Err(TryLockError::Error(error)) => log::debug!("the folder has no lock: {error}"),
            }
        }
        // With write access alone, a pipe cannot be opened without a reader, and the error does not say that it is one.
        let options = OpenOptions::new().create(true).read(true).write(true).clone();
        let file = foreign::open_in(&dir, Path::new(LOCK), options, foreign::MAX_PICTURE);
        let file = file.map_err(|source| {
            let path = path.clone();
            if foreign::is_outside(&source) {
                ArtError::LinkedFile { path }
            } else {
                ArtError::Io { what: "create", path, source }
            }
        })?;
        match file.try_lock() {
            Ok(()) => locks.push(file),
            Err(TryLockError::WouldBlock) => return Err(ArtError::Locked { path: root }),
            Err(TryLockError::Error(source)) => {
                return Err(ArtError::Io { what: "lock", path, source });
            }
        }
        Ok(Self { root, dir: Ok(dir), _locks: locks })
    }

    /// Opens a folder without a lock. It need not exist.
    pub(super) fn read(root: PathBuf) -> Self {
        let dir = Dir::open_ambient_dir(&root, ambient_authority());
        let dir = dir.map_err(|error| error.kind());
        Self { root, dir, _locks: Vec::new() }
    }

    fn dir(&self) -> io::Result<&Dir> {
        self.dir.as_ref().map_err(|kind| (*kind).into())
    }
}

impl Store for DiskStore {
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        let options = OpenOptions::new().read(true).clone();
        Ok(Box::new(foreign::open_in(self.dir()?, path, options, foreign::MAX_PICTURE)?))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let entries = self.dir()?.read_dir(folder)?;
        entries
            .map(|entry| {
                let entry = entry?;
                Ok(Entry { name: entry.file_name(), kind: kind(entry.file_type()?) })
            })
            .collect()
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let data = self.dir()?.symlink_metadata(path)?;
        #[cfg(unix)]
        let file = {
            use cap_std::fs::MetadataExt;
            Some((data.dev(), data.ino()))
        };
        #[cfg(not(unix))]
        let file = None;
        Ok(Metadata {
            file,
            kind: kind(data.file_type()),
            length: data.len(),
            modified: data.modified().ok().map(SystemTime::into_std),
        })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.dir()?.create_dir(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let options = OpenOptions::new().create_new(true).write(true).clone();
        let mut file = self.dir()?.open_with(path, &options)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename_atomically(from, to, Flag::KeepTarget)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        let dir = self.dir()?;
        dir.rename(from, dir, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let dir = self.dir()?;
        dir.hard_link(from, dir, to).map_err(|error| match can_link(&error) {
            true => error,
            false => io::ErrorKind::Unsupported.into(),
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.rename_atomically(one, other, Flag::Exchange)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let dir = self.dir()?;
        match dir.remove_file(path) {
            // Windows removes a link to a folder as a folder.
            Err(_) if self.metadata(path)?.kind == Kind::Link => dir.remove_dir(path),
            result => result,
        }
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        // Windows syncs only what is open for writing, which a folder cannot be here. Whether a new name survives a power
        // cut is left to the file system.
        if cfg!(unix) {
            // A handle of `Dir` cannot be synced.
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            ignore_unsupported(self.dir()?.open(path)?.sync_all())?;
        }
        Ok(())
    }

    fn is_in_place(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;

            use cap_std::fs::MetadataExt as CapMetadataExt;

            let opened = self.dir().and_then(Dir::dir_metadata).ok();
            let opened =
                opened.map(|data| (CapMetadataExt::dev(&data), CapMetadataExt::ino(&data)));
            let now = std::fs::metadata(&self.root).ok();
            opened == now.map(|data| (data.dev(), data.ino()))
        }
        // cap-std opens folders without `FILE_SHARE_DELETE`: Windows refuses to move or remove them meanwhile. Other
        // file systems behind Windows may not.
        #[cfg(not(unix))]
        true
    }
}

/// Ignores the error of a file system whose folders cannot be synced, such as CIFS.
///
/// # Errors
/// All others.
pub(super) fn ignore_unsupported(synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// The treatment of a file at the new path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    KeepTarget,
    Exchange,
}

impl DiskStore {
    /// Renames without ever replacing a file, in one step. File systems and systems that cannot do so return
    /// [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    fn rename_atomically(&self, from: &Path, to: &Path, flag: Flag) -> io::Result<()> {
        use rustix::{
            fs::{RenameFlags, renameat_with},
            io::Errno,
        };
        let dir = self.dir()?;
        // The parents are opened through the handle of the art folder, so that no link leads out of it.
        let parent = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => dir.open_dir(parent),
            _ => dir.try_clone(),
        };
        let name = |path: &Path| path.file_name().map(ToOwned::to_owned);
        let [Some(old), Some(new)] = [from, to].map(name) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let flags = match flag {
            Flag::KeepTarget => RenameFlags::NOREPLACE,
            Flag::Exchange => RenameFlags::EXCHANGE,
        };
        match renameat_with(parent(from)?, old, parent(to)?, new, flags) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            result => Ok(result?),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    fn rename_atomically(&self, _: &Path, _: &Path, _: Flag) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether a link failed for another reason than that the file cannot have a second name.
#[cfg(unix)]
fn can_link(error: &io::Error) -> bool {
    use rustix::io::Errno;

    // Linux, link(2): EPERM for a folder, and for a file system without links.
    let reasons = [Errno::PERM, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::MLINK];
    !Errno::from_io_error(error).is_some_and(|error| reasons.contains(&error))
}

#[cfg(not(unix))]
fn can_link(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
}

fn kind(file_type: FileType) -> Kind {
    match (file_type.is_dir(), file_type.is_symlink()) {
        (true, _) => Kind::Folder,
        (_, true) => Kind::Link,
        _ => Kind::File,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_whose_folders_cannot_be_synced_is_accepted() {
        // EINVAL, ENOSYS, ENOTSUP, and as errors EIO, ENOSPC (Linux, errno.h).
        for (code, is_ignored) in [(22, true), (38, true), (95, true), (5, false), (28, false)] {
            let result = ignore_unsupported(Err(io::Error::from_raw_os_error(code)));
            assert_eq!(result.is_ok(), is_ignored, "{code}");
        }
    }
}
