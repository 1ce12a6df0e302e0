//! The bookmark: where the reader was when the game was last closed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::reader::Reader;

/// The file that keeps a reader's place, beside the story's pictures.
#[derive(Clone, Debug)]
pub struct Bookmark {
    path: PathBuf,
}

impl Bookmark {
    /// The bookmark in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join("bookmark.ron") }
    }

    /// The reader that was kept. A bookmark that is not there or cannot be read is none: the reader
    /// begins anew.
    #[must_use]
    pub fn load(&self) -> Option<Reader> {
        ron::from_str(&fs::read_to_string(&self.path).ok()?).ok()
    }

    /// Keeps a reader's place.
    ///
    /// # Errors
    /// When the system refuses to write the file.
    pub fn save(&self, reader: &Reader) -> io::Result<()> {
        fs::write(&self.path, ron::to_string(reader).map_err(io::Error::other)?)
    }
}
