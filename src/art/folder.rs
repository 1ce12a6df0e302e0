//! Access to the files of an art folder: one process writes, and each file is replaced atomically.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::ArtError;

/// The folder of unfinished files. It is on the same filesystem, so that a rename finishes them.
const UNFINISHED: &str = ".tmp";
const LOCK: &str = ".lock";

/// An art folder on disk. Clones share one lock, which is held until the last of them is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// `None` if the folder is open read-only.
    lock: Option<Arc<File>>,
}

impl Folder {
    /// Opens a folder for writing, creates it if it does not exist, and removes unfinished files of a killed process.
    ///
    /// # Errors
    /// [`ArtError::Locked`] if another process has it open; otherwise if an operation on a file fails.
    pub(crate) fn open(root: PathBuf) -> Result<Self, ArtError> {
        create_folder(&root)?;
        let path = root.join(LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ArtError::io("create", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ArtError::Locked { path: root }),
            Err(TryLockError::Error(source)) => {
                return Err(ArtError::Io { what: "lock", path, source });
            }
        }
        let folder = Self { root, lock: Some(Arc::new(lock)) };
        folder.clear_unfinished()?;
        Ok(folder)
    }

    /// Opens a folder read-only. It need not exist.
    pub(crate) fn read(root: PathBuf) -> Self {
        Self { root, lock: None }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file below the folder atomically: `fill` writes a temporary file, which is synced and renamed. If
    /// anything fails, the old file stays.
    ///
    /// # Errors
    /// If `fill` fails, the folder is open read-only, or an operation on a file fails.
    pub(crate) fn write_whole(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), ArtError> {
        self.check_writable()?;
        let unfinished = self.root.join(UNFINISHED);
        if unfinished.is_symlink() {
            return Err(ArtError::LinkedFolder { path: unfinished });
        }
        fs::create_dir_all(&unfinished).map_err(ArtError::io("create", &unfinished))?;
        let mut file = new_file().tempfile_in(&unfinished).map_err(ArtError::io("write", path))?;
        fill(file.as_file_mut())
            .and_then(|()| file.as_file().sync_all())
            .map_err(ArtError::io("write", path))?;
        let place = create_parent(path)?;
        file.persist(path).map_err(|error| ArtError::io("write", path)(error.error))?;
        sync_folder(place)
    }

    /// Writes bytes with [`Self::write_whole`].
    ///
    /// # Errors
    /// As [`Self::write_whole`].
    pub(crate) fn write_bytes(&self, path: &Path, bytes: &[u8]) -> Result<(), ArtError> {
        self.write_whole(path, |file| file.write_all(bytes))
    }

    /// Moves a file within the folder.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), ArtError> {
        self.check_writable()?;
        let place = create_parent(to)?;
        fs::rename(from, to).map_err(ArtError::io("move", from))?;
        sync_folder(place)
    }

    /// Renames an unreadable file to a free name in the same folder, such as `a.broken-1.json` for `a.json`. Returns
    /// the new path.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<PathBuf, ArtError> {
        let [stem, ending] = [path.file_stem(), path.extension()]
            .map(|part| part.unwrap_or_default().to_string_lossy());
        let aside = |n: u64| path.with_file_name(format!("{stem}.broken-{n}.{ending}"));
        let mut n = 1;
        while aside(n).exists() {
            n += 1;
        }
        self.rename(path, &aside(n))?;
        Ok(aside(n))
    }

    /// Removes a file if it exists.
    ///
    /// # Errors
    /// If the folder is open read-only, or an operation on a file fails.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), ArtError> {
        self.check_writable()?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ArtError::io("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Whether the folder is open for writing.
    pub(crate) fn is_writable(&self) -> bool {
        self.lock.is_some()
    }

    fn check_writable(&self) -> Result<(), ArtError> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(ArtError::ReadOnly { path: self.root.clone() }),
        }
    }

    /// Removes the files that a killed process left in `.tmp`. If `.tmp` is a link, only the link is removed.
    ///
    /// # Errors
    /// If `.tmp` is a link that cannot be removed.
    fn clear_unfinished(&self) -> Result<(), ArtError> {
        let folder = self.root.join(UNFINISHED);
        if folder.is_symlink() {
            log::warn!("{} is a link: it is removed, its target stays", folder.display());
            // Windows removes a link to a folder as a folder.
            return fs::remove_file(&folder)
                .or_else(|_| fs::remove_dir(&folder))
                .map_err(|_| ArtError::LinkedFolder { path: folder });
        }
        let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
        for path in entries.flatten().map(|entry| entry.path()) {
            if let Err(error) = fs::remove_file(&path) {
                log::warn!("cannot remove the unfinished file {}: {error}", path.display());
            }
        }
        Ok(())
    }
}

/// Reads a file; `None` if it does not exist.
///
/// # Errors
/// If an operation on the file fails.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ArtError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ArtError::io("read", path)(error)),
    }
}

/// A temporary file with the permissions of the author's other files.
fn new_file() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has permission bits"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Creates the folder that a file goes to, and returns it.
fn create_parent(path: &Path) -> Result<&Path, ArtError> {
    let parent = path.parent().unwrap_or(path);
    create_folder(parent)?;
    Ok(parent)
}

/// Creates a folder and its missing parents. New folders are synced, so that a power cut does not lose their files.
fn create_folder(path: &Path) -> Result<(), ArtError> {
    let missing = missing_folders(path);
    fs::create_dir_all(path).map_err(ArtError::io("create", path))?;
    missing.into_iter().filter_map(Path::parent).try_for_each(sync_folder)
}

/// The folders of a path that do not exist, the innermost first.
fn missing_folders(path: &Path) -> Vec<&Path> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    path.ancestors().take_while(is_missing).collect()
}

/// Syncs a folder, so that a rename in it survives a power cut. Windows does this by itself.
fn sync_folder(path: &Path) -> Result<(), ArtError> {
    if cfg!(unix) {
        // The parent of a relative path may be empty.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(ArtError::io("write", path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path().join("art")).unwrap();
        (dir, folder)
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_unchanged() {
        let (_dir, folder) = open();
        let path = folder.root().join("pictures/a.png");
        folder.write_bytes(&path, b"the old one").unwrap();
        let error = folder
            .write_whole(&path, |file| {
                file.write_all(b"half of the n")?;
                Err(io::ErrorKind::StorageFull.into())
            })
            .unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"the old one");
        assert!(error.to_string().contains("a.png"), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(fs::read_dir(folder.root().join(".tmp")).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_reported_and_the_old_file_stays() {
        let (_dir, folder) = open();
        let path = folder.root().join("ledger.ron");
        folder.write_bytes(&path, b"old").unwrap();
        let error = folder
            .write_whole(&path, |_| {
                File::options().write(true).open("/dev/full")?.write_all(b"new")
            })
            .unwrap_err();
        let ArtError::Io { source, .. } = &error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_file_in_place_of_the_temporary_folder_is_reported_and_nothing_is_lost() {
        let (_dir, folder) = open();
        let path = folder.root().join("ledger.ron");
        folder.write_bytes(&path, b"old").unwrap();
        fs::remove_dir(folder.root().join(".tmp")).unwrap();
        fs::write(folder.root().join(".tmp"), b"in the way").unwrap();
        let error = folder.write_bytes(&path, b"new").unwrap_err();
        assert!(error.to_string().contains(".tmp"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn unfinished_files_of_a_killed_process_are_removed_only_under_the_lock() {
        let (_dir, folder) = open();
        let left = folder.root().join(".tmp/left-over");
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(&left, b"half a picture").unwrap();
        assert!(matches!(Folder::open(folder.root().into()), Err(ArtError::Locked { .. })));
        assert!(left.exists());
        let root = folder.root().to_owned();
        drop(folder);
        Folder::open(root).unwrap();
        assert!(!left.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_temporary_folder_is_removed_and_its_target_keeps_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let (root, target) = (dir.path().join("art"), dir.path().join("documents"));
        let letter = target.join("letter.txt");
        fs::create_dir_all(&target).unwrap();
        fs::create_dir_all(&root).unwrap();
        fs::write(&letter, b"mine").unwrap();
        std::os::unix::fs::symlink(&target, root.join(".tmp")).unwrap();

        let folder = Folder::open(root.clone()).unwrap();
        assert_eq!(fs::read(&letter).unwrap(), b"mine");
        assert!(!root.join(".tmp").is_symlink());
        folder.write_bytes(&root.join("ledger.ron"), b"new").unwrap();

        // A link that appears while the folder is open.
        fs::remove_dir(root.join(".tmp")).unwrap();
        std::os::unix::fs::symlink(&target, root.join(".tmp")).unwrap();
        let error = folder.write_bytes(&root.join("ledger.ron"), b"newer").unwrap_err();
        assert!(matches!(&error, ArtError::LinkedFolder { path } if *path == root.join(".tmp")));
        assert_eq!(fs::read(root.join("ledger.ron")).unwrap(), b"new");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 1);
    }

    #[test]
    fn the_lock_is_held_until_the_last_clone_is_dropped() {
        let (_dir, folder) = open();
        let (root, clone) = (folder.root().to_owned(), folder.clone());
        drop(folder);
        assert!(matches!(Folder::open(root.clone()), Err(ArtError::Locked { .. })));
        drop(clone);
        Folder::open(root).unwrap();
    }

    #[test]
    fn a_read_only_folder_refuses_to_write() {
        let (_dir, folder) = open();
        let read_only = Folder::read(folder.root().into());
        let error = read_only.write_bytes(&folder.root().join("x"), b"x").unwrap_err();
        assert!(matches!(error, ArtError::ReadOnly { .. }));
        assert!(!folder.root().join("x").exists());
    }

    #[test]
    fn missing_folders_of_a_path_are_listed_from_the_innermost() {
        let dir = tempfile::tempdir().unwrap();
        let art = dir.path().join("art");
        let takes = art.join("takes");
        assert_eq!(missing_folders(&takes), [&takes, &art]);
        assert!(missing_folders(dir.path()).is_empty());
        assert_eq!(missing_folders(Path::new("no_such_folder")), [Path::new("no_such_folder")]);
        create_folder(&takes).unwrap();
        assert!(takes.is_dir());
        sync_folder(Path::new("")).unwrap();
    }

    #[test]
    fn files_that_are_set_aside_get_different_names() {
        let (_dir, folder) = open();
        let path = folder.root().join("parts/a.json");
        for (n, text) in [(1, "first"), (2, "second")] {
            folder.write_bytes(&path, text.as_bytes()).unwrap();
            let aside = folder.set_aside(&path).unwrap();
            assert_eq!(aside, path.with_file_name(format!("a.broken-{n}.json")));
        }
        let kept = |n| fs::read_to_string(path.with_file_name(format!("a.broken-{n}.json")));
        assert_eq!([kept(1).unwrap(), kept(2).unwrap()], ["first", "second"]);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_the_permissions_of_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, folder) = open();
        let (ours, plain) = (folder.root().join("ours"), dir.path().join("plain"));
        folder.write_bytes(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
