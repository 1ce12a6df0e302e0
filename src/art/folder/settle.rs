//! Old files that have left their places: files with known contents are removed, other files are set aside.

use std::{
    io,
    path::{Path, PathBuf},
};

use blake3::Hash;

use super::{ArtError, Entry, Folder, Kind, is_missing, replace::TEMPORARY};

/// The contents of an old file that can be removed.
#[derive(Clone, Copy)]
pub(super) enum Known<'a> {
    /// Files with one of these hashes.
    Hashes(&'a [Hash]),
    /// A file with this hash, if another file still has the same picture.
    Copy(&'a [Hash; 1], &'a dyn Fn() -> bool),
}

impl Known<'_> {
    pub(super) fn hashes(&self) -> &[Hash] {
        match self {
            Self::Hashes(hashes) => hashes,
            Self::Copy(hash, _) => *hash,
        }
    }

    fn contains(&self, hash: Hash) -> bool {
        self.hashes().contains(&hash)
            && match self {
                Self::Hashes(_) => true,
                Self::Copy(_, is_copy) => is_copy(),
            }
    }
}

impl Folder {
    /// Removes a file that has left its place if its contents are known, and sets it aside otherwise.
    pub(super) fn settle(
        &self,
        replaced: &Path,
        place: &Path,
        known: Known<'_>,
    ) -> Result<(), ArtError> {
        // A file that cannot be read may have any contents.
        if self.hash(replaced).is_ok_and(|hash| hash.is_some_and(|hash| known.contains(hash))) {
            return match self.store.remove(replaced) {
                Err(error) if !is_missing(&error) => Err(self.error("remove", replaced, error)),
                // Otherwise a power cut brings the file back, and opening the folder moves it to its place if that is
                // free by then.
                _ => self.sync_folder(Path::new(TEMPORARY)),
            };
        }
        let aside = self.root.join(self.move_aside(replaced, place)?);
        log::warn!(
            "{} had contents that this program did not write: they are in {} now",
            self.root.join(place).display(),
            aside.display()
        );
        Ok(())
    }

    /// Moves a file to a free name beside a place, and returns that name.
    pub(super) fn move_aside(&self, from: &Path, place: &Path) -> Result<PathBuf, ArtError> {
        let stem = place.file_stem().unwrap_or_default().to_string_lossy();
        // Windows has no names that end with a dot.
        let ending = place.extension().filter(|ending| !ending.is_empty());
        let ending = ending.map(|ending| format!(".{}", ending.to_string_lossy()));
        let ending = ending.unwrap_or_default();
        let parent = self.create_parent(place)?;
        let prefix = format!("{stem}.broken-");
        let is_aside = |entry: &Entry| entry.name.to_string_lossy().starts_with(&prefix);
        // To try all numbers from 1 is slow if there are hundreds of such files. Without a list it is only slow.
        let entries = self.list(parent).unwrap_or_default();
        let mut n = 1 + entries.iter().filter(|entry| is_aside(entry)).count();
        loop {
            let aside = place.with_file_name(format!("{prefix}{n}{ending}"));
            match self.move_file(from, &aside) {
                Ok(()) => {
                    self.sync_folder(parent)?;
                    return Ok(aside);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(self.error("move", from, error)),
            }
        }
    }

    /// The hash of a file; `None` for anything else. A link is not followed.
    pub(super) fn hash(&self, path: &Path) -> io::Result<Option<Hash>> {
        if self.store.metadata(path)?.kind != Kind::File {
            return Ok(None);
        }
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut self.store.open(path)?, &mut hasher)?;
        Ok(Some(hasher.finalize()))
    }
}
