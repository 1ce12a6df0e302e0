//! Parts of a picture with their edits, as the author marks them.

use std::{collections::BTreeMap, fmt, io, sync::Arc};

use image::{ImageFormat, RgbaImage};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{Blob, BlobId, Canvas, EditKind, PartEdit, Size};
use crate::{
    mask::{Mask, text},
    picture::{self, Undecoded},
};

/// Images by their ids.
pub type Images = BTreeMap<BlobId, Arc<RgbaImage>>;

/// A part of a picture and its edit. In a recipe it is a [`PartRecipe`](super::PartRecipe).
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its pixels.
    pub mask: Mask,
    /// The edit.
    pub edit: PartEdit,
    /// A rough drawing in colour, for [`EditKind::Add`] and [`EditKind::Replace`].
    pub scribble: Option<Scribble>,
    /// The images that the inspirations and losses of the edit refer to.
    pub images: Images,
}

/// A rough drawing in colour. It has the size of the picture, and is transparent where nothing is drawn.
///
/// Clones share their pixels. Text formats store a scribble as a base64 PNG.
#[derive(Clone, PartialEq, Eq)]
pub struct Scribble(pub Arc<RgbaImage>);

impl Part {
    /// A part without scribble and images.
    #[must_use]
    pub fn new(name: impl Into<String>, mask: Mask, edit: PartEdit) -> Self {
        Self { name: name.into(), mask, edit, scribble: None, images: Images::new() }
    }

    /// The margins of a canvas, to draw what is around a picture (outpainting). They start from pure noise.
    #[must_use]
    pub fn margins(canvas: &Canvas) -> Self {
        let edit = PartEdit { strength: Some(1.0), ..PartEdit::new(EditKind::Refine) };
        Self::new("margins", canvas.margins(), edit)
    }

    /// A whole picture, to draw it again with this strength (img2img, or details after upscaling).
    #[must_use]
    pub fn whole(size: Size, strength: f32) -> Self {
        let edit = PartEdit { strength: Some(strength), ..PartEdit::new(EditKind::Refine) };
        Self::new("picture", Mask::full(size.width, size.height), edit)
    }

    /// The same part of a picture of another size. Distances in pixels, such as [`PartEdit::grow`], stay the same.
    #[must_use]
    pub fn resized(&self, width: u32, height: u32) -> Self {
        let scribble = self.scribble.as_ref().map(|Scribble(image)| {
            let same = image.dimensions() == (width, height);
            let resized = || Arc::new(picture::resized(image, width, height));
            Scribble(if same { Arc::clone(image) } else { resized() })
        });
        Self { mask: self.mask.resized(width, height), scribble, ..self.clone() }
    }

    /// The mask, the scribble and the images of the part.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let images = self.scribble.iter().map(|Scribble(image)| image).chain(self.images.values());
        let images = images.map(|image| Blob::Image(Arc::clone(image)));
        [Blob::Mask(self.mask.clone())].into_iter().chain(images)
    }
}

/// Describes edits for a button: `Replace sky, keep face`.
pub(super) fn in_words<'a>(edits: impl IntoIterator<Item = (EditKind, &'a str)>) -> String {
    let words = |(kind, name): (EditKind, &str)| format!("{} {name}", kind.name());
    let text = edits.into_iter().map(words).collect::<Vec<_>>().join(", ");
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Debug for Scribble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scribble({}x{})", self.0.width(), self.0.height())
    }
}

impl Serialize for Scribble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut png = io::Cursor::new(Vec::new());
        self.0.write_to(&mut png, ImageFormat::Png).map_err(ser::Error::custom)?;
        text::encoded(png.get_ref(), serializer)
    }
}

impl<'de> Deserialize<'de> for Scribble {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let png = text::decoded(deserializer)?;
        let image = Undecoded::open_png(&png).and_then(Undecoded::unrotated);
        Ok(Self(Arc::new(image.map_err(de::Error::custom)?.into_rgba8())))
    }
}
