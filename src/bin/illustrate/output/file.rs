//! Files that commands write: checked before long work, and complete when they appear.

use std::{
    collections::BTreeSet,
    fs::{self, File, FileType, Metadata},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::NamedTempFile;

use crate::failure::Failure;

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;

/// The temporary files of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file written atomically: it appears at its path once it is complete.
pub(crate) struct OutputFile {
    /// As the user typed it.
    path: PathBuf,
    target: Target,
}

enum Target {
    /// A temporary file beside the file that it replaces.
    File { unfinished: Unfinished, replaced: PathBuf },
    /// A character device, such as `/dev/null`. It is written to and never replaced.
    Device(File),
}

/// A temporary file. Ctrl-C removes it, too.
struct Unfinished(Option<NamedTempFile>);

impl OutputFile {
    /// Creates the temporary file of a PNG. Call this before long work, to fail early.
    ///
    /// # Errors
    /// As [`Self::create`], and if the name does not end in `.png`: viewers and Bevy decode a file by its extension.
    pub(crate) fn create_png(path: &Path) -> Result<Self, Failure> {
        let output = Self::create(path)?;
        let is_png = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"));
        match output.target {
            Target::File { .. } if !is_png => Err(Failure::NotPng {
                path: path.to_path_buf(),
                instead: path.with_extension("png"),
            }),
            _ => Ok(output),
        }
    }

    /// Creates the temporary file. Call this before long work, to fail early.
    ///
    /// A link is followed: the file that it points to is replaced. An existing file keeps its permissions.
    ///
    /// # Errors
    /// If the folder does not exist or is not writable, or if something is at the path that cannot be replaced by a
    /// file: a folder, a pipe, a socket, a disk or a file that is read-only.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let failed = || Failure::file("write", path);
        let replaced = follow_links(path).map_err(failed())?;
        let existing = match fs::metadata(&replaced) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed()(error)),
        };
        if let Some(metadata) = &existing {
            check(path, metadata)?;
            // Opening shows what the permissions do not: access lists, immutable files, running programs.
            let opened = File::options().write(true).open(&replaced).map_err(failed())?;
            if !metadata.is_file() {
                return Ok(Self { path: path.to_path_buf(), target: Target::Device(opened) });
            }
        }
        let folder = replaced.parent().filter(|folder| !folder.as_os_str().is_empty());
        let unfinished = Unfinished::create(folder.unwrap_or(Path::new("."))).map_err(failed())?;
        if let (Some(metadata), Some(file)) = (existing, &unfinished.0) {
            file.as_file().set_permissions(metadata.permissions()).map_err(failed())?;
        }
        Ok(Self { path: path.to_path_buf(), target: Target::File { unfinished, replaced } })
    }

    /// Writes the contents, syncs them and moves the file to its path.
    ///
    /// # Errors
    /// If writing fails. An existing file stays unchanged then.
    pub(crate) fn finish(self, contents: &[u8]) -> Result<(), Failure> {
        let written = match self.target {
            Target::File { unfinished, replaced } => unfinished.finish(contents, &replaced),
            Target::Device(mut device) => device.write_all(contents),
        };
        written.map_err(Failure::file("write", &self.path))
    }
}

impl Unfinished {
    fn create(folder: &Path) -> io::Result<Self> {
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only files of Unix get permissions"))]
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        // Locked until the file is listed, so that `remove_unfinished` cannot miss it.
        let mut list = unfinished();
        let file = builder.tempfile_in(folder)?;
        list.insert(file.path().to_path_buf());
        Ok(Self(Some(file)))
    }

    fn finish(mut self, contents: &[u8], path: &Path) -> io::Result<()> {
        let Some(mut file) = self.0.take() else { return Ok(()) };
        let temporary = file.path().to_path_buf();
        let placed = file
            .write_all(contents)
            .and_then(|()| file.as_file().sync_all())
            .and_then(|()| file.persist(path).map_err(|error| error.error));
        unfinished().remove(&temporary);
        placed.map(drop)
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

/// The target of a path, which need not exist.
pub(super) fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("it is a link that leads to itself"))
}

/// Checks that a file may replace what is at the path, or that it is a device to write to.
fn check(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    if let Some(kind) = unwritable(metadata.file_type()) {
        return Err(Failure::NotAFile { path: path.to_path_buf(), kind });
    }
    if metadata.is_file() && metadata.permissions().readonly() {
        return Err(Failure::ReadOnly { path: path.to_path_buf() });
    }
    Ok(())
}

/// Names what is neither a file nor a device that takes any number of bytes.
fn unwritable(file: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kinds = [
            (file.is_fifo(), "pipe"),
            (file.is_socket(), "socket"),
            (file.is_block_device(), "disk"),
        ];
        if let Some((_, kind)) = kinds.into_iter().find(|(is_it, _)| *is_it) {
            return Some(kind);
        }
    }
    file.is_dir().then_some("folder")
}
