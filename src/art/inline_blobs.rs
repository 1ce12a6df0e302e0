//! Moves masks and scribbles that older versions wrote into recipes to `blobs/`.
//!
//! The files of old takes stay as they are. `blobs/inline.json` lists the ids of their masks and scribbles, so that
//! only the first opening of a folder decodes them.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    ArtError, Blobs,
    folder::{Folder, Text},
};
use crate::recipe::{BlobId, InlineBlob, InlineBlobError};

/// The masks and scribbles in the recipes of a folder.
pub(super) struct InlineBlobs {
    folder: Folder,
    /// Ids by [`InlineBlob::key`].
    known: BTreeMap<String, BlobId>,
    is_changed: bool,
}

impl InlineBlobs {
    /// Reads the list of a folder.
    pub(super) fn open(folder: &Folder) -> Self {
        let path = path(folder);
        let text = folder.read_text(&path).ok().flatten();
        let read = |text: &Text| {
            let known = serde_json::from_slice(text)?;
            folder.remember(&path, text);
            Ok(known)
        };
        let known = text.as_ref().map(read).unwrap_or_else(|| Ok(BTreeMap::new()));
        let known = known.unwrap_or_else(|error: serde_json::Error| {
            log::warn!("{} cannot be read and is created again: {error}", path.display());
            BTreeMap::new()
        });
        Self { folder: folder.clone(), known, is_changed: false }
    }

    /// The id of a mask or scribble of a take. In a folder that is open for writing, also writes it to `blobs/`. A failed
    /// write is reported in the log: the file of the take still has the mask.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub(super) fn id(&mut self, inline: &InlineBlob) -> Result<BlobId, InlineBlobError> {
        let blobs = Blobs::new(self.folder.clone());
        let key = inline.key();
        let is_there =
            // A mask that cannot be described is written again if it is missing.
            |id: &&BlobId| {
                !self.folder.is_writable() || self.folder.has(&blobs.path(id)).unwrap_or(false)
            };
        if let Some(id) = self.known.get(&key).filter(is_there) {
            return Ok(id.clone());
        }
        let blob = inline.decode()?;
        let id = blob.id();
        if self.folder.is_writable()
            && let Err(error) = blobs.put(&blob)
        {
            log::error!("{error}");
            return Ok(id);
        }
        self.known.insert(key, id.clone());
        self.is_changed = true;
        Ok(id)
    }

    /// Writes the list if it changed. A failure is reported in the log, because the list can be created again.
    pub(super) fn save(self) {
        if !self.is_changed || !self.folder.is_writable() {
            return;
        }
        let path = path(&self.folder);
        let written = serde_json::to_vec(&self.known)
            .map_err(|error| ArtError::io("write", &path)(error.into()))
            .and_then(|bytes| self.folder.write_bytes(&path, &bytes));
        if let Err(error) = written {
            log::warn!("{error}");
        }
    }
}

fn path(folder: &Folder) -> PathBuf {
    folder.root().join("blobs").join("inline.json")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{art::Art, recipe::PictureEdit, storyboard::ShotId, test_support::copy_of};

    /// A copy of an art folder that an older version wrote. A take in it has an edit with two masks and a scribble.
    fn old_folder() -> tempfile::TempDir {
        copy_of("tests/fixtures/art_today")
    }

    fn edit(art: &Art) -> PictureEdit {
        let takes = art.takes(&ShotId::new("background-study").unwrap());
        takes.iter().find_map(|take| take.recipe().edit.clone()).unwrap()
    }

    #[test]
    fn the_first_opening_writes_the_masks_of_an_old_folder() {
        let dir = old_folder();
        let read_only = edit(&Art::read(dir.path()).unwrap());
        assert!(!dir.path().join("blobs").exists(), "nothing is written to a read-only folder");
        let art = Art::open(dir.path()).unwrap();
        let edit = edit(&art);
        assert_eq!(edit, read_only);
        assert_eq!(edit.blobs().count(), 3);
        assert_eq!(art.blobs().parts(&edit).unwrap().len(), 2);
    }

    #[test]
    fn later_openings_only_decode_lost_masks_and_write_them_again() {
        let dir = old_folder();
        let before = edit(&Art::open(dir.path()).unwrap());
        let ids: Vec<BlobId> = before.blobs().cloned().collect();
        let list = dir.path().join("blobs/inline.json");
        let known = fs::read_to_string(&list).unwrap();
        // The list is used: with another id in it, the recipe has that id.
        let swapped = known.replace(ids[0].as_str(), ids[1].as_str());
        for byte_order_mark in ["", "\u{feff}"] {
            fs::write(&list, format!("{byte_order_mark}{swapped}")).unwrap();
            let art = Art::open(dir.path()).unwrap();
            assert_eq!(edit(&art).blobs().next(), Some(&ids[1]));
        }

        for broken in [known.as_str(), "{"] {
            fs::write(&list, broken).unwrap();
            fs::remove_file(dir.path().join(format!("blobs/{}.png", ids[0]))).unwrap();
            let art = Art::open(dir.path()).unwrap();
            assert_eq!(edit(&art), before);
            assert!(art.blobs().parts(&before).is_ok());
        }
    }
}
