//! The masks and scribbles of an edit file. Each file is decoded once, and parts share its pixels.
//!
//! The result of an edit contains them, and an edit file may be that of a stranger. So they are only read from its folder:
//! nobody else's edit file puts a private picture into a result.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_std::{ambient_authority, fs::Dir};
use image::RgbaImage;

use super::{EditFileError, MAX_IMAGES, PartEntry};
use crate::{
    foreign,
    mask::{Mask, MaskError},
    picture::{self, DecodeError, PixelBudget, Undecoded},
    recipe::{BlobId, Images, Inspiration, Loss, MAX_SIDE, Scribble, Size},
};

/// The files that were decoded so far.
pub(super) struct ImageFiles<'a> {
    folder: &'a Path,
    /// The folder, or the error if it could not be opened. No link leads out of it.
    dir: Result<Dir, io::ErrorKind>,
    /// Width and height of the picture.
    picture: (u32, u32),
    masks: BTreeMap<PathBuf, Mask>,
    scribbles: BTreeMap<PathBuf, (Scribble, Mask)>,
    images: BTreeMap<PathBuf, (BlobId, Arc<RgbaImage>)>,
    left: PixelBudget,
}

impl<'a> ImageFiles<'a> {
    /// No files yet. They are in `folder`, and must have the size of the picture.
    pub(super) fn new(folder: &'a Path, picture: Size) -> Self {
        let picture = (picture.width, picture.height);
        let path = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| error.kind());
        let (masks, scribbles, images, left) = Default::default();
        Self { folder, dir, picture, masks, scribbles, images, left }
    }

    /// The inspirations, with the ids of their images. Adds these to `images`.
    ///
    /// # Errors
    /// If an image is outside the folder, cannot be read or decoded, or there are too many.
    pub(super) fn of_inspirations(
        &mut self,
        inspirations: &[Inspiration<PathBuf>],
        images: &mut Images,
    ) -> Result<Vec<Inspiration>, EditFileError> {
        inspirations.iter().map(|it| it.try_map(|file| self.image(file, images))).collect()
    }

    /// As [`Self::of_inspirations`], for losses.
    pub(super) fn of_losses(
        &mut self,
        losses: &[Loss<PathBuf>],
        images: &mut Images,
    ) -> Result<Vec<Loss>, EditFileError> {
        losses.iter().map(|it| it.try_map(|file| self.image(file, images))).collect()
    }

    /// The id of an image, which is added to `images`.
    fn image(&mut self, file: &Path, images: &mut Images) -> Result<BlobId, EditFileError> {
        let (id, image) = match self.images.get(file) {
            Some(known) => known.clone(),
            None => self.read_image(file)?,
        };
        images.insert(id.clone(), image);
        Ok(id)
    }

    fn read_image(&mut self, file: &Path) -> Result<(BlobId, Arc<RgbaImage>), EditFileError> {
        if self.images.len() == MAX_IMAGES {
            return Err(EditFileError::TooManyImages);
        }
        let path = self.folder.join(file);
        let wrong = |error| match error {
            DecodeError::Image(source) => EditFileError::Image { path, source },
            source => EditFileError::Decode { path, source },
        };
        let bytes = self.bytes(file)?;
        let image = Undecoded::open(&bytes).and_then(Undecoded::upright).map_err(wrong)?;
        let image = Arc::new(picture::reference_image(&image.into_rgba8(), MAX_SIDE).into_owned());
        self.left.take_image(image.dimensions())?;
        let read = (BlobId::of_image(&image), image);
        self.images.insert(file.to_owned(), read.clone());
        Ok(read)
    }

    /// The mask and the scribble of a part. `None` if the part has neither.
    ///
    /// # Errors
    /// If a file is outside the folder, cannot be read or decoded, or does not have the size of the picture.
    pub(super) fn of(
        &mut self,
        part: &PartEntry,
    ) -> Result<Option<(Mask, Option<Scribble>)>, EditFileError> {
        let scribble = part.scribble.as_deref().map(|file| self.scribble(file)).transpose()?;
        let mask = part.mask.as_deref().map(|file| self.mask(file)).transpose()?;
        Ok(match (mask, scribble) {
            (Some(mask), scribble) => Some((mask, scribble.map(|(scribble, _)| scribble))),
            (None, Some((scribble, opaque))) => Some((opaque, Some(scribble))),
            (None, None) => None,
        })
    }

    fn mask(&mut self, file: &Path) -> Result<Mask, EditFileError> {
        if let Some(mask) = self.masks.get(file) {
            return Ok(mask.clone());
        }
        let mask = mask(&self.folder.join(file), &self.bytes(file)?, self.picture)?;
        self.left.take(mask.values().len() as u64)?;
        Ok(self.masks.entry(file.to_owned()).or_insert(mask).clone())
    }

    /// A scribble, and the mask of its opaque area.
    fn scribble(&mut self, file: &Path) -> Result<(Scribble, Mask), EditFileError> {
        if let Some(scribble) = self.scribbles.get(file) {
            return Ok(scribble.clone());
        }
        let scribble = scribble(&self.folder.join(file), &self.bytes(file)?, self.picture)?;
        let Scribble(image) = &scribble;
        self.left.take_image(image.dimensions())?;
        let (width, height) = self.picture;
        let opaque = Mask::from_fn(width, height, |x, y| image.get_pixel(x, y).0[3]);
        Ok(self.scribbles.entry(file.to_owned()).or_insert((scribble, opaque)).clone())
    }

    fn bytes(&self, file: &Path) -> Result<Vec<u8>, EditFileError> {
        let dir = self.dir.as_ref().map_err(|kind| (*kind).into());
        dir.and_then(|dir| foreign::read_in(dir, file, foreign::MAX_PICTURE)).map_err(|source| {
            let path = self.folder.join(file);
            if foreign::is_outside(&source) {
                EditFileError::Outside { path }
            } else {
                EditFileError::Read { path, source }
            }
        })
    }
}

/// Reads the mask of a picture of this size.
///
/// # Errors
/// If it cannot be read, is not a grey PNG, or has another size.
pub fn read_mask(path: &Path, picture: Size) -> Result<Mask, EditFileError> {
    let read = |source| EditFileError::Read { path: path.to_owned(), source };
    let bytes = foreign::read(path, foreign::MAX_PICTURE).map_err(read)?;
    mask(path, &bytes, (picture.width, picture.height))
}

fn mask(path: &Path, bytes: &[u8], picture: (u32, u32)) -> Result<Mask, EditFileError> {
    let wrong = |source| EditFileError::Mask { path: path.to_owned(), source };
    let png = Undecoded::open_png(bytes).map_err(|error| wrong(error.into()))?;
    if png.size() != picture {
        return Err(wrong(MaskError::Size { mask: png.size(), picture }));
    }
    let image = png.upright().map_err(|error| wrong(error.into()))?;
    let mask = Mask::from_image(&image);
    if mask.values().iter().max() == Some(&1) {
        return Err(EditFileError::ZeroAndOne { path: path.to_owned() });
    }
    if image.color().has_alpha() && has_hole(&image.into_rgba8()) {
        return Err(EditFileError::Hole { path: path.to_owned() });
    }
    Ok(mask)
}

/// Whether some pixels are transparent and others have a colour. White on transparent is a mask.
fn has_hole(image: &RgbaImage) -> bool {
    let is_colourful = |[r, g, b, alpha]: [u8; 4]| alpha > 0 && (r != g || g != b);
    image.pixels().any(|pixel| pixel.0[3] == 0) && image.pixels().any(|pixel| is_colourful(pixel.0))
}

fn scribble(path: &Path, bytes: &[u8], picture: (u32, u32)) -> Result<Scribble, EditFileError> {
    let wrong = |error| match error {
        DecodeError::Image(source) => EditFileError::Scribble { path: path.to_owned(), source },
        source => EditFileError::Decode { path: path.to_owned(), source },
    };
    let png = Undecoded::open_png(bytes).map_err(wrong)?;
    if png.size() != picture {
        let (path, scribble) = (path.to_owned(), png.size());
        return Err(EditFileError::ScribbleSize { path, scribble, picture });
    }
    Ok(Scribble(Arc::new(png.upright().map_err(wrong)?.into_rgba8())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};

    use super::*;
    use crate::{
        recipe::edit_file::{EditFile, MAX_PARTS},
        test_support::png_header,
    };

    const SIZE: Size = Size::new(8, 6);

    /// A folder with a mask and a scribble of [`SIZE`], and the headers of a mask and a scribble of other sizes.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let white = GrayImage::from_pixel(SIZE.width, SIZE.height, Luma([255]));
        white.save(folder.path().join("mask.png")).unwrap();
        RgbaImage::new(SIZE.width, SIZE.height).save(folder.path().join("scribble.png")).unwrap();
        fs::write(folder.path().join("large.png"), png_header(6000, 6000)).unwrap();
        folder
    }

    fn parse(parts: &str) -> EditFile {
        EditFile::parse(format!("(parts: [{parts}])").as_bytes(), Path::new("edit.ron")).unwrap()
    }

    #[test]
    fn parts_that_name_the_same_file_share_its_pixels() {
        let folder = folder();
        let file = parse(
            r#"(mask: "mask.png", edit: Remove), (mask: "mask.png", edit: Remove),
            (scribble: "scribble.png", edit: Remove), (scribble: "scribble.png", edit: Remove)"#,
        );
        let parts = file.load(folder.path(), SIZE).unwrap().parts;
        for pair in parts.chunks(2) {
            assert!(std::ptr::eq(pair[0].mask.values(), pair[1].mask.values()));
        }
        let scribble = |n: usize| &parts[n].scribble.as_ref().unwrap().0;
        assert!(Arc::ptr_eq(scribble(2), scribble(3)));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_outside_the_folder_of_the_edit_file_is_not_read() {
        use std::os::unix::fs::symlink;

        let (folder, other) = (folder(), folder());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("pack/sub")).unwrap();
        symlink("../mask.png", at("pack/link.png")).unwrap();
        symlink("..", at("pack/up")).unwrap();
        fs::copy(at("mask.png"), at("pack/own.png")).unwrap();
        symlink("own.png", at("pack/inside.png")).unwrap();
        let parts = |kind: &str, file: &str| {
            parse(&format!("({kind}: \"{file}\", edit: Remove)")).load(&at("pack"), SIZE)
        };
        let absolute = other.path().join("mask.png").display().to_string();
        for kind in ["mask", "scribble"] {
            for file in ["../mask.png", "../pack/own.png", "link.png", "up/mask.png", &absolute] {
                let error = parts(kind, file).unwrap_err();
                assert!(matches!(error, EditFileError::Outside { .. }), "{error:?}");
                let message = error.to_string();
                assert!(message.contains(file) && message.contains("copy it"), "{message}");
            }
            for file in ["own.png", "inside.png", "sub/../own.png"] {
                assert!(parts(kind, file).is_ok(), "{file}");
            }
        }
    }

    #[test]
    fn a_file_of_another_size_is_refused_before_its_pixels_are_decoded() {
        let folder = folder();
        for kind in ["mask", "scribble"] {
            let file = parse(&format!("({kind}: \"large.png\", edit: Remove)"));
            let error = file.load(folder.path(), SIZE).unwrap_err().to_string();
            assert!(error.contains("large.png") && error.contains("6000x6000"), "{error}");
            assert!(error.contains("8x6"), "{error}");
        }
    }

    #[test]
    fn more_parts_than_an_edit_can_have_are_refused_before_a_file_is_read() {
        let missing = |count: usize| parse(&r#"(mask: "none.png", edit: Remove),"#.repeat(count));
        let error = |count| missing(count).load(Path::new("nowhere"), SIZE).unwrap_err();
        assert!(matches!(error(MAX_PARTS), EditFileError::Read { .. }));
        let message = error(MAX_PARTS + 1).to_string();
        assert!(message.contains("65 parts") && message.contains("64"), "{message}");
    }

    #[test]
    fn an_inspiration_or_a_loss_out_of_range_is_refused_before_a_file_is_read() {
        let error = |lists: &str| {
            let part = parse(&format!(r#"(mask: "none.png", edit: Refine, {lists})"#));
            let of_part = part.load(Path::new("nowhere"), SIZE).unwrap_err().to_string();
            let all = EditFile { parts: Vec::new(), ..parse("") };
            let entry = &part.parts[0];
            let (inspirations, losses) = (entry.inspirations.clone(), entry.losses.clone());
            let all = EditFile { inspirations, losses, ..all };
            let of_all = all.load(Path::new("nowhere"), SIZE).unwrap_err().to_string();
            assert_eq!(of_part, format!("part `none`: {of_all}"));
            of_all
        };
        let image = r#"(kind: StyleImage, image: "none.png"),"#;
        let many = error(&format!("inspirations: [{}]", image.repeat(17)));
        assert!(many.contains("17 inspirations") && many.contains("16"), "{many}");
        let weight = error(r#"losses: [(kind: Style("none.png"), weight: -1.0)]"#);
        assert!(weight.contains("-1"), "{weight}");
    }

    #[test]
    fn parts_that_need_too_much_memory_together_are_refused_before_a_file_is_read() {
        let parts = r#"(mask: "none.png", edit: Remove),"#.repeat(24);
        let size = |side| Size::new(side, side);
        let error = |side| parse(&parts).load(Path::new("nowhere"), size(side)).unwrap_err();
        // A mask of 10 million pixels, and two of the same size in the plan: 24 * 30 MB.
        assert!(matches!(error(3000), EditFileError::Read { .. }));
        let message = error(3163).to_string();
        assert!(message.contains("700 MB") && message.contains("3163x3163"), "{message}");
    }
}
