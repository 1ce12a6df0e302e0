//! What is wrong with a request.

use super::{MAX_SIDE, MIN_SIDE};
use crate::recipe::Size;

/// Why a picture cannot be drawn as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrawError {
    /// Too small or too large.
    #[error("a picture of {0} cannot be drawn: its sides must be {MIN_SIDE} to {MAX_SIDE} pixels")]
    Size(Size),
    /// Not a number, or below 0.
    #[error("guidance {0} cannot be used: it must be a number from 0 on, such as 7.5")]
    Guidance(f32),
    /// Not a number, or not in 0..=1.
    #[error("guidance cannot be rescaled by {0}: it must be a number from 0 to 1, such as 0.7")]
    GuidanceRescale(f32),
    /// Starting noise for another size or another model.
    #[error(
        "the starting noise has the shape {found:?}, but {size} pixels on this model take \
         {expected:?} (batch, channels, height, width)"
    )]
    Noise {
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it should have.
        expected: [usize; 4],
        /// The size asked for.
        size: Size,
    },
    /// The network left what can be counted with.
    #[error(
        "the network answered with numbers that are not finite: the weights, the starting noise \
         or a very high guidance may be to blame"
    )]
    NotFinite,
}
