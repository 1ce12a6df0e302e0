//! Errors of invalid edits.

use crate::{
    mask::{Area, MaskError},
    recipe::{CanvasError, PartEditError},
};

/// The reason why an edit is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The picture has changed since the edit was made.
    #[error("the picture has changed since this edit was made: mark the parts again")]
    OtherPicture,
    /// The canvas does not suit the picture.
    #[error(transparent)]
    Canvas(#[from] CanvasError),
    /// A mask does not match the picture's size.
    #[error("part `{part}`: {source}")]
    Mask {
        /// Name of the part.
        part: String,
        /// The reason.
        source: MaskError,
    },
    /// The edit of a part has an invalid value.
    #[error("part `{part}`: {source}")]
    Part {
        /// Name of the part.
        part: String,
        /// The reason.
        source: PartEditError,
    },
    /// A scribble does not match the picture's size.
    #[error(
        "part `{part}`: the scribble is {}x{} pixels, the picture {}x{}: they must have the same size",
        .scribble.0, .scribble.1, .picture.0, .picture.1
    )]
    Scribble {
        /// Name of the part.
        part: String,
        /// Width and height of the scribble.
        scribble: (u32, u32),
        /// Width and height of the picture.
        picture: (u32, u32),
    },
    /// No pixel would change.
    #[error(
        "the edit changes nothing: every part is kept, empty, or covered by another; mark the pixels to change"
    )]
    Nothing,
    /// The crop is larger than the model supports.
    #[error(
        "the edit needs a crop of {crop}, but the model supports at most {max_side} pixels per side: change smaller parts, one after another"
    )]
    CropTooLarge {
        /// The crop, in pixels.
        crop: Area,
        /// The maximum side of the model, in pixels.
        max_side: u32,
    },
    /// The requested crop leaves out changed pixels.
    #[error(
        "the requested crop {crop} does not contain all changed pixels, {changed}: enlarge it, or leave it out"
    )]
    CropTooSmall {
        /// The requested crop, in pixels.
        crop: Area,
        /// The bounding box of all changed pixels.
        changed: Area,
    },
}
