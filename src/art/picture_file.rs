//! PNG files with provenance.
//!
//! An iTXt chunk under [`KEYWORD`] holds the whole [`Provenance`] as JSON. A text chunk under [`PARAMETERS`] holds
//! prompt and settings in the form that other diffusion tools read. Both come before the pixels, so that a folder of
//! pictures can be listed without decoding them.
//!
//! The masks and scribbles of an edit are in the art folder. A file outside of an art folder has them in an iTXt chunk
//! under [`BLOBS`], as JSON: PNG images in base64, by their ids.

mod encode;
mod opened;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Seek},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use image::RgbaImage;

use super::{ArtError, Provenance, provenance::ProvenanceFile};
use crate::{
    foreign,
    lfs::LfsPointer,
    picture::{DecodeError, MAX_METADATA, Metadata, PixelBudget, TooManyPixels, Undecoded},
    recipe::{Blob, BlobError, BlobId, InlineBlobError},
};

pub use encode::{Attachments, EncodeError, check, encode};
use opened::Opened;

/// The keyword of the iTXt chunk that holds the provenance as JSON.
pub const KEYWORD: &str = "bevy_illustrator";

/// The keyword of the iTXt chunk that holds masks and scribbles as JSON.
pub const BLOBS: &str = "bevy_illustrator blobs";

/// The keyword under which other tools look for prompt and settings.
pub const PARAMETERS: &str = "parameters";

/// An error of reading the provenance of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// An operation on the file failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// The file is not a PNG, or is damaged.
    #[error("it is not a PNG, or is damaged: {0}")]
    Png(#[source] png::DecodingError),
    /// The file does not end with the end of a PNG.
    #[error("it is truncated, or continues after the end of the picture")]
    Truncated,
    /// The file is a PNG without a provenance.
    #[error("it has no provenance: this program did not draw it")]
    Foreign,
    /// The provenance cannot be parsed.
    #[error("its provenance cannot be read: {0}")]
    Provenance(#[from] serde_json::Error),
    /// A mask or scribble in the provenance cannot be decoded.
    #[error("its provenance cannot be read: {0}")]
    InlineBlob(#[from] InlineBlobError),
    /// A compressed text in the file is too large, or is damaged.
    #[error(
        "its compressed text `{keyword}` is damaged or has more than {limit} bytes ({source}): draw the picture again"
    )]
    Text {
        /// The keyword of the text.
        keyword: String,
        /// The most bytes of such a text.
        limit: usize,
        /// The error of the decoder.
        source: png::DecodingError,
    },
    /// The provenance is too long.
    #[error(
        "its provenance has more than {} MB: draw the picture again, with shorter texts or fewer parts",
        opened::MAX_PROVENANCE >> 20
    )]
    ProvenanceTooLong,
    /// The file has too many bytes besides its pixels.
    #[error(
        "its colour profile and texts have more than {} MB: keep this file, because its recipe may be one of the texts",
        MAX_METADATA >> 20
    )]
    Metadata,
    /// The masks, scribbles and images in the file are too large.
    #[error("its recipe cannot be drawn: {0}")]
    BlobsTooLarge(#[from] TooManyPixels),
    /// A mask, a scribble or an image cannot be decoded.
    #[error("a mask, a scribble or an image in it cannot be read: {0}")]
    Blob(#[from] BlobError),
}

impl From<png::DecodingError> for PictureError {
    fn from(error: png::DecodingError) -> Self {
        match error {
            // The decoder reports the end of the file in this way.
            png::DecodingError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            png::DecodingError::IoError(error) => Self::Io(error),
            png::DecodingError::LimitsExceeded => Self::Metadata,
            error => Self::Png(error),
        }
    }
}

/// Reads the provenance of a picture file. The pixels are not decoded, but the end of the file is checked.
///
/// # Errors
/// If the file is not a complete PNG with a provenance.
pub fn provenance(path: &Path) -> Result<Provenance, PictureError> {
    Ok(read(BufReader::new(foreign::open(path)?))?.try_into()?)
}

/// Reads the provenance of a picture file, and the masks and scribbles that the file contains.
///
/// # Errors
/// As [`provenance`], and if a mask or scribble cannot be decoded.
pub fn provenance_with_blobs(
    path: &Path,
) -> Result<(Provenance, BTreeMap<BlobId, Blob>), PictureError> {
    read_with_blobs(BufReader::new(foreign::open(path)?))
}

/// Reads a picture file as [`provenance_with_blobs`].
///
/// # Errors
/// As [`provenance_with_blobs`].
pub(super) fn read_with_blobs(
    file: impl BufRead + Seek,
) -> Result<(Provenance, BTreeMap<BlobId, Blob>), PictureError> {
    read_within(file, MAX_METADATA)
}

/// As [`read_with_blobs`], with another limit than [`MAX_METADATA`].
fn read_within(
    file: impl BufRead + Seek,
    most: usize,
) -> Result<(Provenance, BTreeMap<BlobId, Blob>), PictureError> {
    let file = Opened::within(file, most)?;
    let mut blobs = BTreeMap::new();
    let mut left = PixelBudget::default();
    if let Some(json) = file.text(BLOBS, opened::MAX_COMPRESSED)? {
        let mut pngs = BTreeMap::new();
        for (id, text) in serde_json::from_str::<BTreeMap<BlobId, String>>(&json)? {
            let png = BASE64_STANDARD.decode(text).map_err(InlineBlobError::from)?;
            left.take(Undecoded::open_png(&png).map_err(BlobError::from)?.bytes())?;
            pngs.insert(id, png);
        }
        for (id, png) in pngs {
            let blob = Blob::from_png(&id, &png)?;
            blobs.insert(id, blob);
        }
    }
    // Older versions wrote masks and scribbles into the recipe.
    let provenance = file.provenance()?.provenance(|inline| {
        left.take(inline.bytes()?)?;
        let blob = inline.decode()?;
        let id = blob.id();
        blobs.insert(id.clone(), blob);
        Ok::<_, PictureError>(id)
    })?;
    Ok((provenance, blobs))
}

/// Reads the provenance of a picture file without converting the fields of older versions.
///
/// # Errors
/// As [`provenance`].
pub(super) fn read(file: impl BufRead + Seek) -> Result<ProvenanceFile, PictureError> {
    Opened::open(file)?.provenance()
}

/// The metadata of a PNG that an edited copy keeps. What this program writes itself is left out.
#[must_use]
pub fn metadata(png: &[u8]) -> Metadata {
    Metadata::read(png).without_texts(&[KEYWORD, BLOBS, PARAMETERS])
}

/// Reads the pixels of a picture file.
///
/// # Errors
/// If the file does not exist, or is not a complete PNG.
pub fn pixels(path: &Path) -> Result<RgbaImage, ArtError> {
    let bytes = foreign::read(path, foreign::MAX_PICTURE);
    decode(path, &bytes.map_err(ArtError::io("read", path))?)
}

/// Decodes the pixels of a picture file.
///
/// # Errors
/// If it is not a complete PNG.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<RgbaImage, ArtError> {
    ArtError::check_pointer(path, bytes)?;
    match Undecoded::open_png(bytes).and_then(Undecoded::unrotated) {
        Ok(image) => Ok(image.into_rgba8()),
        // The picture may be whole.
        Err(DecodeError::TooLarge { .. } | DecodeError::TooDeep { .. } | DecodeError::Metadata) => {
            Err(ArtError::TooLarge { path: path.to_owned() })
        }
        Err(error) => Err(ArtError::Picture { path: path.to_owned(), message: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, SeekFrom};

    use super::*;
    use crate::{
        edit::Grid,
        generator::ModelCard,
        loss::FinalLoss,
        model::ModelDefaults,
        recipe::{Recipe, Sampler, SigmaSpacing, Size},
        test_support::png_header,
    };

    pub(super) fn example() -> (RgbaImage, Provenance) {
        let recipe = Recipe {
            prompt: "a lighthouse, calm".to_owned(),
            negative_prompt: "people".to_owned(),
            size: Size::new(6, 4),
            seed: 40,
            take: 2,
            sampler: Sampler {
                scheduler: Some("EulerDiscreteScheduler".to_owned()),
                sigmas: Some(SigmaSpacing::Karras),
                prediction_type: None,
                clip_skip: Some(1),
                steps: Some(12),
                guidance_scale: Some(5.5),
                guidance_rescale: Some(0.7),
                guidance_interval: None,
            },
            model: "sketch".to_owned(),
            vae: None,
            text_encoders: Vec::new(),
            loras: Vec::new(),
            components: BTreeMap::new(),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            edit: None,
        };
        let model = ModelCard {
            name: "sketch".to_owned(),
            hash: "0123456789abcdef".to_owned(),
            licence: Some("MIT".to_owned()),
            grid: Grid { scale: 16, min_latents: 8, trained_latents: 16 },
            ..ModelCard::default()
        };
        let provenance = Provenance {
            sampler: recipe.sampler.resolve(&ModelDefaults::built_in()),
            recipe,
            model,
            program: "p 1".to_owned(),
            losses: Vec::new(),
            number: 0,
            made: 1_800_000_000,
            took_ms: 7,
        };
        let image = RgbaImage::from_fn(6, 4, |x, y| image::Rgba([x as u8, y as u8, 200, 255]));
        (image, provenance)
    }

    pub(super) fn read_bytes(bytes: &[u8]) -> Result<Provenance, PictureError> {
        Ok(read(Cursor::new(bytes))?.try_into()?)
    }

    #[test]
    fn an_independent_reader_finds_pixels_recipe_and_parameters() {
        let (image, provenance) = example();
        let bytes = encode(&image, &provenance, &Attachments::default()).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(&pixels, image.as_raw());
        let json = reader.info().utf8_text[0].get_text().unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(reader.info().utf8_text[0].keyword, "bevy_illustrator");
        assert_eq!(value["recipe"]["prompt"], "a lighthouse, calm");
        assert_eq!(value["recipe"]["seed"], 40);
        assert_eq!(value["model"]["licence"], "MIT");
        let text = &reader.info().uncompressed_latin1_text[0];
        assert_eq!(text.keyword, "parameters");
        assert_eq!(
            text.text,
            "a lighthouse, calm\nNegative prompt: people\nSteps: 12, Sampler: Euler, Schedule type: Karras, \
             CFG scale: 5.5, CFG rescale: 0.7, Seed: 42, Size: 6x4, Model hash: 0123456789, Model: sketch, Clip skip: 2"
        );
    }

    #[test]
    fn values_of_losses_are_kept_and_a_file_without_them_has_none() {
        let (image, mut provenance) = example();
        let json = |provenance: &Provenance| serde_json::to_string(provenance).unwrap();
        assert!(!json(&provenance).contains("losses") && !json(&provenance).contains("score"));
        let loss = FinalLoss {
            part: Some(1),
            index: 0,
            kind: "Text".to_owned(),
            weight: 0.3,
            unlike: true,
            value: 0.1,
        };
        provenance.losses = vec![loss];
        provenance.recipe.score = true;
        let bytes = encode(&image, &provenance, &Attachments::default()).unwrap();
        assert_eq!(read_bytes(&bytes).unwrap(), provenance);
    }

    #[test]
    fn prompts_that_are_not_latin_1_are_kept() {
        let (image, mut provenance) = example();
        provenance.recipe.prompt = "маяк, 灯台".to_owned();
        provenance.model.name = "/models/a, b".to_owned();
        let bytes = encode(&image, &provenance, &Attachments::default()).unwrap();
        assert_eq!(read_bytes(&bytes).unwrap(), provenance);
        let reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let text = reader.info().utf8_text[1].get_text().unwrap();
        assert!(text.starts_with("маяк, 灯台\n"), "{text}");
        assert!(text.ends_with("Model: \"/models/a, b\", Clip skip: 2"), "{text}");
    }

    #[test]
    fn a_picture_truncated_anywhere_is_refused() {
        let (image, provenance) = example();
        let bytes = encode(&image, &provenance, &Attachments::default()).unwrap();
        assert!(read_bytes(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert!(read_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_take_with_too_many_pixels_is_refused_before_it_is_decoded() {
        let error = decode(Path::new("a.png"), &png_header(22_600, 22_600)).unwrap_err();
        assert!(matches!(error, ArtError::TooLarge { .. }), "{error}");
    }

    /// A file on a share that is gone after its first bytes.
    struct Gone(Cursor<Vec<u8>>);

    impl Read for Gone {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if (100..200).contains(&self.0.position()) {
                return Err(io::Error::other("input/output error"));
            }
            self.0.read(&mut buffer[..1])
        }
    }

    impl Seek for Gone {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn a_picture_that_cannot_be_read_to_its_end_is_not_damaged() {
        let (image, provenance) = example();
        let bytes = encode(&image, &provenance, &Attachments::default()).unwrap();
        let error = read(BufReader::with_capacity(1, Gone(Cursor::new(bytes)))).map(drop);
        assert!(matches!(error, Err(PictureError::Io(_))), "{error:?}");
    }

    #[test]
    fn a_picture_without_provenance_is_foreign() {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::new(2, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        assert!(matches!(read_bytes(bytes.get_ref()), Err(PictureError::Foreign)));
    }
}
