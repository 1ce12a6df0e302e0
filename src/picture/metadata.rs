//! What a PNG contains besides pixels: colour space, resolution, EXIF data and texts.

use image::metadata::Orientation;

/// The length of the signature and the IHDR chunk, which every PNG begins with.
const HEADER: usize = 8 + 25;
/// The length of a chunk without its data: length, type and checksum.
const FRAME: usize = 12;

/// Chunks that say how the values of pixels are shown.
const COLOUR: [&[u8; 4]; 5] = [b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP"];
/// Other chunks that are kept.
const KEPT: [&[u8; 4]; 5] = [b"pHYs", b"eXIf", b"tEXt", b"zTXt", b"iTXt"];

/// The chunks of a PNG that an edited copy keeps: the colour space (`iCCP`, `gAMA`, `cHRM`, `sRGB`, `cICP`), the
/// resolution (`pHYs`), EXIF data without the orientation, and texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Whole chunks, each with its length and checksum.
    chunks: Vec<Vec<u8>>,
    lost_profile: bool,
    lost_chunks: Vec<String>,
    is_animated: bool,
}

impl Metadata {
    /// Reads the chunks of a PNG. A damaged chunk is skipped.
    #[must_use]
    pub fn read(png: &[u8]) -> Self {
        let mut found = Self::default();
        // Colour type 0 is grey, 4 is grey with alpha (PNG specification, third edition, 11.2.1).
        let is_grey = matches!(png.get(25), Some(0 | 4));
        let mut rest = png.get(HEADER..).unwrap_or_default();
        while let Some(length) = chunk_length(rest) {
            let (chunk, after) = rest.split_at(length);
            rest = after;
            let is = |kind: &[u8; 4]| chunk[4..8] == *kind;
            if is_grey && is(b"iCCP") {
                // The copy is in RGB. A profile for grey does not apply to it.
                found.lost_profile = true;
            } else if is(b"acTL") {
                found.is_animated = true;
            } else if is_private(chunk) {
                let name = String::from_utf8_lossy(&chunk[4..8]).into_owned();
                if !found.lost_chunks.contains(&name) {
                    found.lost_chunks.push(name);
                }
            } else if is_whole(chunk) && COLOUR.iter().chain(&KEPT).any(|kind| is(kind)) {
                found.chunks.push(upright(chunk.to_vec()));
            }
        }
        found
    }

    /// Whether the PNG has a colour profile for grey, which a copy in RGB cannot keep.
    #[must_use]
    pub fn has_lost_profile(&self) -> bool {
        self.lost_profile
    }

    /// The names of the private chunks, in which other programs store layers, for example. A copy does not keep them,
    /// because they may describe pixels that an edit changes.
    #[must_use]
    pub fn lost_chunks(&self) -> &[String] {
        &self.lost_chunks
    }

    /// Whether the PNG is an animation (APNG), of which only the first frame is decoded.
    #[must_use]
    pub fn is_animated(&self) -> bool {
        self.is_animated
    }

    /// The metadata without the texts under these keywords.
    #[must_use]
    pub fn without_texts(mut self, keywords: &[&str]) -> Self {
        self.chunks.retain(|chunk| {
            let is_text = chunk[5..8] == *b"EXt" || chunk[5..8] == *b"TXt";
            let keyword = chunk[8..].split(|&byte| byte == 0).next().unwrap_or_default();
            !(is_text && keywords.iter().any(|other| other.as_bytes() == keyword))
        });
        self
    }

    /// Inserts the chunks into a PNG, behind its header. If they say how colours are shown, what the PNG itself says
    /// about that is removed.
    #[must_use]
    pub fn insert_into(&self, png: Vec<u8>) -> Vec<u8> {
        if self.chunks.is_empty() || png.len() < HEADER {
            return png;
        }
        let is_colour = |chunk: &[u8]| COLOUR.iter().any(|kind| chunk[4..8] == **kind);
        let has_colour = self.chunks.iter().any(|chunk| is_colour(chunk));
        let mut merged = png[..HEADER].to_vec();
        self.chunks.iter().for_each(|chunk| merged.extend_from_slice(chunk));
        let mut rest = &png[HEADER..];
        while let Some(length) = chunk_length(rest) {
            let (chunk, after) = rest.split_at(length);
            rest = after;
            if !(has_colour && is_colour(chunk)) {
                merged.extend_from_slice(chunk);
            }
        }
        merged.extend_from_slice(rest);
        merged
    }
}

/// The length of the chunk that `bytes` begin with, with its frame. `None` if it is not complete.
fn chunk_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    let length = usize::try_from(length).ok()?.checked_add(FRAME)?;
    (length <= bytes.len()).then_some(length)
}

/// Whether the type of a chunk is private: the second letter is small (PNG specification, third edition, 5.4).
fn is_private(chunk: &[u8]) -> bool {
    chunk[4..8].iter().all(u8::is_ascii_alphabetic) && chunk[5].is_ascii_lowercase()
}

/// Whether the checksum of a chunk is right.
fn is_whole(chunk: &[u8]) -> bool {
    let (covered, sum) = chunk[4..].split_at(chunk.len() - 8);
    crc32fast::hash(covered).to_be_bytes() == *sum
}

/// A chunk in which EXIF data no longer says that the picture is rotated.
fn upright(mut chunk: Vec<u8>) -> Vec<u8> {
    if chunk[4..8] == *b"eXIf" {
        let end = chunk.len() - 4;
        if Orientation::remove_from_exif_chunk(&mut chunk[8..end]).is_some() {
            let sum = crc32fast::hash(&chunk[4..end]).to_be_bytes();
            chunk[end..].copy_from_slice(&sum);
        }
    }
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red PNG of 2 by 2 pixels with these chunks before its pixels.
    fn png(colour: png::ColorType, chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
        encoder.set_color(colour);
        let mut writer = encoder.write_header().unwrap();
        for (kind, data) in chunks {
            writer.write_chunk(png::chunk::ChunkType(*kind), data).unwrap();
        }
        writer.write_image_data(&vec![200; 4 * colour.samples()]).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// What an independent reader finds.
    fn info(png: &[u8]) -> png::Info<'static> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        reader.info().clone()
    }

    #[test]
    fn colour_space_resolution_and_texts_are_copied() {
        let dpi = [11_811_u32.to_be_bytes(), 11_811_u32.to_be_bytes()].concat();
        let from = png(
            png::ColorType::Rgb,
            &[
                (*b"gAMA", &100_000_u32.to_be_bytes()),
                (*b"pHYs", &[&dpi[..], &[1]].concat()),
                (*b"tEXt", b"Copyright\0Ada"),
                (*b"tEXt", b"parameters\0old"),
                (*b"tIME", &[7, 226, 1, 1, 0, 0, 0]),
            ],
        );
        // This copy says that it is in sRGB.
        let mut copy = Vec::new();
        let mut encoder = png::Encoder::new(&mut copy, 2, 2);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&[9; 16]).unwrap();
        writer.finish().unwrap();

        let metadata = Metadata::read(&from).without_texts(&["parameters"]);
        let info = info(&metadata.insert_into(copy));
        assert_eq!((info.srgb, info.gama_chunk.unwrap().into_scaled()), (None, 100_000));
        assert_eq!(info.pixel_dims.unwrap().xppu, 11_811);
        let texts = info.uncompressed_latin1_text.iter();
        let texts = texts.map(|text| (text.keyword.as_str(), text.text.as_str()));
        assert_eq!(texts.collect::<Vec<_>>(), [("Copyright", "Ada")]);
    }

    #[test]
    fn a_profile_for_grey_is_lost_and_reported() {
        let profile = (*b"iCCP", b"grey\0\0x".as_slice());
        let grey = Metadata::read(&png(png::ColorType::Grayscale, &[profile]));
        assert!(grey.has_lost_profile() && grey.chunks.is_empty());
        let colour = Metadata::read(&png(png::ColorType::Rgb, &[profile]));
        assert!(!colour.has_lost_profile() && colour.chunks.len() == 1);
    }

    #[test]
    fn animations_and_private_chunks_are_reported() {
        let frames = [[0, 0, 0, 2], [0; 4]].concat();
        let layers = (*b"mkBT", b"layers".as_slice());
        let time = (*b"tIME", [7, 226, 1, 1, 0, 0, 0].as_slice());
        let private = Metadata::read(&png(png::ColorType::Rgb, &[layers, time, layers]));
        assert_eq!(
            (private.lost_chunks(), private.is_animated()),
            (&["mkBT".to_owned()][..], false)
        );
        let animation = Metadata::read(&png(png::ColorType::Rgb, &[(*b"acTL", &frames)]));
        assert!(animation.is_animated() && animation.lost_chunks().is_empty());
    }

    #[test]
    fn damaged_files_do_not_matter() {
        let whole = png(png::ColorType::Rgb, &[(*b"tEXt", b"Copyright\0Ada")]);
        let copy = png(png::ColorType::Rgba, &[]);
        for end in 0..whole.len() {
            let _ = info(&Metadata::read(&whole[..end]).insert_into(copy.clone()));
            let mut damaged = whole.clone();
            damaged[end] ^= 0x55;
            let _ = info(&Metadata::read(&damaged).insert_into(copy.clone()));
        }
    }
}
