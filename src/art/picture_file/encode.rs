//! Writing picture files. Nothing is written that cannot be read back.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Cursor},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use image::RgbaImage;

use super::{
    BLOBS, KEYWORD, PARAMETERS, PictureError,
    opened::{self, Opened},
};
use crate::{
    art::Provenance,
    diffusion::scheduler,
    generator::ModelCard,
    picture::{DecodeError, MAX_METADATA, Metadata, PixelBudget, TooManyPixels, Undecoded},
    recipe::{Blob, BlobError, BlobId, Recipe, SigmaSpacing},
};

/// The bytes of a provenance for what is known only when the picture is drawn: the model, and the values of at most 16
/// losses of each of 64 parts.
const RESERVED: usize = 256 << 10;

/// Why a picture file cannot be written, or could not be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The texts of the recipe are too long.
    #[error(
        "the texts of the recipe have more bytes than a picture file can have ({} MB with the values of losses): \
         shorten the words of parts, inspirations and losses, or divide the edit into several edits",
        opened::MAX_PROVENANCE >> 20
    )]
    LongRecipe,
    /// The decoded masks and images of the recipe are too large.
    #[error(transparent)]
    Pixels(#[from] TooManyPixels),
    /// The file would have too many bytes besides its pixels. The reader needs twice the memory of a single text.
    #[error(
        "the images and masks of the recipe, with the colour profile and the texts of the picture, are larger than a \
         picture file can have ({} MB of images and masks, {} MB in all): use fewer or smaller images, or divide the edit \
         into several edits",
        MAX_METADATA >> 21, MAX_METADATA >> 20
    )]
    TooLarge,
    /// A mask or an image cannot be encoded, or is too large by itself.
    #[error("a mask or an image of the recipe cannot be written: {0}")]
    Blob(#[from] BlobError),
    /// The picture is too large.
    #[error("the picture cannot be written: {0}")]
    Picture(#[from] DecodeError),
    /// A text cannot be written as JSON.
    #[error("the recipe cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The picture has no pixels, or a text has characters that PNG texts cannot have, such as NUL.
    #[error("the picture cannot be written: {0}")]
    Png(#[from] png::EncodingError),
    /// The file could not be read back for another reason.
    #[error("the picture could not be read back: {0}")]
    Unreadable(#[source] PictureError),
}

/// What a picture file contains besides the picture and its provenance. It is complete before the picture is drawn, so
/// that nothing is drawn that cannot be written.
#[derive(Clone, Debug, Default)]
pub struct Attachments {
    /// Masks and images as JSON: PNG files in base64, by their ids.
    blobs: Option<String>,
    metadata: Metadata,
}

/// Checks that a picture of a recipe can be written and read back, before it is drawn. `blobs` are the masks and images
/// of the recipe, which are in other files.
///
/// # Errors
/// [`EncodeError::LongRecipe`] and [`EncodeError::Pixels`].
pub fn check(recipe: &Recipe, blobs: &BTreeMap<BlobId, Blob>) -> Result<(), EncodeError> {
    let mut left = PixelBudget::default();
    blobs.values().try_for_each(|blob| left.take(blob.bytes()))?;
    Attachments::default().check(recipe, MAX_METADATA)
}

impl Attachments {
    /// The masks and images of a recipe, and the metadata of the picture that it edits. Checks that a picture of the recipe
    /// with them can be written and read back.
    ///
    /// # Errors
    /// If it could not be read back, or a mask or an image has no pixels.
    pub fn new(
        recipe: &Recipe,
        blobs: &BTreeMap<BlobId, Blob>,
        metadata: Metadata,
    ) -> Result<Self, EncodeError> {
        Self::within(recipe, blobs, metadata, MAX_METADATA)
    }

    /// As [`Self::new`], with another limit than [`MAX_METADATA`].
    fn within(
        recipe: &Recipe,
        blobs: &BTreeMap<BlobId, Blob>,
        metadata: Metadata,
        most: usize,
    ) -> Result<Self, EncodeError> {
        let mut left = PixelBudget::default();
        blobs.values().try_for_each(|blob| left.take(blob.bytes()))?;
        let (mut pngs, mut length) = (BTreeMap::new(), 0);
        for (id, blob) in blobs {
            let png = blob.to_png()?;
            Undecoded::open_png(&png).map_err(BlobError::from)?;
            let text = BASE64_STANDARD.encode(png);
            length += text.len();
            if length > most {
                return Err(EncodeError::TooLarge);
            }
            pngs.insert(id, text);
        }
        let blobs = (!pngs.is_empty()).then(|| serde_json::to_string(&pngs)).transpose()?;
        let attachments = Self { blobs, metadata };
        attachments.check(recipe, most)?;
        Ok(attachments)
    }

    /// The metadata of a picture alone. Masks and images are in other files.
    pub(in crate::art) fn of_metadata(metadata: Metadata) -> Self {
        Self { blobs: None, metadata }
    }

    /// Checks that one row of a picture of the recipe can be read back, even if its provenance has [`RESERVED`] bytes more.
    fn check(&self, recipe: &Recipe, most: usize) -> Result<(), EncodeError> {
        let provenance = Provenance::now(recipe.clone(), ModelCard::default(), Duration::ZERO);
        let json = serde_json::to_string(&provenance)? + &" ".repeat(RESERVED);
        // The reader counts the bytes of a row.
        let row = RgbaImage::new(recipe.size.width.max(1), 1);
        self.encode(&row, &provenance, json, most).map(drop)
    }

    /// The file of a picture whose provenance is `json`.
    fn encode(
        &self,
        image: &RgbaImage,
        provenance: &Provenance,
        json: String,
        most: usize,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        encoder.add_itxt_chunk(KEYWORD.to_owned(), json)?;
        if let Some(blobs) = &self.blobs {
            encoder.add_itxt_chunk(BLOBS.to_owned(), blobs.clone())?;
        }
        let parameters = parameters(provenance);
        // A tEXt chunk holds Latin-1 only.
        if parameters.chars().all(|c| c <= '\u{ff}') {
            encoder.add_text_chunk(PARAMETERS.to_owned(), parameters)?;
        } else {
            encoder.add_itxt_chunk(PARAMETERS.to_owned(), parameters)?;
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(image.as_raw())?;
        writer.finish()?;
        let bytes = self.metadata.insert_into(bytes);
        let read = Opened::within(Cursor::new(&bytes), most).and_then(|file| file.provenance());
        read.map_err(|error| match error {
            PictureError::ProvenanceTooLong => EncodeError::LongRecipe,
            PictureError::Metadata => EncodeError::TooLarge,
            error => EncodeError::Unreadable(error),
        })?;
        Undecoded::open_png(&bytes)?;
        Ok(bytes)
    }
}

/// Encodes a picture as a PNG file with its provenance.
///
/// # Errors
/// If the picture has no pixels, or the file could not be read back.
pub fn encode(
    image: &RgbaImage,
    provenance: &Provenance,
    attachments: &Attachments,
) -> Result<Vec<u8>, EncodeError> {
    let json = serde_json::to_string(provenance)?;
    attachments.encode(image, provenance, json, MAX_METADATA)
}

impl From<EncodeError> for io::Error {
    fn from(error: EncodeError) -> Self {
        Self::other(error)
    }
}

/// Prompt and settings in the form of AUTOMATIC1111's web UI, which most tools read.
fn parameters(provenance: &Provenance) -> String {
    let Provenance { sampler, model, .. } = provenance;
    let recipe = provenance.recipe.with_choices_made();
    let negative_prompt = if recipe.negative_prompt.is_empty() {
        String::new()
    } else {
        format!("\nNegative prompt: {}", recipe.negative_prompt)
    };
    let class = scheduler::find(&sampler.scheduler);
    let scheduler = class.map_or(sampler.scheduler.as_str(), |class| class.title);
    let sigmas = match sampler.sigmas {
        Some(SigmaSpacing::Timesteps) => "Schedule type: Uniform, ",
        Some(SigmaSpacing::Karras) => "Schedule type: Karras, ",
        Some(SigmaSpacing::Exponential) => "Schedule type: Exponential, ",
        Some(SigmaSpacing::Beta) => "Schedule type: Beta, ",
        None => "",
    };
    let hash = model.hash.get(..10).unwrap_or(&model.hash);
    let rescale = match sampler.guidance_rescale {
        0.0 => String::new(),
        rescale => format!("CFG rescale: {rescale}, "),
    };
    // The web UI counts from the last layer, which is 1.
    let clip_skip = match sampler.clip_skip {
        None | Some(0) => String::new(),
        Some(clip_skip) => format!(", Clip skip: {}", u64::from(clip_skip) + 1),
    };
    format!(
        "{}{negative_prompt}\nSteps: {}, Sampler: {scheduler}, {sigmas}CFG scale: {}, {rescale}Seed: {}, Size: {}, Model hash: {hash}, Model: {}{clip_skip}",
        recipe.prompt,
        sampler.steps,
        sampler.guidance_scale,
        recipe.noise_seed(),
        recipe.size,
        quoted(&model.name),
    )
}

/// A value of the last line of the parameters, in quotes if it contains a separator.
fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains([',', ':', '\n', '"']) { format!("{value:?}").into() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        art::picture_file::{decode, read_within, tests::example},
        loss::FinalLoss,
        mask::Mask,
    };

    /// Samples that compression does not shorten.
    fn noise(seed: u64, bytes: usize) -> Vec<u8> {
        let mut samples = vec![0; bytes];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut samples);
        samples
    }

    /// Masks and images of 64 by 64 pixels.
    fn blobs(count: u64) -> BTreeMap<BlobId, Blob> {
        let blob = |n: u64| match n % 3 {
            0 => Blob::Mask(Mask::from_fn(64, 64, |x, y| (x * y + n as u32) as u8)),
            _ => Blob::Image(Arc::new(
                RgbaImage::from_raw(64, 64, noise(n, 64 * 64 * 4)).expect("4 bytes per pixel"),
            )),
        };
        (0..count).map(blob).map(|blob| (blob.id(), blob)).collect()
    }

    /// The metadata of a picture of another program with a text of this length.
    fn metadata(length: usize) -> Metadata {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_text_chunk("Comment".to_owned(), "a".repeat(length)).unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[0]).unwrap();
        writer.finish().unwrap();
        Metadata::read(&bytes)
    }

    /// The most values of losses: 16 of each of 64 parts.
    fn losses() -> Vec<FinalLoss> {
        let loss = |n: usize| FinalLoss {
            part: Some(n / 16),
            index: n % 16,
            kind: "TotalVariation".to_owned(),
            weight: 0.123_456_78,
            unlike: false,
            value: 1.234_567_8e-12,
        };
        (0..64 * 16).map(loss).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_is_written_is_read_back_and_whatever_is_drawn_can_be_written(
            prompt in prop_oneof![0..300_000_usize, 1_700_000..2_200_000_usize],
            escaped: bool,
            count in 0..12_u64,
            comment in 0..400_000_usize,
            most in 300_000..8_000_000_usize,
        ) {
            let (image, mut provenance) = example();
            provenance.losses = losses();
            let letter = if escaped { "\"" } else { "a" };
            provenance.recipe.prompt = letter.repeat(prompt / if escaped { 2 } else { 1 });
            let (blobs, metadata) = (blobs(count), metadata(comment));
            match Attachments::within(&provenance.recipe, &blobs, metadata.clone(), most) {
                Ok(attachments) => {
                    let json = serde_json::to_string(&provenance).unwrap();
                    let file = attachments.encode(&image, &provenance, json, most).unwrap();
                    prop_assert_eq!(read_within(Cursor::new(&file), most).unwrap(), (provenance, blobs));
                    prop_assert_eq!(decode(Path::new("a.png"), &file).unwrap(), image);
                }
                Err(EncodeError::LongRecipe | EncodeError::TooLarge) => {
                    let attachments = Attachments { blobs: None, metadata };
                    let json = serde_json::to_string(&provenance).unwrap();
                    if let Ok(file) = attachments.encode(&image, &provenance, json, most) {
                        let (read, _) = read_within(Cursor::new(&file), most).unwrap();
                        prop_assert_eq!(read, provenance);
                    }
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }

    #[test]
    fn a_recipe_that_is_too_long_is_refused_before_it_is_drawn() {
        let (_, Provenance { mut recipe, .. }) = example();
        for (prompt, fits) in [(1_800_000, true), (1_900_000, false)] {
            recipe.prompt = "a".repeat(prompt);
            match check(&recipe, &BTreeMap::new()) {
                Ok(()) => assert!(fits),
                Err(EncodeError::LongRecipe) => assert!(!fits),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn masks_with_too_many_pixels_are_refused_before_they_are_encoded() {
        // 36 million bytes each, which all masks share.
        let (mask, (_, provenance)) = (Mask::empty(6000, 6000), example());
        let blobs = (0..15).map(|n| (BlobId::new(format!("{n:064x}")), mask.clone()));
        let blobs = blobs.map(|(id, mask)| (id.unwrap(), Blob::Mask(mask))).collect();
        let error = Attachments::new(&provenance.recipe, &blobs, Metadata::default()).unwrap_err();
        assert!(matches!(error, EncodeError::Pixels(_)), "{error}");
        assert!(matches!(check(&provenance.recipe, &blobs), Err(EncodeError::Pixels(_))));
    }

    #[test]
    fn a_picture_with_more_texts_than_can_be_read_is_not_written() {
        let (image, provenance) = example();
        let attachments = Attachments::of_metadata(metadata(MAX_METADATA));
        let error = encode(&image, &provenance, &attachments).unwrap_err();
        assert!(matches!(error, EncodeError::TooLarge), "{error}");
        assert!(error.to_string().contains("128 MB"), "{error}");
    }

    #[test]
    fn an_image_that_is_too_large_by_itself_is_not_written() {
        let (_, provenance) = example();
        let image = RgbaImage::new(6400, 6400);
        let error = encode(&image, &provenance, &Attachments::default()).unwrap_err();
        assert!(matches!(error, EncodeError::Picture(DecodeError::TooLarge { .. })), "{error}");
    }
}
