//! Helpers of unit tests.

mod copy_folder;

use std::path::Path;

use crate::recipe::{PartRecipe, PictureEdit};
use copy_folder::copy_folder;

/// Copies a folder of the repository, such as `assets/models/sketch`, to a temporary folder.
pub(crate) fn copy_of(folder: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), copy.path());
    copy
}

/// Creates a pipe that nobody writes to.
#[cfg(unix)]
pub(crate) fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// An edit of these parts of a picture that is not a take.
pub(crate) fn edit_of_parts(parts: Vec<PartRecipe>) -> PictureEdit {
    PictureEdit { parts, ..PictureEdit::default() }
}

/// A grey PNG of this size whose pixels are missing.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[]).unwrap();
    drop(writer);
    bytes
}
