//! EXIF data of edited pictures.

use std::io::Cursor;

use exif::{Field, In, Reader, Tag, Value, experimental::Writer};

/// EXIF data (the TIFF part, without a header of JPEG) for an edited copy of a picture: the fields of the EXIF standard
/// about the picture itself. `None` if it cannot be read, and empty if there are none.
///
/// The orientation is left out, because the copy is upright. So is everything that may contain a preview of the picture
/// before the edit: the thumbnail, the maker note, and fields of other programs.
pub(super) fn of_copy(exif: &[u8]) -> Option<Vec<u8>> {
    let exif = Reader::new().read_raw(exif.to_vec()).ok()?;
    let mut writer = Writer::new();
    let mut kept = exif.fields().filter(|field| is_kept(field)).peekable();
    if kept.peek().is_none() {
        return Some(Vec::new());
    }
    kept.for_each(|field| writer.push_field(field));
    let mut copy = Cursor::new(Vec::new());
    writer.write(&mut copy, exif.little_endian()).ok()?;
    Some(copy.into_inner())
}

fn is_kept(field: &Field) -> bool {
    let is_of_standard =
        field.tag.description().is_some() && !matches!(field.value, Value::Unknown(..));
    let is_kept = ![Tag::Orientation, Tag::MakerNote].contains(&field.tag);
    field.ifd_num == In::PRIMARY && is_of_standard && is_kept
}
