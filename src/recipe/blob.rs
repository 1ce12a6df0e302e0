//! The identity of masks and images by their content.

use std::fmt;

use image::RgbaImage;
use serde::{Deserialize, Serialize};

use crate::mask::Mask;

/// The identity of a mask or an image: the blake3 hash of its kind, size and samples, as 64
/// hexadecimal digits. How a file compresses them does not count.
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

impl BlobId {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is not 64 hexadecimal digits in lower case.
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
    fn masks_of_other_sizes_or_samples_have_other_ids() {
        let id =
            |width, height, value| BlobId::of_mask(&Mask::from_fn(width, height, |_, _| value));
        assert_eq!(id(4, 2, 1), id(4, 2, 1));
        assert_ne!(id(4, 2, 1), id(2, 4, 1));
        assert_ne!(id(4, 2, 1), id(4, 2, 2));
    }

    #[test]
    fn only_64_lower_case_digits_are_an_id() {
        let id = BlobId::of_mask(&Mask::full(1, 1));
        assert_eq!(BlobId::new(id.as_str()).as_ref(), Ok(&id));
        for text in ["", "../../evil", &id.as_str()[1..], &id.as_str().to_uppercase()] {
            assert!(BlobId::new(text).is_err(), "{text}");
        }
    }
}
