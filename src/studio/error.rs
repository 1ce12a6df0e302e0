//! The errors of a studio.

use std::io;

use crate::{art::ArtError, generator::GenerateError};

/// The error of a failed job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The model could not be loaded, or it failed to draw.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The art folder could not be read, or the finished picture could not be written.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// Saving the finished picture panicked, or another part of the job outside of the generator.
    #[error("the job panicked, please report this bug: {0}")]
    Panicked(String),
    /// The thread that draws has ended, so that no job can be drawn.
    #[error(
        "the thread that draws has ended, please report this bug: restart this program to draw"
    )]
    WorkerEnded,
    /// The job failed in an earlier run of the program. Only the message is known.
    #[error("{0}")]
    Earlier(String),
}

/// An error of starting a studio.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The saved queue cannot be read at the moment. It is not replaced.
    #[error(transparent)]
    Queue(#[from] ArtError),
    /// A thread could not be started.
    #[error("cannot start a thread of the studio: {0}")]
    Thread(#[from] io::Error),
}
