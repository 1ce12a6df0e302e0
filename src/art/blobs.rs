//! The masks and images of edits: `blobs/<id>.png`.
//!
//! Recipes refer to them by their ids. They are written before the recipe, and read when the edit is drawn.

use std::path::PathBuf;

use super::{Art, ArtError, TakeWriter, folder::Folder};
use crate::{
    generator::Inputs,
    recipe::{Blob, BlobError, BlobId, Part, PartRecipe, PictureEdit},
};

/// The masks and images of an art folder.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: Folder,
}

impl Art {
    /// The masks and images of the folder.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::new(self.folder.clone())
    }
}

impl TakeWriter {
    /// The masks and images of the folder.
    #[must_use]
    pub fn blobs(&self) -> Blobs {
        Blobs::new(self.folder().clone())
    }
}

impl Blobs {
    pub(super) fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// The masks and images of an art folder, read-only.
    #[must_use]
    pub fn read(root: impl Into<PathBuf>) -> Self {
        Self::new(Folder::read_only(root.into()))
    }

    /// Writes a mask or an image atomically, unless it is there already. A file with other contents is set aside.
    ///
    /// # Errors
    /// If it has no pixels, or an operation on a file fails.
    pub fn put(&self, blob: &Blob) -> Result<BlobId, ArtError> {
        let id = blob.id();
        let path = self.path(&id);
        match self.get(&id) {
            Ok(_) => self.folder.sync(&path)?,
            // A damaged file, or one that was painted over.
            Err(ArtError::NoBlob { .. } | ArtError::Blob { .. }) => {
                let png = blob.to_png().map_err(|error| ArtError::blob(&path, error))?;
                self.folder.replace(&path, &png, None)?;
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// Writes the masks and scribbles of parts with [`Self::put`], and returns the parts for a recipe.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_parts(&self, parts: &[Part]) -> Result<Vec<PartRecipe>, ArtError> {
        for blob in parts.iter().flat_map(Part::blobs) {
            self.put(&blob)?;
        }
        Ok(parts.iter().map(PartRecipe::from).collect())
    }

    /// Reads a mask or an image.
    ///
    /// # Errors
    /// If the file does not exist, cannot be read, or contains another blob.
    pub fn get(&self, id: &BlobId) -> Result<Blob, ArtError> {
        let path = self.path(id);
        let missing = || ArtError::NoBlob { path: path.clone() };
        let png = self.folder.read(&path)?.ok_or_else(missing)?;
        Blob::from_png(id, &png).map_err(|error| ArtError::blob(&path, error))
    }

    /// Reads the masks and images of an edit.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn inputs(&self, edit: &PictureEdit) -> Result<Inputs, ArtError> {
        let read = |id: &BlobId| Ok((id.clone(), self.get(id)?));
        let blobs = edit.blobs().map(read).collect::<Result<_, ArtError>>()?;
        Ok(Inputs { init_image: None, blobs })
    }

    /// Reads the parts of an edit.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn parts(&self, edit: &PictureEdit) -> Result<Vec<Part>, ArtError> {
        let parts = self.inputs(edit)?.parts(edit);
        // Fails if the id of a mask belongs to an image.
        parts.map_err(|missing| ArtError::NoBlob { path: self.path(&missing.id) })
    }

    pub(super) fn path(&self, id: &BlobId) -> PathBuf {
        self.folder.root().join("blobs").join(format!("{id}.png"))
    }
}

impl ArtError {
    fn blob(path: &std::path::Path, source: BlobError) -> Self {
        Self::Blob { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::{art::tests::folder, mask::Mask};

    #[test]
    fn blobs_are_written_once_and_read_back() {
        let (_dir, root) = folder();
        let blobs = Art::open(&root).unwrap().blobs();
        let image = RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 0]));
        for blob in [Blob::Mask(Mask::full(3, 2)), Blob::Image(Arc::new(image))] {
            let id = blobs.put(&blob).unwrap();
            let written = blobs.path(&id).metadata().unwrap().modified().unwrap();
            assert_eq!(blobs.put(&blob).unwrap(), id);
            assert_eq!(blobs.path(&id).metadata().unwrap().modified().unwrap(), written);
            assert_eq!(blobs.get(&id).unwrap(), blob);
        }
    }

    #[test]
    fn a_missing_or_damaged_blob_is_reported_and_can_be_written_again() {
        let (_dir, root) = folder();
        let blobs = Art::open(&root).unwrap().blobs();
        let blob = Blob::Mask(Mask::full(3, 2));
        let other = Blob::Mask(Mask::empty(3, 2)).to_png().unwrap();
        assert!(matches!(blobs.get(&blob.id()), Err(ArtError::NoBlob { .. })));
        for damaged in [&b"half"[..], &other] {
            let path = blobs.path(&blob.id());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, damaged).unwrap();
            let error = blobs.get(&blob.id()).unwrap_err();
            assert!(matches!(error, ArtError::Blob { .. }), "{error}");
            blobs.put(&blob).unwrap();
            assert_eq!(blobs.get(&blob.id()).unwrap(), blob);
        }
        for (n, damaged) in [(1, &b"half"[..]), (2, &other)] {
            let aside = blobs.path(&blob.id()).with_extension(format!("broken-{n}.png"));
            assert_eq!(fs::read(aside).unwrap(), damaged);
        }
    }

    #[test]
    fn blobs_are_not_written_to_a_read_only_folder() {
        let (_dir, root) = folder();
        let blobs = Art::read(&root).unwrap().blobs();
        let error = blobs.put(&Blob::Mask(Mask::full(3, 2))).unwrap_err();
        assert!(matches!(error, ArtError::ReadOnly { .. }), "{error}");
    }
}
