//! Where a file is, however its path is spelled.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use super::file::follow_links;

/// A file or a place for one. Two paths of the same file are equal, also if a folder is mounted twice, or if the disk
/// ignores the case of letters.
#[derive(Debug)]
pub(super) struct Location {
    /// The path without links, `.` and `..`.
    pub(super) path: PathBuf,
    /// `None` if the system has no numbers of files.
    identity: Option<Identity>,
}

/// The device of a file, and the number of the file on it.
pub(super) type FileId = (u64, u64);

#[derive(Debug, PartialEq, Eq)]
enum Identity {
    File(FileId),
    /// The file does not exist. The disk may ignore the case of its name.
    Missing {
        folder: FileId,
        lower_case: String,
    },
}

impl Location {
    /// The location of a file, which need not exist.
    ///
    /// # Errors
    /// If its folder does not exist.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let path = follow_links(path)?;
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
                let name = path.file_name().unwrap_or_default();
                let lower_case = name.to_string_lossy().to_lowercase();
                let id = fs::metadata(&folder).ok().as_ref().and_then(file_id);
                let identity = id.map(|folder| Identity::Missing { folder, lower_case });
                Ok(Self { path: folder.join(name), identity })
            }
            Err(error) => Err(error),
            Ok(path) => {
                let id = fs::metadata(&path).ok().as_ref().and_then(file_id);
                Ok(Self { path, identity: id.map(Identity::File) })
            }
        }
    }
}

impl PartialEq for Location {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path || self.identity.is_some() && self.identity == other.identity
    }
}

/// The number of a file. `None` on systems whose canonical paths are unique.
pub(super) fn file_id(data: &Metadata) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((data.dev(), data.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn two_paths_of_a_file_are_equal() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| Location::of(&folder.path().join(name)).unwrap();
        fs::write(folder.path().join("a.png"), "").unwrap();
        fs::write(folder.path().join("b.png"), "").unwrap();
        // As a second mount, a hard link is another path without a link to follow.
        fs::hard_link(folder.path().join("a.png"), folder.path().join("c.png")).unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        assert_eq!(at("a.png"), at("d/../a.png"));
        assert_eq!(at("a.png"), at("c.png"));
        assert_ne!(at("a.png"), at("b.png"));
        assert_eq!(at("new.png"), at("d/../New.PNG"));
        assert_ne!(at("new.png"), at("d/new.png"));
        assert!(Location::of(&folder.path().join("none/a.png")).is_err());
    }
}
