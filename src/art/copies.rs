//! Copies of pictures: files that differ only in when and how fast they were drawn.

use std::io::Cursor;

use super::{
    Provenance,
    picture_file::{self, KEYWORD, PARAMETERS},
};
use crate::picture::Undecoded;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Whether two files of takes have the same picture, so that one of them can be removed: equal size, depth and pixels,
/// equal recipes and models, and equal chunks that this program does not write. A second frame or a colour profile makes
/// a difference.
pub(super) fn is_copy(one: &[u8], other: &[u8]) -> bool {
    one == other
        || chunks(one).is_some_and(|chunks_of_one| Some(chunks_of_one) == chunks(other))
            && provenance(one).is_some_and(|origin| Some(origin) == provenance(other))
            && pixels(one).is_some_and(|image| Some(image) == pixels(other))
}

/// The chunks of a PNG without pixels and without the texts that follow from the provenance, and what comes after the
/// last one.
fn chunks(png: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = png.strip_prefix(SIGNATURE)?;
    let mut chunks = Vec::new();
    loop {
        let (length, _) = rest.split_first_chunk()?;
        // Length, type, data and checksum.
        let whole = usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(12)?;
        let (chunk, after) = rest.split_at_checked(whole)?;
        let (kind, data) = (&chunk[4..8], &chunk[8..]);
        let is_text = |keyword: &str| {
            let after = data.strip_prefix(keyword.as_bytes());
            matches!(kind, b"iTXt" | b"tEXt") && after.is_some_and(|data| data.starts_with(&[0]))
        };
        if kind != b"IDAT" && !is_text(KEYWORD) && !is_text(PARAMETERS) {
            chunks.push(chunk);
        }
        rest = after;
        if kind == b"IEND" {
            chunks.push(rest);
            return Some(chunks);
        }
    }
}

/// The provenance of a picture, without the fields that differ when it is drawn again.
fn provenance(png: &[u8]) -> Option<Provenance> {
    let file = picture_file::read(Cursor::new(png)).ok()?;
    let provenance = Provenance::try_from(file).ok()?;
    Some(Provenance { number: 0, made: 0, took_ms: 0, program: String::new(), ..provenance })
}

/// The pixels in their own depth.
fn pixels(png: &[u8]) -> Option<image::DynamicImage> {
    Undecoded::open(png).and_then(Undecoded::unrotated).ok()
}
