//! Copies of pictures: files that differ only in when and how fast they were drawn.

use std::io::Cursor;

use image::RgbaImage;

use super::{
    Provenance,
    picture_file::{self, Attachments},
};
use crate::picture::Undecoded;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Whether two files of takes have the same picture, so that one of them can be removed: equal size, depth and pixels,
/// equal recipes and models, and equal chunks that this program does not write. A second frame or a colour profile makes
/// a difference, and so does a text that says more than the provenance, whatever its keyword.
pub(super) fn is_copy(one: &[u8], other: &[u8]) -> bool {
    one == other
        || contents(one).is_some_and(|contents_of_one| Some(contents_of_one) == contents(other))
            && pixels(one).is_some_and(|image| Some(image) == pixels(other))
}

/// The provenance of a picture, without the fields that differ when it is drawn again, and its other chunks, without
/// pixels. Texts are left out if this program writes the same ones for the provenance, and each of them once: other texts
/// may be by an author, another program or a newer version.
fn contents(png: &[u8]) -> Option<(Provenance, Vec<&[u8]>)> {
    let file = picture_file::read(Cursor::new(png)).ok()?;
    let provenance = Provenance::try_from(file).ok()?;
    let written =
        picture_file::encode(&RgbaImage::new(1, 1), &provenance, &Attachments::default()).ok()?;
    let mut texts = chunks(&written)?;
    texts.retain(|chunk| matches!(kind(chunk), b"iTXt" | b"tEXt"));
    let mut others = chunks(png)?;
    others.retain(|chunk| match texts.iter().position(|text| text == chunk) {
        Some(at) => {
            texts.swap_remove(at);
            false
        }
        None => kind(chunk) != b"IDAT",
    });
    let provenance = Provenance {
        // Older versions do not write them.
        losses: Vec::new(),
        number: 0,
        made: 0,
        took_ms: 0,
        program: String::new(),
        ..provenance
    };
    Some((provenance, others))
}

/// The chunks of a PNG, and what comes after the last one.
fn chunks(png: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = png.strip_prefix(SIGNATURE)?;
    let mut chunks = Vec::new();
    loop {
        let (length, _) = rest.split_first_chunk()?;
        // Length, type, data and checksum.
        let whole = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(12)?;
        let (chunk, after) = rest.split_at_checked(whole)?;
        chunks.push(chunk);
        rest = after;
        if kind(chunk) == b"IEND" {
            chunks.push(rest);
            return Some(chunks);
        }
    }
}

/// The type of a chunk. Empty for data after the last chunk.
fn kind(chunk: &[u8]) -> &[u8] {
    chunk.get(4..8).unwrap_or_default()
}

/// The pixels in their own depth.
fn pixels(png: &[u8]) -> Option<image::DynamicImage> {
    Undecoded::open_png(png).and_then(Undecoded::unrotated).ok()
}
