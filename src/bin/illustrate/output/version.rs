//! The contents of a file at one time.

use std::{
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use bevy_illustrator::foreign;
use blake3::Hash;

use super::location::{FileId, file_id};

/// The most bytes that are read to compare contents.
const MAX_HASHED: u64 = foreign::MAX_PICTURE;

/// The contents of a file. They are the same if two versions are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Hash(Hash),
    /// A file with more bytes than are read. Moving it changes none of these values.
    Stamp {
        file: Option<FileId>,
        length: u64,
        modified: Option<SystemTime>,
    },
}

impl Version {
    /// The contents that a file has now.
    ///
    /// # Errors
    /// If it cannot be read, or is not a regular file.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata()?.is_symlink() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = foreign::open(path)?;
        let data = file.metadata()?;
        if data.len() <= MAX_HASHED {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file.take(MAX_HASHED + 1))?;
            if hasher.count() <= MAX_HASHED {
                return Ok(Self::Hash(hasher.finalize()));
            }
        }
        Ok(Self::Stamp { file: file_id(&data), length: data.len(), modified: data.modified().ok() })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_long_file_is_not_read_and_stays_the_same_when_it_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let [path, moved] = ["a", "b"].map(|name| folder.path().join(name));
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let before = Version::of(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        assert_eq!(Version::of(&moved).unwrap(), before);
        file.set_len((1 << 40) + 1).unwrap();
        assert_ne!(Version::of(&moved).unwrap(), before);
    }

    #[test]
    fn equal_contents_are_the_same_version() {
        let folder = tempfile::tempdir().unwrap();
        let version = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            Version::of(&folder.path().join(name)).unwrap()
        };
        assert_eq!(version("a", "1"), version("b", "1"));
        assert_ne!(version("a", "1"), version("b", "2"));
    }
}
