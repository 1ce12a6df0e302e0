//! What is wrong with an edit.

use crate::{
    mask::{Area, MaskError},
    recipe::part::PartEditError,
};

/// Why a picture cannot be edited as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The picture is not the one that the edit was made for.
    #[error(
        "the picture is not the one that this edit was made for: it has changed since; mark the parts anew"
    )]
    OtherPicture,
    /// A mask does not fit.
    #[error("part `{part}`: {source}")]
    Mask {
        /// The part's name.
        part: String,
        /// What is wrong.
        source: MaskError,
    },
    /// The edit of a part makes no sense.
    #[error("part `{part}`: {source}")]
    Part {
        /// The part's name.
        part: String,
        /// What is wrong.
        source: PartEditError,
    },
    /// A rough shape that does not fit.
    #[error(
        "part `{part}`: the scribble is {}x{} pixels, the picture {}x{}: they must have the same size",
        .scribble.0, .scribble.1, .picture.0, .picture.1
    )]
    Scribble {
        /// The part's name.
        part: String,
        /// Its width and height.
        scribble: (u32, u32),
        /// Those of the picture.
        picture: (u32, u32),
    },
    /// All masks are empty, or all that is in them is kept.
    #[error(
        "nothing would change: every part is kept, empty, or hidden below another; mark what is to change"
    )]
    Nothing,
    /// The context box is too large.
    #[error(
        "the model would have to see {context} at once, and sees {most} pixels a side at most: change smaller parts, one after another"
    )]
    TooMuch {
        /// The box.
        context: Area,
        /// Pixels along a side.
        most: u32,
    },
    /// The context box is too small.
    #[error(
        "the context box {context} does not hold what changes, {changed}: make it larger, or leave it out"
    )]
    Context {
        /// The box that was asked for.
        context: Area,
        /// What must be in it.
        changed: Area,
    },
}
