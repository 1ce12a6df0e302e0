//! The bookmark: the reader's position when the game was last closed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::reader::Reader;

/// The file with the reader's position, next to the story's pictures.
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

    /// Loads the saved reader. Returns `None` if the bookmark is missing or cannot be read: then the story
    /// starts at its beginning.
    #[must_use]
    pub fn load(&self) -> Option<Reader> {
        let text = fs::read_to_string(&self.path).ok()?;
        ron::from_str(text.trim_start_matches('\u{feff}')).ok()
    }

    /// Saves a reader's position.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, reader: &Reader) -> io::Result<()> {
        fs::write(&self.path, ron::to_string(reader).map_err(io::Error::other)?)
    }
}
