//! Picture files of other programs: decoding, what they contain besides pixels, and resizing.

mod budget;
mod exif;
mod map;
mod metadata;
mod resize;
mod webp;

use std::io::Cursor;

use image::{
    ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits,
    codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder},
    guess_format,
    metadata::Orientation,
};

use crate::lfs::LfsPointer;

pub use budget::{MAX_PIXEL_BYTES, PixelBudget, TooManyPixels};
pub use map::MapKind;
pub use metadata::Metadata;
#[cfg(feature = "panel")]
pub(crate) use resize::centre_in_shape;
pub use resize::reference_image;
pub(crate) use resize::{centre, resized, resized_bicubic, scaled_down};

/// The most pixels of a picture, mask or scribble: 160 MB in RGBA. An edit has several copies in memory at a time.
pub const MAX_PIXELS: u64 = 40_000_000;

/// The most bytes of decoded pixels: those of [`MAX_PIXELS`] in RGBA with 8 bits per channel.
const MAX_BYTES: u64 = 4 * MAX_PIXELS;

/// The most bytes of everything but pixels in a PNG: colour profile, EXIF data and texts, decompressed.
pub(crate) const MAX_METADATA: usize = 128 << 20;

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
    /// Its pixels have more bytes than those of [`MAX_PIXELS`] with 8 bits per channel.
    #[error(
        "it has {width}x{height} pixels with 16 bits per channel, which is more than {} MB: \
         save it with 8 bits, or scale it down",
        MAX_BYTES / 1_000_000
    )]
    TooDeep {
        /// The width in pixels.
        width: u32,
        /// The height in pixels.
        height: u32,
    },
    /// Its metadata is too large.
    #[error(
        "its colour profile and texts have more than {} MB: \
         use a copy without them, and keep this file: its recipe may be one of the texts",
        MAX_METADATA >> 20
    )]
    Metadata,
    /// It is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// It has another format.
    #[error("its format is {found}: save it as {supported}")]
    Format {
        /// The media type of the format, or "unknown".
        found: &'static str,
        /// The formats that can be read.
        supported: &'static str,
    },
    /// It is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Decodes a PNG, JPEG or WebP file. The orientation in its EXIF data is applied.
///
/// # Errors
/// If it has another format or is damaged, if it has more than [`MAX_PIXELS`], or if its pixels or its metadata need too
/// much memory.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, DecodeError> {
    Undecoded::open(bytes)?.upright()
}

/// A picture file up to its pixels. Its size is checked, and its pixels are not decoded.
pub(crate) struct Undecoded<'a> {
    decoder: Box<dyn ImageDecoder + 'a>,
    orientation: Orientation,
}

/// The width and height in the header of a PNG, which follow its signature and the length and name of the first chunk.
fn claimed_size(png: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    Some((side(16)?, side(20)?))
}

fn wrong_format(found: Option<ImageFormat>, supported: &'static str) -> DecodeError {
    DecodeError::Format { found: found.map_or("unknown", |it| it.to_mime_type()), supported }
}

fn is_too_large((width, height): (u32, u32)) -> bool {
    u64::from(width) * u64::from(height) > MAX_PIXELS
}

impl<'a> Undecoded<'a> {
    /// Reads everything before the pixels of a PNG, JPEG or WebP file.
    ///
    /// # Errors
    /// As [`decode`].
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        LfsPointer::check(bytes)?;
        let cursor = Cursor::new(bytes);
        match guess_format(bytes) {
            Ok(ImageFormat::Png) => Self::open_png(bytes),
            // Both have at most 4 bytes per pixel. The decoders copy all bytes.
            Ok(ImageFormat::Jpeg | ImageFormat::WebP) if bytes.len() as u64 > MAX_BYTES => {
                Err(DecodeError::Metadata)
            }
            Ok(ImageFormat::Jpeg) => Self::checked(JpegDecoder::new(cursor)?),
            Ok(ImageFormat::WebP) => {
                webp::check_metadata(bytes).map_err(ImageError::from)?;
                Self::checked(WebPDecoder::new(cursor)?)
            }
            other => Err(wrong_format(other.ok(), "PNG, JPEG or WebP")),
        }
    }

    /// Reads everything before the pixels of a PNG.
    ///
    /// # Errors
    /// As [`decode`], and for all other formats.
    pub(crate) fn open_png(png: &'a [u8]) -> Result<Self, DecodeError> {
        LfsPointer::check(png)?;
        let format = guess_format(png).ok();
        if format != Some(ImageFormat::Png) {
            return Err(wrong_format(format, "PNG"));
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_METADATA as u64);
        let decoder = PngDecoder::with_limits(Cursor::new(png), limits);
        Self::checked(decoder.map_err(|error| match error {
            ImageError::Limits(_) => match claimed_size(png).filter(|size| is_too_large(*size)) {
                Some((width, height)) => DecodeError::TooLarge { width, height },
                None => DecodeError::Metadata,
            },
            error => error.into(),
        })?)
    }

    fn checked(mut decoder: impl ImageDecoder + 'a) -> Result<Self, DecodeError> {
        let (width, height) = decoder.dimensions();
        if is_too_large((width, height)) {
            return Err(DecodeError::TooLarge { width, height });
        }
        if decoder.total_bytes() > MAX_BYTES {
            return Err(DecodeError::TooDeep { width, height });
        }
        let orientation = decoder.orientation()?;
        Ok(Self { decoder: Box::new(decoder), orientation })
    }

    /// Width and height in pixels, with the orientation applied.
    pub(crate) fn size(&self) -> (u32, u32) {
        let (width, height) = self.decoder.dimensions();
        match self.orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (height, width),
            _ => (width, height),
        }
    }

    /// The number of bytes that the pixels have in memory: one for a pixel in grey, which is that of a mask, and four for
    /// any other, which becomes RGBA.
    pub(crate) fn bytes(&self) -> u64 {
        let (width, height) = self.decoder.dimensions();
        let each = if self.decoder.color_type() == ColorType::L8 { 1 } else { 4 };
        u64::from(width) * u64::from(height) * each
    }

    /// Decodes the pixels, and applies the orientation.
    ///
    /// # Errors
    /// If they are damaged.
    pub(crate) fn upright(self) -> Result<DynamicImage, DecodeError> {
        let mut image = DynamicImage::from_decoder(self.decoder)?;
        image.apply_orientation(self.orientation);
        Ok(image)
    }

    /// The colour profile (ICC) and the EXIF data.
    ///
    /// # Errors
    /// If they are damaged.
    fn profile_and_exif(&mut self) -> Result<[Option<Vec<u8>>; 2], DecodeError> {
        Ok([self.decoder.icc_profile()?, self.decoder.exif_metadata()?])
    }

    /// Decodes the pixels of a file of this program, which has no orientation.
    ///
    /// # Errors
    /// If they are damaged.
    pub(crate) fn unrotated(self) -> Result<DynamicImage, DecodeError> {
        Ok(DynamicImage::from_decoder(self.decoder)?)
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, Luma, RgbImage};

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

    /// A file of `tests/reference/pictures.py`.
    pub(super) fn fixture(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/fixtures/pictures");
        std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
    }

    #[test]
    fn jpeg_and_webp_files_are_decoded_upright() {
        // The left half of the pixels in the file is red, the other one blue. The rotation puts the left side on top.
        for (name, size, positions) in [
            ("rotated.jpg", (16, 32), [(8, 4), (8, 28)]),
            ("rotated.webp", (16, 32), [(8, 4), (8, 28)]),
            ("cmyk.jpg", (32, 16), [(4, 8), (28, 8)]),
        ] {
            let file = fixture(name);
            assert_eq!(Undecoded::open(&file).unwrap().size(), size, "{name}");
            let image = decode(&file).unwrap().into_rgba8();
            assert_eq!(image.dimensions(), size, "{name}");
            for ((x, y), colour) in positions.into_iter().zip([[200, 30, 40], [20, 60, 180]]) {
                let [r, g, b, alpha] = image.get_pixel(x, y).0;
                let difference = [r, g, b].iter().zip(colour).map(|(a, b)| a.abs_diff(b)).max();
                assert!(alpha == 255 && difference.unwrap() <= 3, "{name}: {r} {g} {b} {alpha}");
            }
        }
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let error = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        let gif = error(&fixture("picture.gif"));
        assert_eq!(gif, "its format is image/gif: save it as PNG, JPEG or WebP");
        assert_eq!(error(b"text"), "its format is unknown: save it as PNG, JPEG or WebP");
        let error = Undecoded::open_png(&fixture("rotated.jpg")).err().unwrap().to_string();
        assert_eq!(error, "its format is image/jpeg: save it as PNG");
    }

    #[test]
    fn truncated_jpeg_and_webp_files_are_errors_or_pictures_of_their_size() {
        for name in ["rotated.jpg", "rotated.webp"] {
            let file = fixture(name);
            for length in 0..file.len() {
                if let Ok(image) = decode(&file[..length]) {
                    assert_eq!((image.width(), image.height()), (16, 32));
                }
            }
        }
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
            assert_eq!(Undecoded::open(&png).unwrap().size(), image.dimensions(), "{orientation}");
            // A picture that is written with the same metadata is not rotated again.
            let mut written = Cursor::new(Vec::new());
            image.write_to(&mut written, ImageFormat::Png).unwrap();
            let written = Metadata::read(&png).insert_into(written.into_inner());
            assert_eq!(decode(&written).unwrap().into_luma8(), grey(rows), "{orientation}");
        }
    }

    #[test]
    fn a_picture_that_is_too_large_is_refused_before_it_is_decoded() {
        // The decoder itself refuses the last two, whose rows need too much memory.
        for (width, height) in [(30_000, 30_000), (200_000_000, 1), (2_000_000_000, 2_000_000_000)]
        {
            let error = decode(&header(width, height, 8, 2)).unwrap_err();
            assert!(matches!(error, DecodeError::TooLarge { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{width}x{height}")), "{error}");
        }
    }

    /// The beginning of a PNG of this size, depth and type of colour, up to its pixels.
    fn header(width: u32, height: u32, bits: u8, colour: u8) -> Vec<u8> {
        let mut png = oriented(1);
        png[16..24].copy_from_slice(&[width.to_be_bytes(), height.to_be_bytes()].concat());
        (png[24], png[25]) = (bits, colour);
        let sum = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&sum.to_be_bytes());
        png
    }

    #[test]
    fn a_picture_of_16_bits_with_too_many_bytes_is_refused_before_it_is_decoded() {
        // 30 million pixels of 8 bytes.
        let error = decode(&header(10_000, 3000, 16, 6)).unwrap_err();
        assert!(matches!(error, DecodeError::TooDeep { width: 10_000, height: 3000 }), "{error}");
        assert!(error.to_string().contains("160 MB"), "{error}");
    }

    #[test]
    fn bytes_are_those_of_masks_and_of_images_in_rgba() {
        let bytes = |image: DynamicImage| {
            let mut png = Cursor::new(Vec::new());
            image.write_to(&mut png, ImageFormat::Png).unwrap();
            Undecoded::open(png.get_ref()).unwrap().bytes()
        };
        assert_eq!(bytes(GrayImage::new(5, 3).into()), 15);
        assert_eq!(bytes(GrayAlphaImage::new(5, 3).into()), 60);
        assert_eq!(bytes(RgbImage::new(5, 3).into()), 60);
    }

    #[test]
    fn a_colour_profile_that_unpacks_to_too_many_bytes_is_skipped() {
        let mut info = png::Info::with_size(1, 1);
        info.color_type = png::ColorType::Rgb;
        info.icc_profile = Some(vec![0; MAX_METADATA + 1].into());
        let mut bytes = Vec::new();
        let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
        writer.write_image_data(&[0; 3]).unwrap();
        writer.finish().unwrap();
        assert!(bytes.len() < MAX_METADATA / 100, "a small file");
        assert_eq!(Undecoded::open(&bytes).unwrap().decoder.icc_profile().unwrap(), None);
    }

    #[test]
    fn a_picture_with_too_much_text_is_refused() {
        let mut bytes = Vec::new();
        let mut writer = png::Encoder::new(&mut bytes, 1, 1).write_header().unwrap();
        let text = [b"a\0".as_slice(), &vec![b'a'; MAX_METADATA]].concat();
        writer.write_chunk(png::chunk::tEXt, &text).unwrap();
        writer.write_image_data(&[0]).unwrap();
        writer.finish().unwrap();
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Metadata), "{error}");
        assert!(error.to_string().contains("128 MB"), "{error}");
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
