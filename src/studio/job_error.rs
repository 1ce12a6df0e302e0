//! Why a job failed.

use crate::{art::ArtError, generator::GenerateError, recipe::Size};

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The model could not be loaded, or it failed to draw.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The art folder could not be read, or the finished picture could not be written.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// The generator returned a picture of the wrong size.
    #[error(
        "the generator of {model} returned {got} pixels instead of {expected}: correct the generator"
    )]
    Size {
        /// The model that the recipe names.
        model: String,
        /// The size of the picture.
        got: Size,
        /// The size in the recipe.
        expected: Size,
    },
    /// The job failed in an earlier run of the program. Only the message is known.
    #[error("{0}")]
    Earlier(String),
}
