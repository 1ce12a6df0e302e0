//! The errors of all commands.

use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc};

use bevy_illustrator::{
    art::ArtError,
    diffusion::DiffusionError,
    generator::GenerateError,
    mask::sam::SamError,
    picture::DecodeError,
    project::ProjectError,
    story::{check::StoryFault, format::StoryError},
};

use crate::output::{Format, count, print_error};

/// The most faults that are printed. A fault in each line of a generated file would fill the terminal.
pub(crate) const MAX_DETAILS: usize = 50;

/// The error of a command. [`Failure::print`] prints it on stderr.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The story file cannot be read.
    #[error(transparent)]
    Story(#[from] StoryError),
    /// The story file parses but has faults.
    #[error("{path} has {}:", count(.faults.len(), "fault"))]
    Faults {
        /// The story file.
        path: PathBuf,
        /// The faults.
        faults: Vec<StoryFault>,
    },
    /// The art folder cannot be used.
    #[error(transparent)]
    Art(#[from] ArtError),
    /// A project action failed.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The project refused an action.
    #[error(transparent)]
    Action(#[from] Arc<ProjectError>),
    /// Diffusion failed.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// Drawing failed.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The model cannot run.
    #[error("{path} cannot run:")]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// The reasons why it cannot run.
        obstacles: Vec<bevy_illustrator::model::inspect::Obstacle>,
    },
    /// Some pictures could not be drawn.
    #[error("{} failed:", count(FailedShots::count(.0), "picture"))]
    Pictures(Vec<FailedShots>),
    /// A file operation failed.
    #[error("cannot {what} {path}: {source}{}", what_to_do(what, .source))]
    File {
        /// The operation, such as `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Something other than a file is at an output path.
    #[error("cannot write {path}: it is a {kind}; name a file")]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// The kind of the file, such as `folder`.
        kind: &'static str,
    },
    /// The file at an output path is read-only.
    #[error("cannot write {path}: it is read-only; make it writable, or name another file")]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The command reads or writes the file at an output path for another purpose.
    #[error("cannot write {path}: this command {used} that file; name another one")]
    InUse {
        /// The file.
        path: PathBuf,
        /// The other use.
        used: Use,
    },
    /// The file at the path of `--dump` is not one that `--dump` wrote.
    #[error(
        "cannot write {path}: it is not an earlier dump, and may be the weights of a model; name another file"
    )]
    NoDump {
        /// The file.
        path: PathBuf,
    },
    /// A numbered output file, whose name was not given, exists.
    #[error("cannot write {path}: it exists; move it, or choose another --out or --dump")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The threads of the processor cannot be started.
    #[error("cannot start a thread: {0}; raise the limit of processes")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A finished file cannot be moved to its path.
    #[error(
        "cannot write {path}: {source}{}. The result is complete: it is {kept}", what_to_do("write", .source)
    )]
    Kept {
        /// The path.
        path: PathBuf,
        /// Where the file is.
        kept: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The settings of the user cannot be read or changed.
    #[error(transparent)]
    Settings(#[from] bevy_illustrator::settings::SettingsError),
    /// What a model predicts need not be remembered.
    #[error("what {path} predicts is not remembered: {reason}")]
    NotRemembered {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The output path does not have the extension of the format.
    #[error("cannot write {path}: {format}; name the file {instead}")]
    OtherFormat {
        /// The path.
        path: PathBuf,
        /// The format of the file.
        format: Format,
        /// The path with the right extension.
        instead: PathBuf,
    },
    /// A file is not a readable picture.
    #[error("{path} is not a readable picture: {source}; use a PNG, JPEG or WebP file")]
    Picture {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// A picture has too many pixels, or is a Git LFS pointer.
    #[error("{path}: {source}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: DecodeError,
    },
    /// The picture has more bits per channel than an edit preserves.
    #[error("{path} has {bits} bits per channel; save it with 8")]
    Bits {
        /// The file.
        path: PathBuf,
        /// Bits per channel.
        bits: u16,
    },
    /// The picture has several frames, of which an edit preserves one.
    #[error("{path} is an animation; save one of its frames as a PNG")]
    Animated {
        /// The file.
        path: PathBuf,
    },
    /// The result would replace a picture that has more than the result keeps.
    #[error("an edit of {path} does not keep {lost}; write the result to another file with --out")]
    InPlace {
        /// The picture.
        path: PathBuf,
        /// What the result does not keep.
        lost: String,
    },
    /// MobileSAM failed.
    #[error(transparent)]
    Sam(#[from] SamError),
    /// A point lies outside the picture.
    #[error(
        "the point {},{} lies outside the picture of {}x{} pixels", .point.0, .point.1, .picture.0, .picture.1
    )]
    Outside {
        /// Column and row.
        point: (u32, u32),
        /// Width and height.
        picture: (u32, u32),
    },
    /// A mask cannot be read or written.
    #[error(transparent)]
    Mask(#[from] bevy_illustrator::mask::MaskError),
    /// A map has no pixels.
    #[error(transparent)]
    Map(#[from] bevy_illustrator::recipe::BlobError),
    /// The edit file cannot be used.
    #[error(transparent)]
    EditFile(#[from] bevy_illustrator::recipe::edit_file::EditFileError),
    /// The noise file cannot be used.
    #[error("{path}: {message}")]
    Noise {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The picture's file has no readable recipe.
    #[error("cannot redraw {path}: {source}")]
    NoRecipe {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: bevy_illustrator::art::picture_file::PictureError,
    },
    /// A picture has no prompt in its file.
    #[error("{path} does not say what it shows: {source}; give --prompt")]
    NoPrompt {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: bevy_illustrator::art::picture_file::PictureError,
    },
    /// A picture of the recipe could not be read back.
    #[error(transparent)]
    Unwritable(#[from] bevy_illustrator::art::picture_file::EncodeError),
    /// The picture was resized after it was drawn.
    #[error(
        "{path} has {}x{} pixels, but its recipe draws {}x{}: it was resized after it was drawn",
        .was.0, .was.1, .is.0, .is.1
    )]
    OtherSize {
        /// The file.
        path: PathBuf,
        /// Width and height of the file.
        was: (u32, u32),
        /// Width and height of the redrawn picture.
        is: (u32, u32),
    },
    /// The parent of an edited picture is missing.
    #[error("{path} is an edit, and its parent was not found; give it with --parent FILE.png")]
    NoParent {
        /// The file.
        path: PathBuf,
    },
    /// The download failed.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] bevy_illustrator::model::hub::HubError),
    /// The question before a download or a removal was not answered with yes. The word is what was not done.
    #[cfg(feature = "hub")]
    #[error("nothing was {0}; answer `y` or give --yes to agree")]
    NotAgreed(&'static str),
    /// Ctrl-C or SIGTERM ended the command.
    #[error("stopped; finished pictures are kept, and the next run continues")]
    Stopped,
    /// Output cannot be written.
    #[error("cannot write the output: {}{}", .0, what_to_do("write", .0))]
    Output(#[from] io::Error),
}

/// A use of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// The command reads it.
    Read,
    /// The command writes it.
    Written,
    /// The command reads some of the files in the folder of the model, which are too many to list.
    MayBeRead,
}

impl std::fmt::Display for Use {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "also reads",
            Self::Written => "also writes",
            Self::MayBeRead => "may also read",
        })
    }
}

/// Shots that failed with the same error.
#[derive(Debug)]
pub(crate) struct FailedShots {
    /// The error.
    pub(crate) error: String,
    /// The shots.
    pub(crate) shots: Vec<String>,
}

impl FailedShots {
    /// The number of different shots.
    fn count(failed: &[Self]) -> usize {
        failed.iter().flat_map(|failed| &failed.shots).collect::<BTreeSet<_>>().len()
    }
}

impl std::fmt::Display for FailedShots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.shots.join(", "), self.error)
    }
}

impl Failure {
    /// Prints the error on stderr, with one line for each fault.
    pub(crate) fn print(&self) {
        print_error(format_args!("error: {self}"));
        let details: Vec<String> = match self {
            Self::Faults { faults, .. } => faults.iter().map(ToString::to_string).collect(),
            Self::Model { obstacles, .. } => obstacles.iter().map(ToString::to_string).collect(),
            Self::Pictures(shots) => shots.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        for detail in details.iter().take(MAX_DETAILS) {
            print_error(format_args!("  {detail}"));
        }
        if details.len() > MAX_DETAILS {
            print_error(format_args!("  and {} more", details.len() - MAX_DETAILS));
        }
    }

    /// Wraps an error of decoding a picture.
    pub(crate) fn decode(path: &std::path::Path) -> impl FnOnce(DecodeError) -> Self {
        let path = path.to_path_buf();
        move |source| match source {
            DecodeError::Image(_) => Self::Picture { path, source },
            source => Self::Decode { path, source },
        }
    }

    /// Wraps an I/O error of a file operation.
    pub(crate) fn file(
        what: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }
}

/// Advice on an I/O error of a file operation. Errors of [`foreign`](bevy_illustrator::foreign) contain their own.
fn what_to_do(what: &str, error: &io::Error) -> &'static str {
    if error.get_ref().is_some() {
        return "";
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space, or name a file on another disk"
        }
        io::ErrorKind::FileTooLarge => {
            "; raise the limit of file sizes (`ulimit -f`), or name a file on another disk"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem if what == "write" => {
            "; make the file and its folder readable and writable, or name another file"
        }
        io::ErrorKind::PermissionDenied => "; make it readable",
        io::ErrorKind::NotFound if what == "write" => {
            "; create its folder, or name a file in another one"
        }
        io::ErrorKind::NotFound => "; check the name",
        io::ErrorKind::ResourceBusy if what == "write" => {
            "; it may be mounted as a single file: mount its folder, or name another file"
        }
        io::ErrorKind::NotADirectory => "; a part of the path is a file, name another path",
        _ => "",
    }
}
