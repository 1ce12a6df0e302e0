//! What a PNG contains besides pixels: colour space, resolution, EXIF data and texts.

use std::{borrow::Cow, collections::BTreeSet};

use image::{ImageFormat, guess_format};

use super::{Undecoded, exif};

/// The length of the signature and the IHDR chunk, which every PNG begins with.
const HEADER: usize = 8 + 25;
/// The length of a chunk without its data: length, type and checksum.
const FRAME: usize = 12;

/// Chunks that say how the values of pixels are shown.
const COLOUR: [&[u8; 4]; 5] = [b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP"];
/// Other chunks that are kept.
const KEPT: [&[u8; 4]; 5] = [b"pHYs", b"eXIf", b"tEXt", b"zTXt", b"iTXt"];

/// Chunks of which a copy has its own: those of the pixels, and those that say how they are stored.
const OWN: [&[u8; 4]; 6] = [b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"sBIT", b"hIST"];
/// The chunks of an animation.
const ANIMATION: [&[u8; 4]; 3] = [b"acTL", b"fcTL", b"fdAT"];

/// The chunks of a PNG that an edited copy keeps: the colour space (`iCCP`, `gAMA`, `cHRM`, `sRGB`, `cICP`), the
/// resolution (`pHYs`), texts, and EXIF data without the orientation and without previews of the picture before the edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Whole chunks, each with its length and checksum.
    chunks: Vec<Vec<u8>>,
    lost_profile: bool,
    lost_chunks: BTreeSet<[u8; 4]>,
    has_more_data: bool,
    is_animated: bool,
    is_converted: bool,
}

impl Metadata {
    /// Reads the chunks of a PNG. The colour profile and the EXIF data of a JPEG or WebP file become such chunks. Damaged
    /// chunks are lost.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let is_animated = match guess_format(bytes) {
            Ok(ImageFormat::Jpeg) => false,
            // The second flag of the extended header (RFC 9649, 2.7).
            Ok(ImageFormat::WebP) => {
                bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|it| it & 2 != 0)
            }
            _ => return Self::of_png(bytes),
        };
        let converted = Self { is_animated, is_converted: true, ..Self::default() };
        let read = Undecoded::open(bytes).and_then(|mut picture| picture.profile_and_exif());
        let Ok([profile, exif]) = read else { return converted };
        // The copy is in RGB. A profile for grey or CMYK does not apply to it (ICC.1:2022, 7.2.8).
        let is_of_rgb = |profile: &Vec<u8>| profile.get(16..20) == Some(b"RGB ");
        let lost_profile = profile.as_ref().is_some_and(|profile| !is_of_rgb(profile));
        let png = pixel_with(profile.filter(is_of_rgb), exif).unwrap_or_default();
        let Self { chunks, lost_chunks, .. } = Self::of_png(&png);
        Self { chunks, lost_chunks, lost_profile, ..converted }
    }

    fn of_png(png: &[u8]) -> Self {
        let mut found = Self::default();
        // Colour type 0 is grey, 4 is grey with alpha (PNG specification, third edition, 11.2.1).
        let is_grey = matches!(png.get(25), Some(0 | 4));
        let mut rest = png.get(HEADER..).unwrap_or_default();
        while let Some(length) = chunk_length(rest) {
            let (chunk, after) = rest.split_at(length);
            rest = after;
            let kind = [chunk[4], chunk[5], chunk[6], chunk[7]];
            let is_in = |kinds: &[&[u8; 4]]| kinds.contains(&&kind);
            if kind == *b"IEND" {
                break;
            }
            if is_grey && kind == *b"iCCP" {
                // The copy is in RGB. A profile for grey does not apply to it.
                found.lost_profile = true;
            } else if is_in(&ANIMATION) {
                found.is_animated = true;
            } else if (is_in(&COLOUR) || is_in(&KEPT))
                && let Some(chunk) = of_copy(chunk)
            {
                // EXIF data may have only an orientation.
                if chunk.len() > FRAME {
                    found.chunks.push(chunk.into_owned());
                }
            } else if !is_in(&OWN) && kind != *b"tIME" {
                // The time of the last change does not apply to a copy.
                found.lost_chunks.insert(kind);
            }
        }
        found.has_more_data = !rest.is_empty();
        found
    }

    /// Whether the file has a colour profile for grey or CMYK, which a copy in RGB cannot keep.
    #[must_use]
    pub fn has_lost_profile(&self) -> bool {
        self.lost_profile
    }

    /// The names of the chunks that a copy does not keep, because they may describe pixels that an edit changes: private
    /// ones, in which other programs store layers, for example, rare public ones, and damaged ones.
    #[must_use]
    pub fn lost_chunks(&self) -> &BTreeSet<[u8; 4]> {
        &self.lost_chunks
    }

    /// Whether the file continues after the end of the picture. A copy does not keep that data.
    #[must_use]
    pub fn has_more_data(&self) -> bool {
        self.has_more_data
    }

    /// Whether the PNG has a text under this keyword.
    #[must_use]
    pub fn has_text(&self, keyword: &str) -> bool {
        self.chunks.iter().any(|chunk| self::keyword(chunk) == Some(keyword.as_bytes()))
    }

    /// The metadata with the texts that `other` has under `keyword`, under the keyword `new` (from 1 to 79 letters of
    /// ASCII).
    #[must_use]
    pub fn with_text_of(mut self, other: &Self, keyword: &str, new: &str) -> Self {
        let is_found = |chunk: &&Vec<u8>| self::keyword(chunk) == Some(keyword.as_bytes());
        let found = other.chunks.iter().filter(is_found);
        self.chunks.extend(found.filter_map(|chunk| renamed(chunk, keyword, new)));
        self
    }

    /// Whether the file is an animation (APNG or WebP), of which only the first frame is decoded.
    #[must_use]
    pub fn is_animated(&self) -> bool {
        self.is_animated
    }

    /// Whether the file is a JPEG or WebP file. A copy keeps its colour profile and EXIF data, and nothing else.
    #[must_use]
    pub fn is_converted(&self) -> bool {
        self.is_converted
    }

    /// The metadata without the texts under these keywords.
    #[must_use]
    pub fn without_texts(mut self, keywords: &[&str]) -> Self {
        self.chunks.retain(|chunk| {
            !keyword(chunk).is_some_and(|it| keywords.iter().any(|other| other.as_bytes() == it))
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

/// A PNG of one pixel with this colour profile and EXIF data.
fn pixel_with(
    profile: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
) -> Result<Vec<u8>, png::EncodingError> {
    let mut info = png::Info::with_size(1, 1);
    info.color_type = png::ColorType::Rgb;
    info.icc_profile = profile.map(Cow::Owned);
    info.exif_metadata = exif.map(Cow::Owned);
    let mut png = Vec::new();
    let mut writer = png::Encoder::with_info(&mut png, info)?.write_header()?;
    writer.write_image_data(&[0; 3])?;
    writer.finish()?;
    Ok(png)
}

/// The length of the chunk that `bytes` begin with, with its frame. `None` if it is not complete.
fn chunk_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    let length = usize::try_from(length).ok()?.checked_add(FRAME)?;
    (length <= bytes.len()).then_some(length)
}

/// The keyword of a text. `None` if the chunk is none.
fn keyword(chunk: &[u8]) -> Option<&[u8]> {
    let is_text = [b"tEXt", b"zTXt", b"iTXt"].iter().any(|kind| chunk[4..8] == **kind);
    if is_text { chunk[8..chunk.len() - 4].split(|&byte| byte == 0).next() } else { None }
}

/// A text under another keyword. `None` if the chunk would be too long.
fn renamed(chunk: &[u8], keyword: &str, new: &str) -> Option<Vec<u8>> {
    let text = &chunk[8 + keyword.len()..chunk.len() - 4];
    framed(&chunk[4..8], &[new.as_bytes(), text].concat())
}

/// A chunk of this kind, with its length and checksum. `None` if it would be too long.
fn framed(kind: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(data.len()).ok()?;
    let covered = [kind, data].concat();
    let sum = crc32fast::hash(&covered).to_be_bytes();
    Some([&length.to_be_bytes()[..], &covered, &sum].concat())
}

/// Whether the checksum of a chunk is right.
fn is_whole(chunk: &[u8]) -> bool {
    let (covered, sum) = chunk[4..].split_at(chunk.len() - 8);
    crc32fast::hash(covered).to_be_bytes() == *sum
}

/// The chunk for a copy with other pixels. `None` if it is damaged, or may contain a preview of the pixels.
fn of_copy(chunk: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !is_whole(chunk) || has_preview(chunk) {
        return None;
    }
    if chunk[4..8] != *b"eXIf" {
        return Some(chunk.into());
    }
    framed(b"eXIf", &exif::of_copy(&chunk[8..chunk.len() - 4])?).map(Cow::Owned)
}

/// Whether a text may contain a preview: metadata in the encoding of `ImageMagick`, and XMP with thumbnails.
fn has_preview(chunk: &[u8]) -> bool {
    let is_readable = chunk[4..8] == *b"iTXt" && {
        // The flag of compression follows the keyword and its 0 (PNG specification, third edition, 11.3.3.4).
        let flag = keyword(chunk).map(|keyword| 8 + keyword.len() + 1);
        flag.and_then(|at| chunk.get(at)) == Some(&0)
    };
    let has_thumbnails = || chunk.windows(9).any(|it| it == b"Thumbnail");
    match keyword(chunk) {
        Some(b"XML:com.adobe.xmp") => !is_readable || has_thumbnails(),
        Some(keyword) => keyword.starts_with(b"Raw profile type"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use ::exif::{Field, In, Tag, Value, experimental::Writer};
    use image::metadata::Orientation;

    use super::*;
    use crate::picture::tests::fixture;

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
    fn the_profile_and_the_upright_exif_data_of_a_jpeg_or_webp_file_are_copied() {
        let copy = |name: &str| {
            let metadata = Metadata::read(&fixture(name));
            (info(&metadata.insert_into(png(png::ColorType::Rgb, &[]))), metadata)
        };
        for name in ["rotated.jpg", "rotated.webp"] {
            let (info, metadata) = copy(name);
            assert!(!metadata.has_lost_profile() && metadata.lost_chunks().is_empty(), "{name}");
            let profile = info.icc_profile.unwrap();
            assert_eq!((profile.len(), &profile[16..20]), (588, b"RGB ".as_slice()), "{name}");
            let exif = info.exif_metadata.unwrap();
            assert!(exif.windows(3).any(|it| it == b"Ada"), "{name}");
            assert_eq!(Orientation::from_exif_chunk(&exif), None, "{name}");
        }
        let (info, metadata) = copy("cmyk.jpg");
        assert!(info.icc_profile.is_none() && metadata.has_lost_profile());
    }

    #[test]
    fn a_copy_has_no_preview_of_the_picture_before_the_edit() {
        let text = |tag, text: &str| Field {
            tag,
            ifd_num: In::PRIMARY,
            value: Value::Ascii(vec![text.as_bytes().to_vec()]),
        };
        let (artist, note) = (text(Tag::Artist, "Ada"), Tag::MakerNote);
        let note = Field { value: Value::Undefined(b"preview".to_vec(), 0), tag: note, ..artist };
        let artist = text(Tag::Artist, "Ada");
        let mut writer = Writer::new();
        writer.push_field(&artist);
        writer.push_field(&note);
        writer.set_jpeg(b"preview", In::THUMBNAIL);
        let mut exif = std::io::Cursor::new(Vec::new());
        writer.write(&mut exif, true).unwrap();
        let exif = exif.into_inner();
        let count = |bytes: &[u8]| bytes.windows(7).filter(|it| *it == b"preview").count();
        assert_eq!(count(&exif), 2);

        let xmp = b"XML:com.adobe.xmp\0\0\0\0\0<xmp:Thumbnails>preview</xmp:Thumbnails>";
        let rights = b"XML:com.adobe.xmp\0\0\0\0\0<dc:rights>Ada</dc:rights>";
        let chunks: [([u8; 4], &[u8]); 4] = [
            (*b"eXIf", &exif),
            (*b"iTXt", xmp),
            (*b"iTXt", rights),
            (*b"tEXt", b"Raw profile type exif\0preview"),
        ];
        let metadata = Metadata::read(&png(png::ColorType::Rgb, &chunks));
        let copy = metadata.insert_into(png(png::ColorType::Rgb, &[]));
        assert_eq!(count(&copy), 0);
        let info = info(&copy);
        assert!(info.exif_metadata.unwrap().windows(3).any(|it| it == b"Ada"));
        assert_eq!(info.utf8_text.len(), 1);
        assert_eq!(metadata.lost_chunks().iter().collect::<Vec<_>>(), [b"iTXt", b"tEXt"]);
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
    fn animations_and_chunks_that_are_not_kept_are_reported() {
        let frames = [[0, 0, 0, 2], [0; 4]].concat();
        let layers = (*b"mkBT", b"layers".as_slice());
        let time = (*b"tIME", [7, 226, 1, 1, 0, 0, 0].as_slice());
        let private = Metadata::read(&png(png::ColorType::Rgb, &[layers, time, layers]));
        assert_eq!(private.lost_chunks(), &BTreeSet::from([*b"mkBT"]));
        assert!(!private.is_animated() && !private.has_more_data());
        // Chunks of the specification that tell of pixels, and a text with a wrong checksum.
        let public: [([u8; 4], &[u8]); 4] =
            [(*b"oFFs", &[0; 9]), (*b"bKGD", &[0; 6]), (*b"sBIT", &[8; 3]), (*b"tEXt", b"a\0b")];
        let mut public = png(png::ColorType::Rgb, &public);
        let at = public.windows(4).position(|kind| kind == b"tEXt").unwrap();
        public[at + 4] ^= 1;
        let lost = BTreeSet::from([*b"oFFs", *b"bKGD", *b"tEXt"]);
        assert_eq!(Metadata::read(&public).lost_chunks(), &lost);
        let animation = Metadata::read(&png(png::ColorType::Rgb, &[(*b"acTL", &frames)]));
        assert!(animation.is_animated() && animation.lost_chunks().is_empty());
    }

    #[test]
    fn data_after_the_end_of_the_picture_is_reported() {
        let layers = png(png::ColorType::Rgb, &[(*b"mkBT", b"layers")]);
        for more in [&b"x"[..], &[0; 12], &layers] {
            let file = [png(png::ColorType::Rgb, &[]), more.to_vec()].concat();
            let metadata = Metadata::read(&file);
            assert!(metadata.has_more_data() && metadata.lost_chunks().is_empty());
        }
    }

    #[test]
    fn many_names_of_chunks_are_read_in_seconds() {
        let letter = |n: usize| b"abcdefghijklmnopqrstuvwxyz"[n % 26];
        let from = png(png::ColorType::Rgb, &[]);
        let mut file = from[..HEADER].to_vec();
        for n in 0..80_000 {
            let name = [letter(n), letter(n / 26), letter(n / 676), letter(n / 17_576)];
            file.extend([[0; 4], name, [0; 4]].concat());
        }
        file.extend(&from[HEADER..]);
        let began = std::time::Instant::now();
        assert_eq!(Metadata::read(&file).lost_chunks().len(), 80_000);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[test]
    fn a_text_is_copied_under_another_keyword() {
        let from =
            png(png::ColorType::Rgb, &[(*b"tEXt", b"parameters\0a fox"), (*b"tEXt", b"A\0b")]);
        let all = Metadata::read(&from);
        assert!(all.has_text("parameters") && !all.has_text("a fox"));
        let copy =
            all.clone().without_texts(&["parameters"]).with_text_of(&all, "parameters", "old");
        let info = info(&copy.insert_into(png(png::ColorType::Rgba, &[])));
        let texts = info.uncompressed_latin1_text.iter();
        let texts = texts.map(|text| (text.keyword.as_str(), text.text.as_str()));
        assert_eq!(texts.collect::<Vec<_>>(), [("A", "b"), ("old", "a fox")]);
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
