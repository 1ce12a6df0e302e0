//! Picture files of other programs: decoding, what they contain besides pixels, and resizing.

mod metadata;
mod resize;

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, codecs::png::PngDecoder};

use crate::lfs::LfsPointer;

pub use metadata::Metadata;
pub(crate) use resize::{resized, scaled_down};

/// The most pixels of a picture, mask or scribble: 400 MB in RGBA.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Why a picture file cannot be decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It has more than [`MAX_PIXELS`].
    #[error(
        "it has {width}x{height} pixels, more than the {} million that can be opened: scale it down",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// The width in pixels.
        width: u32,
        /// The height in pixels.
        height: u32,
    },
    /// It is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// It is not a PNG, or a damaged one.
    #[error(transparent)]
    Png(#[from] ImageError),
}

/// Decodes a PNG. The orientation in its EXIF data is applied.
///
/// # Errors
/// If it is not a PNG, or if it has more than [`MAX_PIXELS`].
pub fn decode(png: &[u8]) -> Result<DynamicImage, DecodeError> {
    LfsPointer::check(png)?;
    let mut decoder = PngDecoder::new(Cursor::new(png))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { width, height });
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    /// A PNG of 2 by 1 pixels, black and white, with this orientation in its EXIF data.
    fn oriented(orientation: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().unwrap();
        // TIFF, big endian: one entry, tag 0x112 (orientation), SHORT, one value (Exif 2.32, table 4).
        let exif = [
            b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(),
            &[orientation, 0, 0, 0, 0, 0, 0],
        ];
        writer.write_chunk(png::chunk::eXIf, &exif.concat()).unwrap();
        writer.write_image_data(&[0, 255]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn the_orientation_of_exif_is_applied_once() {
        let grey = |rows: &[&[u8]]| {
            let (width, height) = (rows[0].len() as u32, rows.len() as u32);
            GrayImage::from_fn(width, height, |x, y| Luma([rows[y as usize][x as usize]]))
        };
        for (orientation, rows) in [
            (1, &[&[0, 255][..]][..]),
            (3, &[&[255, 0]]),
            // Rotated by 90 degrees clockwise, and counter-clockwise.
            (6, &[&[0], &[255]]),
            (8, &[&[255], &[0]]),
        ] {
            let png = oriented(orientation);
            let image = decode(&png).unwrap().into_luma8();
            assert_eq!(image, grey(rows), "{orientation}");
            // A picture that is written with the same metadata is not rotated again.
            let mut written = Cursor::new(Vec::new());
            image.write_to(&mut written, image::ImageFormat::Png).unwrap();
            let written = Metadata::read(&png).insert_into(written.into_inner());
            assert_eq!(decode(&written).unwrap().into_luma8(), grey(rows), "{orientation}");
        }
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused_before_it_is_decoded() {
        let mut png = oriented(1);
        let header = [30_000_u32.to_be_bytes(), 30_000_u32.to_be_bytes()].concat();
        png[16..24].copy_from_slice(&header);
        let sum = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
        let error = decode(&png).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { width: 30_000, .. }), "{error}");
        assert!(error.to_string().contains("30000x30000"), "{error}");
    }

    /// CRC-32 as PNG uses it (PNG specification, third edition, D).
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte), |sum, _| {
                if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 }
            })
        })
    }
}
