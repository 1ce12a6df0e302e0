//! Why a command stopped.

use std::{io, path::PathBuf};

use bevy_illustrator::{
    art::ArtError,
    diffusion::DiffusionError,
    generator::GenerateError,
    project::ProjectError,
    story::{check::StoryFault, ron_file::RonStoryError},
};

use crate::output::count;

/// Why a command stopped; printed on stderr.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The story file cannot be read.
    #[error(transparent)]
    Story(#[from] RonStoryError),
    /// The story reads well and is wrong all the same.
    #[error("{path} has {}:{}", count(.faults.len(), "fault"), lines(.faults))]
    Faults {
        /// The story file.
        path: PathBuf,
        /// What is wrong.
        faults: Vec<StoryFault>,
    },
    /// The art folder refused.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// The project refused.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The model refused.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// Drawing refused.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A model that cannot run.
    #[error("{path} cannot run here:{}", lines(.obstacles))]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// What keeps it from running.
        obstacles: Vec<bevy_illustrator::models::inspect::Obstacle>,
    },
    /// Some pictures were not drawn.
    #[error("{} failed:{}", count(.0.iter().map(|f| f.shots.len()).sum(), "picture"), lines(.0))]
    Pictures(Vec<FailedShots>),
    /// A file that the command line names.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// `read`, `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The noise file holds no noise.
    #[error("{path}: {message}")]
    Noise {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The hub gave nothing.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] bevy_illustrator::models::hub::HubError),
    /// Nobody said yes.
    #[cfg(feature = "hub")]
    #[error("nothing was downloaded: answer with `y`, or give --yes")]
    NotAgreed,
    /// Results cannot be printed.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Shots that failed for one reason.
#[derive(Debug)]
pub(crate) struct FailedShots {
    /// The reason.
    pub(crate) error: String,
    /// The shots.
    pub(crate) shots: Vec<String>,
}

impl std::fmt::Display for FailedShots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.shots.join(", "), self.error)
    }
}

impl Failure {
    /// A failure on a file that the command line names.
    pub(crate) fn file(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}

/// One thing a line, indented.
fn lines<T: ToString>(things: &[T]) -> String {
    things.iter().map(|thing| format!("\n  {}", thing.to_string())).collect()
}
