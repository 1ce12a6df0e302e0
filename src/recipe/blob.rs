//! Masks and images, identified by their content.

use std::{fmt, io, sync::Arc};

use image::{DynamicImage, ImageError, ImageFormat, RgbaImage};
use serde::{Deserialize, Serialize};

use crate::{
    lfs::LfsPointer,
    mask::{Mask, MaskError},
    picture::{DecodeError, Undecoded},
};

/// A mask or an image that recipes refer to by its id. Clones share their pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// A mask.
    Mask(Mask),
    /// An image.
    Image(Arc<RgbaImage>),
}

/// An error of encoding or decoding a blob.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// A mask cannot be encoded or decoded.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// The file is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// An image cannot be encoded or decoded.
    #[error("not a readable image: {0}")]
    Image(#[from] ImageError),
    /// An image is too large.
    #[error(transparent)]
    Decode(DecodeError),
    /// The file is much longer than its pixels.
    #[error("the file has more than {limit} bytes, much more than its pixels")]
    TooLong {
        /// The most bytes of such a file.
        limit: u64,
    },
    /// The file contains another blob.
    #[error("the file contains the mask or image {found} instead of {expected}")]
    Other {
        /// The id of the contents.
        found: BlobId,
        /// The id of the blob.
        expected: BlobId,
    },
}

/// The identity of a mask or an image: the blake3 hash of its kind, size and samples, as 64
/// hexadecimal digits. The compression of a file does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(String);

/// A text that is not a [`BlobId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the id of a mask or an image: an id has 64 of the digits 0-9 and a-f")]
pub struct BlobIdError {
    /// The text.
    pub text: String,
}

impl Blob {
    /// Decodes a PNG as a mask.
    ///
    /// # Errors
    /// If it is not a readable PNG.
    pub fn mask_from_png(png: &[u8]) -> Result<Self, BlobError> {
        Ok(Self::Mask(Mask::from_png(png)?))
    }

    /// Decodes a PNG as an image.
    ///
    /// # Errors
    /// If it is not a readable PNG.
    pub fn image_from_png(png: &[u8]) -> Result<Self, BlobError> {
        let image = Undecoded::open_png(png)?.unrotated()?;
        Ok(Self::Image(Arc::new(image.into_rgba8())))
    }

    /// Decodes the PNG of the blob `id`, as [`Self::to_png`] wrote it.
    ///
    /// # Errors
    /// If it is not a readable PNG, or contains another blob.
    pub fn from_png(id: &BlobId, png: &[u8]) -> Result<Self, BlobError> {
        let blob = match Undecoded::open_png(png)?.unrotated()? {
            DynamicImage::ImageLuma8(grey) => Self::Mask(grey.into()),
            image => Self::Image(Arc::new(image.into_rgba8())),
        };
        let found = blob.id();
        match found == *id {
            true => Ok(blob),
            false => Err(BlobError::Other { found, expected: id.clone() }),
        }
    }

    /// Encodes it as a PNG: a mask in grey, an image in RGBA.
    ///
    /// # Errors
    /// If it has no pixels.
    pub fn to_png(&self) -> Result<Vec<u8>, BlobError> {
        match self {
            Self::Mask(mask) => Ok(mask.to_png()?),
            Self::Image(image) => {
                let mut png = io::Cursor::new(Vec::new());
                image.write_to(&mut png, ImageFormat::Png)?;
                Ok(png.into_inner())
            }
        }
    }

    /// The bytes of its pixels.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Mask(mask) => mask.values().len() as u64,
            Self::Image(image) => image.len() as u64,
        }
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> BlobId {
        match self {
            Self::Mask(mask) => BlobId::of_mask(mask),
            Self::Image(image) => BlobId::of_image(image),
        }
    }
}

impl From<DecodeError> for BlobError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Image(error) => Self::Image(error),
            DecodeError::LfsPointer(error) => Self::LfsPointer(error),
            error => Self::Decode(error),
        }
    }
}

impl BlobId {
    /// Checks a text.
    ///
    /// # Errors
    /// If it is not 64 hexadecimal digits in lower case.
    pub fn new(text: impl Into<String>) -> Result<Self, BlobIdError> {
        let text = text.into();
        let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text)) } else { Err(BlobIdError { text }) }
    }

    /// The identity of a mask.
    #[must_use]
    pub fn of_mask(mask: &Mask) -> Self {
        let (width, height) = mask.size();
        Self::of(b"mask", width, height, mask.values())
    }

    /// The identity of an image.
    #[must_use]
    pub fn of_image(image: &RgbaImage) -> Self {
        Self::of(b"rgba", image.width(), image.height(), image)
    }

    fn of(kind: &[u8; 4], width: u32, height: u32, samples: &[u8]) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(kind);
        hash.update(&width.to_le_bytes());
        hash.update(&height.to_le_bytes());
        hash.update(samples);
        Self(hash.finalize().to_hex().to_string())
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BlobId {
    type Error = BlobIdError;

    fn try_from(text: String) -> Result<Self, BlobIdError> {
        Self::new(text)
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    #[test]
    fn an_id_is_the_hash_of_kind_size_and_samples() {
        let mask = Mask::from_fn(3, 2, |x, y| (x + 3 * y) as u8);
        let bytes = b"mask\x03\0\0\0\x02\0\0\0\x00\x01\x02\x03\x04\x05";
        assert_eq!(BlobId::of_mask(&mask).as_str(), blake3::hash(bytes).to_hex().as_str());
        let image = RgbaImage::from_pixel(1, 1, Rgba([9, 8, 7, 6]));
        let bytes = b"rgba\x01\0\0\0\x01\0\0\0\x09\x08\x07\x06";
        assert_eq!(BlobId::of_image(&image).as_str(), blake3::hash(bytes).to_hex().as_str());
    }

    #[test]
    fn masks_of_different_sizes_or_samples_have_different_ids() {
        let id =
            |width, height, value| BlobId::of_mask(&Mask::from_fn(width, height, |_, _| value));
        assert_eq!(id(4, 2, 1), id(4, 2, 1));
        assert_ne!(id(4, 2, 1), id(2, 4, 1));
        assert_ne!(id(4, 2, 1), id(4, 2, 2));
    }

    #[test]
    fn an_id_has_64_lower_case_digits() {
        let id = BlobId::of_mask(&Mask::full(1, 1));
        assert_eq!(BlobId::new(id.as_str()).as_ref(), Ok(&id));
        for text in ["", "../../evil", &id.as_str()[1..], &id.as_str().to_uppercase()] {
            assert!(BlobId::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_blob_survives_encoding_as_png_and_another_blob_is_refused() {
        let mask = Blob::Mask(Mask::from_fn(3, 2, |x, y| (x + 90 * y) as u8));
        let image = Blob::Image(Arc::new(RgbaImage::from_fn(3, 2, |x, y| {
            Rgba([x as u8, y as u8, 9, 40 * x as u8])
        })));
        for (blob, other) in [(&mask, &image), (&image, &mask)] {
            let png = blob.to_png().unwrap();
            assert_eq!(&Blob::from_png(&blob.id(), &png).unwrap(), blob);
            let error = Blob::from_png(&other.id(), &png).unwrap_err();
            assert!(matches!(error, BlobError::Other { .. }), "{error}");
        }
        assert!(Blob::from_png(&mask.id(), b"GIF89a").is_err());
    }
}
