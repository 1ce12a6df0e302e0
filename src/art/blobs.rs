//! The masks and images of edits: `blobs/<id>.png`.
//!
//! Recipes refer to them by their ids. They are written before the recipe, and read when the edit is drawn.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use image::RgbaImage;

use super::{Art, ArtError, TakeWriter, folder::Folder};
use crate::{
    generator::Inputs,
    picture::{PixelBudget, Undecoded},
    recipe::{Blob, BlobError, BlobId, Images, Part, PartRecipe, PictureEdit, Recipe},
};

/// The most bytes of a file besides its pixels. Without compression, the pixels take less than twice their own bytes.
const MAX_OTHER: u64 = 1 << 20;

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
        match self.read_file(&id) {
            Ok(_) => self.folder.sync(&path)?,
            // A damaged file, one that was painted over, or one that Git has not fetched yet.
            Err(ArtError::NoBlob { .. } | ArtError::Blob { .. } | ArtError::LfsPointer { .. }) => {
                let png = blob.to_png().map_err(|error| ArtError::blob(&path, error))?;
                self.folder.replace(&path, &png, None)?;
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// Keeps images in memory until [`Self::write_unwritten`] writes them. [`Self::get`] returns them meanwhile.
    pub(crate) fn keep(&self, images: Images) {
        self.folder.unwritten_images().extend(images);
    }

    /// Writes the images that [`Self::keep`] has kept. Those that cannot be written are kept for another attempt.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub(crate) fn write_unwritten(&self) -> Result<(), ArtError> {
        let images = self.folder.unwritten_images().clone();
        for (id, image) in images {
            self.put(&Blob::Image(image))?;
            self.folder.unwritten_images().remove(&id);
        }
        Ok(())
    }

    /// An image that is not in its file yet.
    fn unwritten(&self, id: &BlobId) -> Option<Blob> {
        self.folder.unwritten_images().get(id).cloned().map(Blob::Image)
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
    /// If the file does not exist, cannot be read, is much longer than its pixels, or contains another blob.
    pub fn get(&self, id: &BlobId) -> Result<Blob, ArtError> {
        self.unwritten(id).map_or_else(|| self.read_file(id), Ok)
    }

    /// Reads an image.
    ///
    /// # Errors
    /// As [`Self::get`], and if it is a mask.
    pub fn image(&self, id: &BlobId) -> Result<Arc<RgbaImage>, ArtError> {
        match self.get(id)? {
            Blob::Image(image) => Ok(image),
            Blob::Mask(_) => Err(ArtError::NoBlob { path: self.path(id) }),
        }
    }

    fn read_file(&self, id: &BlobId) -> Result<Blob, ArtError> {
        let limit = 2 * self.pixel_bytes(id)? + MAX_OTHER;
        let (path, png) = self.file(id, limit + 1)?;
        if png.len() as u64 > limit {
            return Err(ArtError::blob(&path, BlobError::TooLong { limit }));
        }
        Blob::from_png(id, &png).map_err(|error| ArtError::blob(&path, error))
    }

    /// The bytes of the decoded pixels of a mask or an image. Only the beginning of the file is read.
    fn pixel_bytes(&self, id: &BlobId) -> Result<u64, ArtError> {
        let (path, start) = self.file(id, MAX_OTHER)?;
        let undecoded = Undecoded::open_png(&start);
        Ok(undecoded.map_err(|error| ArtError::blob(&path, error.into()))?.bytes())
    }

    /// At most this number of bytes from the beginning of a file.
    fn file(&self, id: &BlobId, most: u64) -> Result<(PathBuf, Vec<u8>), ArtError> {
        let path = self.path(id);
        match self.folder.read_first(&path, most)? {
            Some(png) => Ok((path, png)),
            None => Err(ArtError::NoBlob { path }),
        }
    }

    /// Reads the masks and images of a recipe.
    ///
    /// # Errors
    /// As [`Self::read_missing`].
    pub fn inputs(&self, recipe: &Recipe) -> Result<Inputs, ArtError> {
        let mut blobs = BTreeMap::new();
        self.read_missing(recipe.blobs(), &mut blobs)?;
        Ok(Inputs { init_image: None, blobs })
    }

    /// Adds the masks and images with these ids that are not in `blobs` yet.
    ///
    /// # Errors
    /// As [`Self::get`]. Also if all of them need more than [`MAX_PIXEL_BYTES`](crate::picture::MAX_PIXEL_BYTES), before
    /// any of them is decoded.
    pub fn read_missing<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a BlobId>,
        blobs: &mut BTreeMap<BlobId, Blob>,
    ) -> Result<(), ArtError> {
        let mut missing: BTreeSet<_> =
            ids.into_iter().filter(|id| !blobs.contains_key(*id)).collect();
        // These are in memory already.
        missing.retain(|id| {
            let unwritten = self.unwritten(id).map(|blob| blobs.insert((*id).clone(), blob));
            unwritten.is_none()
        });
        let mut left = PixelBudget::default();
        blobs.values().try_for_each(|blob| left.take(blob.bytes()))?;
        for id in &missing {
            left.take(self.pixel_bytes(id)?)?;
        }
        for id in missing {
            blobs.insert(id.clone(), self.get(id)?);
        }
        Ok(())
    }

    /// Reads the parts of an edit.
    ///
    /// # Errors
    /// As [`Self::read_missing`]. Also if the id of a mask belongs to an image, or the other way round.
    pub fn parts(&self, edit: &PictureEdit) -> Result<Vec<Part>, ArtError> {
        let mut inputs = Inputs::default();
        self.read_missing(edit.blobs(), &mut inputs.blobs)?;
        Ok(inputs.parts(edit)?)
    }

    pub(super) fn path(&self, id: &BlobId) -> PathBuf {
        self.folder.root().join("blobs").join(format!("{id}.png"))
    }
}

impl ArtError {
    fn blob(path: &std::path::Path, source: BlobError) -> Self {
        let path = path.to_owned();
        match source {
            BlobError::LfsPointer(source) => Self::LfsPointer { path, source },
            source => Self::Blob { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::{
        art::tests::folder,
        mask::Mask,
        recipe::{EditKind, ImageUse, Inspiration, InspirationKind, PartEdit, Size},
        test_support::{edit_of_parts, png_header},
    };

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
    fn images_that_are_not_written_yet_can_be_read_by_all_users_of_the_folder() {
        let (_dir, root) = folder();
        let art = Art::open(&root).unwrap();
        let image = Arc::new(RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 255])));
        let id = BlobId::of_image(&image);
        let mut recipe = Recipe::new("x", Size::new(16, 16), "fake");
        recipe.inspirations =
            vec![Inspiration::new(InspirationKind::Image(ImageUse::Style, id.clone()))];
        art.blobs().keep(Images::from([(id.clone(), Arc::clone(&image))]));
        let path = art.blobs().path(&id);
        let inputs = art.writer().blobs().inputs(&recipe).unwrap();
        assert_eq!(inputs.images(&recipe).unwrap()[&id], image);
        assert!(!path.exists());
        // They are kept until they are written.
        fs::write(root.join("blobs"), "in the way").unwrap();
        art.blobs().write_unwritten().unwrap_err();
        assert_eq!(art.blobs().image(&id).unwrap(), image);
        fs::remove_file(root.join("blobs")).unwrap();
        art.blobs().write_unwritten().unwrap();
        assert!(path.exists() && art.folder.unwritten_images().is_empty());
        assert_eq!(art.blobs().image(&id).unwrap(), image);
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
    fn a_git_lfs_pointer_has_one_remedy_and_can_be_written_again() {
        let (_dir, root) = folder();
        let blobs = Art::open(&root).unwrap().blobs();
        let blob = Blob::Mask(Mask::full(3, 2));
        let path = blobs.path(&blobs.put(&blob).unwrap());
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\n").unwrap();
        let message = blobs.get(&blob.id()).unwrap_err().to_string();
        assert!(message.contains("git lfs pull") && !message.contains("again"), "{message}");
        blobs.put(&blob).unwrap();
        assert_eq!(blobs.get(&blob.id()).unwrap(), blob);
    }

    #[test]
    fn a_blob_that_is_much_longer_than_its_pixels_is_refused_and_can_be_written_again() {
        let (_dir, root) = folder();
        let blobs = Art::open(&root).unwrap().blobs();
        let blob = Blob::Mask(Mask::from_fn(64, 64, |x, y| (x ^ y) as u8));
        let path = blobs.path(&blobs.put(&blob).unwrap());
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        // The pixels have 4096 bytes.
        for (length, is_read) in [(1 << 20, true), ((1 << 20) + 2 * 4096 + 1, false)] {
            file.set_len(length).unwrap();
            match blobs.get(&blob.id()) {
                Ok(read) => assert!(is_read && read == blob, "{length}"),
                Err(ArtError::Blob { source: BlobError::TooLong { .. }, .. }) => {
                    assert!(!is_read, "{length}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        blobs.put(&blob).unwrap();
        assert_eq!(blobs.get(&blob.id()).unwrap(), blob);
        assert!(path.with_extension("broken-1.png").exists());
    }

    #[test]
    fn blobs_are_not_written_to_a_read_only_folder() {
        let (_dir, root) = folder();
        let blobs = Art::read(&root).unwrap().blobs();
        let error = blobs.put(&Blob::Mask(Mask::full(3, 2))).unwrap_err();
        assert!(matches!(error, ArtError::ReadOnly { .. }), "{error}");
    }

    #[test]
    fn masks_that_need_too_much_memory_together_are_refused_before_they_are_decoded() {
        let (_dir, root) = folder();
        let art = Art::open(&root).unwrap();
        fs::create_dir(root.join("blobs")).unwrap();
        let header = png_header(6000, 6000);
        let part = |n: u8| {
            let mask = BlobId::of_mask(&Mask::full(1, u32::from(n) + 1));
            fs::write(art.blobs().path(&mask), &header).unwrap();
            let edit = PartEdit::new(EditKind::Remove);
            PartRecipe { name: n.to_string(), mask, edit, scribble: None }
        };
        // 36 million bytes each. 14 of them fit into 512 MB, and are damaged.
        for (count, fits) in [(14, true), (15, false)] {
            let edit = edit_of_parts((0..count).map(part).collect());
            let error = art.blobs().parts(&edit).unwrap_err();
            let message = error.to_string();
            match error {
                ArtError::Blob { .. } => assert!(fits, "{message}"),
                ArtError::BlobsTooLarge(_) => assert!(message.contains("512 MB")),
                _ => panic!("{message}"),
            }
        }
    }
}
