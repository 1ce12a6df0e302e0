//! Why a command stopped.

use std::{io, path::PathBuf, sync::Arc};

use bevy_illustrator::{
    art::ArtError,
    diffusion::DiffusionError,
    generator::GenerateError,
    mask::sam::SamError,
    project::ProjectError,
    story::{check::StoryFault, format::StoryError},
};

use crate::output::count;

/// Why a command stopped; printed on stderr.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The story file cannot be read.
    #[error(transparent)]
    Story(#[from] StoryError),
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
    /// The project refused an action.
    #[error(transparent)]
    Action(#[from] Arc<ProjectError>),
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
        obstacles: Vec<bevy_illustrator::model::inspect::Obstacle>,
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
    /// A file that the command line names is no picture.
    #[error("{path} is no picture: {source}: give a PNG")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: image::ImageError,
    },
    /// More bits than are kept.
    #[error("{path} has {bits} bits for each channel: save it with 8, as a game shows it")]
    Bits {
        /// The file.
        path: PathBuf,
        /// How many.
        bits: u16,
    },
    /// MobileSAM refused.
    #[error(transparent)]
    Sam(#[from] SamError),
    /// A point that the command line names lies elsewhere.
    #[error(
        "{},{} lies outside the picture of {}x{} pixels", .point.0, .point.1, .picture.0, .picture.1
    )]
    Outside {
        /// Column and row.
        point: (u32, u32),
        /// Width and height.
        picture: (u32, u32),
    },
    /// A mask cannot be written.
    #[error(transparent)]
    Mask(#[from] bevy_illustrator::mask::MaskError),
    /// The file of edits is none.
    #[error(transparent)]
    EditFile(#[from] bevy_illustrator::recipe::edit_file::EditFileError),
    /// The noise file holds no noise.
    #[error("{path}: {message}")]
    Noise {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A picture that does not say how it was drawn.
    #[error("{path} cannot be drawn again: {source}")]
    NoRecipe {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: bevy_illustrator::art::picture_file::PictureError,
    },
    /// An edit without what it was made of.
    #[error("{path} is an edit of a picture that is not there: name it with --parent FILE.png")]
    NoParent {
        /// The file.
        path: PathBuf,
    },
    /// The hub gave nothing.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] bevy_illustrator::model::hub::HubError),
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
