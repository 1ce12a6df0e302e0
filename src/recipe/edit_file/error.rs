//! The errors of edit files.

use std::{io, path::PathBuf};

use super::{MAX_BYTES, MAX_IMAGES, MAX_PARTS};
use crate::{
    lfs::LfsPointer,
    mask::MaskError,
    picture::{DecodeError, TooManyPixels},
    recipe::{CanvasError, InspirationError, LossError, MAX_TEXT_LENGTH, PartEditError, Size},
};

/// An error of an edit file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditFileError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// A mask or scribble is outside the folder of the edit file, or a link that leads out of it. It is not read: the
    /// result contains the pixels, and the edit file may be that of a stranger.
    #[error("{path} is not in the folder of the edit file: copy it there, and name the copy")]
    Outside {
        /// The file.
        path: PathBuf,
    },
    /// The canvas does not suit the picture.
    #[error(transparent)]
    Canvas(#[from] CanvasError),
    /// The text cannot be parsed.
    #[error("{path}:{line}:{column}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The error of the RON parser.
        message: String,
    },
    /// A text is too long for a prompt.
    #[error("{path}: `{field}` has {bytes} bytes: shorten it to at most {MAX_TEXT_LENGTH}")]
    LongText {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// The length in bytes.
        bytes: usize,
    },
    /// It has more than [`MAX_PARTS`].
    #[error(
        "the edit has {parts} parts, more than the {MAX_PARTS} that can be edited at once: \
         divide it into several edits"
    )]
    TooManyParts {
        /// The number of parts.
        parts: usize,
    },
    /// It refers to more than [`MAX_IMAGES`].
    #[error(
        "the inspirations and losses of the edit refer to more than {MAX_IMAGES} images: \
         divide it into several edits"
    )]
    TooManyImages,
    /// The image of an inspiration or a loss cannot be decoded.
    #[error("{path} is not a readable image: {source}: save it as a PNG")]
    Image {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: image::ImageError,
    },
    /// An inspiration of the whole picture has an invalid value.
    #[error(transparent)]
    Inspiration(#[from] InspirationError),
    /// A loss of the whole picture has an invalid value.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// A part has an invalid value.
    #[error("part `{part}`: {source}")]
    Part {
        /// Its name, or its number.
        part: String,
        /// The reason.
        source: PartEditError,
    },
    /// The masks, scribbles and images need too much memory.
    #[error(transparent)]
    Pixels(#[from] TooManyPixels),
    /// The masks and scribbles of all parts need too much memory.
    #[error(
        "{parts} parts of a picture of {}x{} pixels need more than {} MB: \
         divide the edit into several edits, or scale the picture down",
        .picture.width, .picture.height, MAX_BYTES / 1_000_000
    )]
    TooLarge {
        /// The number of parts.
        parts: usize,
        /// The size of the picture.
        picture: Size,
    },
    /// A mask cannot be decoded, or does not have the size of the picture.
    #[error("{path}: {source}")]
    Mask {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: MaskError,
    },
    /// A scribble cannot be decoded.
    #[error(
        "{path} is not a readable scribble: {source}: save it as a PNG, transparent where nothing is drawn"
    )]
    Scribble {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: image::ImageError,
    },
    /// A scribble does not have the size of the picture.
    #[error(
        "{path}: the scribble is {}x{} pixels, the picture {}x{}: they must have the same size",
        .scribble.0, .scribble.1, .picture.0, .picture.1
    )]
    ScribbleSize {
        /// The file.
        path: PathBuf,
        /// Width and height of the scribble.
        scribble: (u32, u32),
        /// Width and height of the picture.
        picture: (u32, u32),
    },
    /// A scribble or an image is too large, or is a Git LFS pointer.
    #[error("{path}: {source}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: DecodeError,
    },
    /// The edit file is a Git LFS pointer.
    #[error("{path}: {source}")]
    LfsPointer {
        /// The file.
        path: PathBuf,
        /// The error.
        source: LfsPointer,
    },
    /// A mask has no values but 0 and 1, so that the edit would be invisible.
    #[error("the mask {path} has no values but 0 and 1, and 255 is white: multiply them by 255")]
    ZeroAndOne {
        /// The file.
        path: PathBuf,
    },
    /// The file is a picture in colour with transparent pixels. Whether these are to change is unclear.
    #[error(
        "{path} is a picture with transparent pixels, not a mask: save a grey PNG, white where the picture may change"
    )]
    Hole {
        /// The file.
        path: PathBuf,
    },
    /// A part has neither a mask nor a scribble.
    #[error("part `{part}` has neither a mask nor a scribble: add one of them")]
    NoMask {
        /// Its name, or its number.
        part: String,
    },
}
