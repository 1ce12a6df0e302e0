//! The texts in picture files, within limits of memory.

use std::io::{BufRead, Read, Seek, SeekFrom};

use super::{KEYWORD, PictureError};
use crate::{
    art::provenance::ProvenanceFile,
    lfs::{self, LfsPointer},
    picture::MAX_METADATA,
};

/// The most bytes of a text that is compressed in the file. This program does not compress the texts that it reads.
pub(super) const MAX_COMPRESSED: usize = 16 << 20;

/// The most bytes of a provenance without masks and scribbles. 64 parts with two texts of
/// [`MAX_TEXT_LENGTH`](crate::recipe::MAX_TEXT_LENGTH) have about 1 MB. With long texts in many inspirations and losses, a
/// recipe can have more: it is refused before it is drawn.
pub(super) const MAX_PROVENANCE: usize = 2 << 20;

/// The most bytes of a compressed provenance for each byte of its file. All takes of a folder are in memory: a folder must
/// not need much more memory than disk space.
const MAX_RATIO: usize = 16;

/// The end of every complete PNG: the IEND chunk (PNG specification, third edition, 11.2.4).
const END: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xAE, 0x42, 0x60, 0x82];

/// A picture file that was read up to its pixels.
pub(super) struct Opened<R: BufRead + Seek> {
    png: png::Reader<R>,
    /// The size of the file, in bytes.
    length: u64,
}

impl<R: BufRead + Seek> Opened<R> {
    /// Reads everything before the pixels, and checks the end of the file.
    pub(super) fn open(file: R) -> Result<Self, PictureError> {
        Self::within(file, MAX_METADATA)
    }

    /// As [`Self::open`], with another limit than [`MAX_METADATA`].
    pub(super) fn within(mut file: R, bytes: usize) -> Result<Self, PictureError> {
        let mut first = Vec::new();
        file.by_ref().take(lfs::FIRST_BYTES as u64).read_to_end(&mut first)?;
        LfsPointer::check(&first)?;
        let mut end = [0; END.len()];
        let length = file.seek(SeekFrom::End(0))?;
        if length < END.len() as u64 {
            return Err(PictureError::Truncated);
        }
        file.seek(SeekFrom::End(-(END.len() as i64)))?;
        file.read_exact(&mut end)?;
        file.rewind()?;
        let png = png::Decoder::new_with_limits(file, png::Limits { bytes }).read_info()?;
        if end != END {
            return Err(PictureError::Truncated);
        }
        Ok(Self { png, length })
    }

    /// The provenance in the format of the file.
    pub(super) fn provenance(&self) -> Result<ProvenanceFile, PictureError> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let limit = length.saturating_mul(MAX_RATIO).min(MAX_COMPRESSED);
        let text = self.text(KEYWORD, limit)?.ok_or(PictureError::Foreign)?;
        let file: ProvenanceFile = serde_json::from_str(&text)?;
        // The masks and scribbles of older versions do not stay in memory.
        if text.len().saturating_sub(file.inline_bytes()) > MAX_PROVENANCE {
            return Err(PictureError::ProvenanceTooLong);
        }
        Ok(file)
    }

    /// The iTXt chunk under this keyword. If it is compressed, it unpacks to at most `limit` bytes.
    pub(super) fn text(&self, keyword: &str, limit: usize) -> Result<Option<String>, PictureError> {
        let text = self.png.info().utf8_text.iter().find(|text| text.keyword == keyword);
        let Some(mut text) = text.cloned() else { return Ok(None) };
        text.decompress_text_with_limit(limit).map_err(|source| PictureError::Text {
            keyword: keyword.to_owned(),
            limit,
            source,
        })?;
        Ok(Some(text.get_text()?))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Cursor};

    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;
    use crate::{
        art::{
            Provenance,
            picture_file::{
                BLOBS, read, read_with_blobs,
                tests::{example, read_bytes},
            },
        },
        test_support::png_header,
    };

    /// A PNG of one pixel with this text.
    fn with_text(keyword: &str, text: String, compressed: bool) -> Vec<u8> {
        let mut chunk = png::text_metadata::ITXtChunk::new(keyword, text);
        chunk.compressed = compressed;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().unwrap();
        writer.write_text_chunk(&chunk).unwrap();
        writer.write_image_data(&[0; 4]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// The provenance of the example with a long prompt, as JSON.
    fn long_provenance(prompt: usize) -> (Provenance, String) {
        let (_, mut provenance) = example();
        provenance.recipe.prompt = "a".repeat(prompt);
        let json = serde_json::to_string(&provenance).unwrap();
        (provenance, json)
    }

    #[test]
    fn a_provenance_of_more_than_2_mb_is_refused() {
        // A prompt of this length, and less than 1 kB of other fields.
        for (prompt, is_read) in [((2 << 20) - 1000, true), (2 << 20, false)] {
            let (provenance, json) = long_provenance(prompt);
            match read_bytes(&with_text(KEYWORD, json, false)) {
                Ok(read) => assert!(is_read && read == provenance, "{prompt}"),
                Err(PictureError::ProvenanceTooLong) => assert!(!is_read, "{prompt}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_compressed_provenance_that_unpacks_to_much_more_than_its_file_is_refused() {
        let (provenance, json) = long_provenance(200);
        assert_eq!(read_bytes(&with_text(KEYWORD, json, true)).unwrap(), provenance);
        let (_, json) = long_provenance(1 << 20);
        let png = with_text(KEYWORD, json, true);
        assert!(png.len() < 10_000, "a small file");
        let error = read_bytes(&png).unwrap_err();
        assert!(matches!(error, PictureError::Text { .. }), "{error}");
    }

    #[test]
    fn the_inline_masks_of_an_older_version_do_not_make_a_provenance_too_long() {
        let (_, provenance) = example();
        let mask = BASE64_STANDARD.encode(vec![7; 3 << 20]);
        let part = serde_json::json!({ "name": "", "mask": mask, "edit": { "kind": "Refine" } });
        let mut json = serde_json::to_value(&provenance).unwrap();
        json["recipe"]["edit"] = serde_json::json!({
            "parent": null, "picture": "", "style": "", "parts": [part], "context": null,
        });
        let png = with_text(KEYWORD, json.to_string(), false);
        assert!(read(Cursor::new(png)).is_ok());
    }

    #[test]
    fn masks_that_unpack_to_too_many_bytes_are_refused_before_they_are_decoded() {
        // Headers alone, of masks with 36 million pixels each. A mask within the limit is decoded, which fails.
        let mask = |n: u32| BASE64_STANDARD.encode(png_header(6000 - n, 6000));
        let file = |count: u32| {
            let ids = (0..count).map(|n| (format!("{n:064x}"), mask(n)));
            with_text(BLOBS, serde_json::to_string(&ids.collect::<BTreeMap<_, _>>()).unwrap(), true)
        };
        let read = |count| read_with_blobs(Cursor::new(file(count))).unwrap_err();
        assert!(matches!(read(1), PictureError::Blob(_)), "{}", read(1));
        // 540 million bytes.
        let error = read(15);
        assert!(matches!(error, PictureError::BlobsTooLarge(_)), "{error}");
    }
}
