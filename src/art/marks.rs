//! The author's marks on takes.

mod pixels;

use std::path::{Path, PathBuf};

use super::{Art, ArtError, TakeId, TakeWriter, folder::Folder};
use crate::{
    recipe::{Marks, PictureEdit},
    storyboard::ShotId,
};

/// The source of the marks of a take. Reading them decodes masks, which is too slow for a frame.
#[derive(Debug)]
pub(crate) struct MarksSource {
    folder: Folder,
    first: First,
    /// The edits between the take that was marked and this one, the last first.
    edits: Vec<PictureEdit>,
}

/// The marks of the take that was marked.
#[derive(Debug)]
enum First {
    Marks(Marks),
    File(PathBuf),
}

impl MarksSource {
    /// Whether nothing must be decoded or hashed.
    #[cfg(feature = "panel")]
    pub(crate) fn is_known(&self) -> bool {
        matches!(self.first, First::Marks(_)) && self.edits.is_empty()
    }

    /// Reads the marks. Can be called on any thread.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn read(self) -> Result<Marks, ArtError> {
        let marks = match self.first {
            First::Marks(marks) => marks,
            First::File(path) => read(&self.folder, &path)?.unwrap_or_default(),
        };
        Ok(self.edits.iter().rfold(marks, |marks, edit| marks.after(edit)))
    }
}

impl Art {
    /// The marks of a take. A take without saved marks inherits the marks of its parent, discarded or not, as
    /// [changed by the edit](Marks::after).
    ///
    /// # Errors
    /// If there is no such take, or the saved marks cannot be read.
    pub fn marks(&self, shot: &ShotId, take: &TakeId) -> Result<Marks, ArtError> {
        self.marks_source(shot, take, |_| None)?.read()
    }

    /// The source of [`Self::marks`]. Marks that `unwritten` returns for a take replace the marks in its file. Nothing
    /// is read.
    pub(crate) fn marks_source(
        &self,
        shot: &ShotId,
        take: &TakeId,
        unwritten: impl Fn(&TakeId) -> Option<Marks>,
    ) -> Result<MarksSource, ArtError> {
        let mut at = self.take(shot, take)?;
        let (mut edits, folder) = (Vec::new(), self.folder.clone());
        // A chain that is longer than the number of takes would be a cycle.
        for _ in 0..=self.with_discarded(shot).count() {
            if let Some(marks) = unwritten(&at.id) {
                return Ok(MarksSource { folder, first: First::Marks(marks), edits });
            }
            let path = path(&self.folder, shot, &at.id);
            if self.folder.has(&path)? {
                return Ok(MarksSource { folder, first: First::File(path), edits });
            }
            let Some(edit) = &at.recipe().edit else { break };
            edits.push(edit.clone());
            match self.with_discarded(shot).find(|other| Some(&other.id) == edit.parent.as_ref()) {
                Some(parent) => at = parent,
                None => break,
            }
        }
        Ok(MarksSource { folder, first: First::Marks(Marks::default()), edits: Vec::new() })
    }

    /// Returns whether a take has saved marks of its own, not only inherited ones.
    #[must_use]
    pub fn has_marks(&self, shot: &ShotId, take: &TakeId) -> bool {
        // Marks that cannot be read at the moment are there.
        self.folder.has(&path(&self.folder, shot, take)).unwrap_or(true)
    }

    /// Saves the marks of a take atomically. Older marks that cannot be read, and those that another
    /// program has changed since this one read or wrote them, are renamed to `<take>.broken-1.json`.
    ///
    /// # Errors
    /// If there is no such take, if a file operation fails, or if the marks exceed the size limit for reading. After an
    /// error, the marks are unchanged.
    pub fn set_marks(
        &mut self,
        shot: &ShotId,
        take: &TakeId,
        marks: &Marks,
    ) -> Result<(), ArtError> {
        self.take(shot, take)?;
        self.writer().write_marks(shot, take, marks)
    }
}

impl TakeWriter {
    /// Writes the marks of a take: see [`Art::set_marks`].
    ///
    /// # Errors
    /// If a file operation fails, or if the marks exceed the size limit for reading. After an error, the marks are
    /// unchanged.
    pub(crate) fn write_marks(
        &self,
        shot: &ShotId,
        take: &TakeId,
        marks: &Marks,
    ) -> Result<(), ArtError> {
        let folder = self.folder();
        let path = path(folder, shot, take);
        pixels::check(marks)?;
        let bytes = serde_json::to_vec(marks)
            .map_err(|error| ArtError::io("write", &path)(std::io::Error::other(error)))?;
        if folder.knows(&path) {
            // A pointer is not replaced.
            folder.read_text(&path)?;
        } else {
            match read(folder, &path) {
                Ok(_) => {}
                Err(unreadable @ ArtError::Marks { .. }) => log::warn!("{unreadable}"),
                Err(error) => return Err(error),
            }
        }
        folder.write_bytes(&path, &bytes)
    }
}

/// Reads marks from a file; `None` if it does not exist.
///
/// # Errors
/// [`ArtError::Marks`] if the file cannot be parsed, has too many pixels, or is from a newer version; otherwise if an operation on it fails.
fn read(folder: &Folder, path: &Path) -> Result<Option<Marks>, ArtError> {
    let Some(text) = folder.read_text(path)? else {
        folder.remember_absence(path);
        return Ok(None);
    };
    let wrong = |error: serde_json::Error| ArtError::Marks {
        path: path.to_owned(),
        message: error.to_string(),
    };
    pixels::check_text(&text)
        .map_err(|error| ArtError::Marks { path: path.to_owned(), message: error.to_string() })?;
    let marks: Marks = serde_json::from_slice(&text).map_err(wrong)?;
    folder.remember_if(path, &text, &serde_json::to_vec(&marks).map_err(wrong)?);
    Ok(Some(marks))
}

fn path(folder: &Folder, shot: &ShotId, take: &TakeId) -> PathBuf {
    folder.root().join("parts").join(shot.as_str()).join(format!("{take}.json"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        art::{
            Take,
            tests::{draw, edit_of, folder, recipe, shot},
        },
        mask::{Area, Mask},
        recipe::Layer,
    };

    fn marks(name: &str) -> Marks {
        let context = Some(Area { x: 1, y: 2, width: 3, height: 4 });
        Marks { layers: vec![Layer::new(name, Mask::full(8, 8))], context }
    }

    /// A folder with one take whose marks file contains `text`.
    fn marked(text: &str) -> (tempfile::TempDir, Art, Take, PathBuf) {
        let (dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let take = draw(&mut art, "a", &recipe("x"), 10);
        let path = path(&art.folder, &take.shot, &take.id);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        (dir, art, take, path)
    }

    #[test]
    fn marks_that_cannot_be_read_are_set_aside_when_new_ones_are_saved() {
        let newer = serde_json::to_string(&marks("sky")).unwrap().replace("colour", "tint");
        for text in ["{\"layers\": ", &newer] {
            let (_dir, mut art, take, path) = marked(text);
            let error = art.marks(&take.shot, &take.id).unwrap_err().to_string();
            assert!(error.contains("a copy of the file is kept"), "{error}");
            art.set_marks(&take.shot, &take.id, &marks("sea")).unwrap();
            art.set_marks(&take.shot, &take.id, &marks("land")).unwrap();
            assert_eq!(art.marks(&take.shot, &take.id).unwrap(), marks("land"));
            let aside = path.with_file_name(format!("{}.broken-1.json", take.id));
            assert_eq!(fs::read_to_string(aside).unwrap(), text);
            let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!(files, 2, "marks that can be read are not set aside");
        }
    }

    #[test]
    fn marks_with_a_byte_order_mark_are_read() {
        let text = serde_json::to_string(&marks("sky")).unwrap();
        let (_dir, mut art, take, path) = marked(&format!("\u{feff}{text}"));
        assert_eq!(art.marks(&take.shot, &take.id).unwrap(), marks("sky"));
        art.set_marks(&take.shot, &take.id, &marks("sea")).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn marks_that_cannot_be_read_stay_when_new_ones_cannot_be_saved() {
        let (_dir, mut art, take, path) = marked("{\"layers\": ");
        fs::remove_dir(art.root().join(".tmp")).unwrap();
        fs::write(art.root().join(".tmp"), "in the way").unwrap();
        art.set_marks(&take.shot, &take.id, &marks("sea")).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"layers\": ");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_take_inherits_the_marks_of_discarded_parents() {
        let (_dir, root) = folder();
        let mut art = Art::open(&root).unwrap();
        let first = draw(&mut art, "a", &recipe("x"), 10);
        let second = draw(&mut art, "a", &edit_of(&first, "sky"), 20);
        let third = draw(&mut art, "a", &edit_of(&second, "sea"), 30);
        art.set_marks(&shot("a"), &first.id, &marks("sky")).unwrap();
        art.discard(&shot("a"), &second.id).unwrap();
        art.discard(&shot("a"), &first.id).unwrap();
        for art in [art, Art::read(&root).unwrap()] {
            assert_eq!(art.marks(&shot("a"), &third.id).unwrap(), marks("sky"));
        }
    }
}
