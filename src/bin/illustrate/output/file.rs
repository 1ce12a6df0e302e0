//! Files that commands write: checked before long work, and complete when they appear.

use std::{
    fs::{self, File, FileType, Metadata},
    io::{self, Write},
    path::{Path, PathBuf, is_separator},
};

use bevy_illustrator::{diffusion::Trace, foreign, model::tensors::TensorHeader};

use super::{
    place::Place,
    unfinished::{Unfinished, Unwritten},
    version::Version,
};
use crate::failure::Failure;

/// As many links as Linux follows in one path.
const MAX_LINKS: usize = 40;

/// A file written atomically: it appears at its path once it is complete.
pub(crate) struct OutputFile {
    /// As the user typed it.
    path: PathBuf,
    target: Target,
}

/// What happens to a file that exists at the path of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced. A link is followed: the file that it points to is replaced.
    Replaced,
    /// It is an error, for names that the user did not type. A link is an error, too.
    Refused,
}

enum Target {
    /// A temporary file beside the file that it replaces.
    File { unfinished: Unfinished, place: Place },
    /// A character device, such as `/dev/null`. It is written to and never replaced.
    Device(File),
}

/// The format of an output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A picture.
    Png,
    /// Tensors.
    Safetensors,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Safetensors => "safetensors",
        }
    }

    /// Checks the extension of a name.
    ///
    /// # Errors
    /// If it is another one: viewers and Bevy decode a picture by its extension, and a slip such as `--dump a.story.ron`
    /// must not replace a story.
    fn check(self, path: &Path) -> Result<(), Failure> {
        let extension = self.extension();
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case(extension)) {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default();
        let is_only_extension = name.eq_ignore_ascii_case(format!(".{extension}"));
        let instead = if is_only_extension {
            path.with_file_name(format!("NAME.{extension}"))
        } else {
            path.with_extension(extension)
        };
        Err(Failure::OtherFormat { path: path.to_path_buf(), format: self, instead })
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Png => "pictures are written as PNG",
            Self::Safetensors => "tensors are written as safetensors",
        })
    }
}

impl OutputFile {
    /// Creates the temporary file. Call this before long work, to fail early.
    ///
    /// An existing file keeps its permissions, and its owner, attributes and access list where the system allows it.
    ///
    /// # Errors
    /// If the name does not have the extension of the format. If the folder does not exist or is not writable, or if something is at the path that cannot be replaced by a
    /// file: a folder, a pipe, a socket, a disk, a file that cannot be read and written, or tensors of another kind. With
    /// [`Existing::Refused`], if anything is at the path.
    pub(crate) fn create(path: &Path, format: Format, existing: Existing) -> Result<Self, Failure> {
        let failed = || Failure::file("write", path);
        if names_a_folder(path) {
            return Err(Failure::NotAFile { path: path.to_path_buf(), kind: "folder" });
        }
        if existing == Existing::Refused {
            if if_exists(path.symlink_metadata()).map_err(failed())?.is_some() {
                return Err(Failure::Exists { path: path.to_path_buf() });
            }
            format.check(path)?;
            return Self::begin(path, Place { path: path.to_path_buf(), was: None }, None);
        }
        // Before links are followed: `/dev/stdout` may lead to a pipe, which has no path.
        let metadata = if_exists(fs::metadata(path)).map_err(failed())?;
        let mut replaced_file = None;
        if let Some(metadata) = metadata {
            check(path, &metadata)?;
            // Opening shows what the permissions do not: access lists, immutable files, running programs.
            let opened = File::options().write(true).open(path).map_err(failed())?;
            if !metadata.is_file() {
                return Ok(Self { path: path.to_path_buf(), target: Target::Device(opened) });
            }
            let is_named_dump = format == Format::Safetensors && format.check(path).is_ok();
            if is_named_dump && is_no_dump(path, metadata.len()) {
                return Err(Failure::NoDump { path: path.to_path_buf() });
            }
            replaced_file = Some((opened, metadata));
        }
        let target = follow_links(path).map_err(failed())?;
        let was = replaced_file.is_some().then(|| Version::of(&target));
        let was = was.transpose().map_err(failed())?;
        let output = Self::begin(path, Place { path: target, was }, replaced_file)?;
        // Other reasons come first: a folder needs no extension.
        format.check(path)?;
        Ok(output)
    }

    fn begin(
        path: &Path,
        place: Place,
        existing: Option<(File, Metadata)>,
    ) -> Result<Self, Failure> {
        let failed = || Failure::file("write", path);
        let folder = place.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let unfinished = Unfinished::create(folder.unwrap_or(Path::new("."))).map_err(failed())?;
        if let Some((file, metadata)) = existing {
            unfinished.inherit(&file, &metadata).map_err(failed())?;
        }
        Ok(Self { path: path.to_path_buf(), target: Target::File { unfinished, place } })
    }

    /// Writes the contents, syncs them and moves the file to its path. If another program has written to that path since
    /// [`Self::create`], its file stays, and this one gets a free name beside it, with a warning.
    ///
    /// Returns the path of the file.
    ///
    /// # Errors
    /// If writing fails. An existing file stays unchanged then. A finished file that cannot be moved is kept, and the
    /// error names it.
    pub(crate) fn finish(self, contents: &[u8]) -> Result<PathBuf, Failure> {
        let Self { path, target } = self;
        let written = match target {
            Target::File { unfinished, place } => unfinished.finish(contents, &place),
            Target::Device(mut device) => {
                device.write_all(contents).map(|()| None).map_err(Unwritten::Incomplete)
            }
        };
        match written {
            Err(Unwritten::Incomplete(source)) => Err(Failure::file("write", &path)(source)),
            Err(Unwritten::Kept { source, kept }) => Err(Failure::Kept { path, kept, source }),
            Ok(None) => Ok(path),
            Ok(Some(other)) => {
                log::warn!(
                    "another program wrote {} in the meantime: the result is {}",
                    path.display(),
                    other.display()
                );
                Ok(other)
            }
        }
    }
}

/// Whether a file is anything but an earlier dump or empty, such as the weights of a model.
fn is_no_dump(path: &Path, length: u64) -> bool {
    if length == 0 {
        return false;
    }
    let header = foreign::open(path).ok().and_then(|file| TensorHeader::read(file, length).ok());
    !header.is_some_and(|header| Trace::is_trace(&header))
}

/// `None` if a file does not exist.
fn if_exists(metadata: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match metadata {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a path ends in a separator, `.` or `..`, as only that of a folder does.
fn names_a_folder(path: &Path) -> bool {
    let text = path.to_string_lossy();
    matches!(text.rsplit(is_separator).next(), Some("" | "." | ".."))
}

/// The target of a path, which need not exist.
pub(super) fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        if is_descriptor(&path) {
            return Err(io::Error::other("it is a descriptor of an open file; name a file"));
        }
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("it is a link that leads to itself"))
}

/// Whether a path is that of an open file of a process, such as the target of `/dev/stdout`.
fn is_descriptor(path: &Path) -> bool {
    let is_special = path.starts_with("/proc") || path.starts_with("/dev");
    is_special && path.parent().is_some_and(|folder| folder.ends_with("fd"))
}

/// Checks that a file may replace what is at the path, or that it is a device to write to.
fn check(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    if let Some(kind) = unwritable(metadata.file_type()) {
        return Err(Failure::NotAFile { path: path.to_path_buf(), kind });
    }
    if metadata.is_file() && metadata.permissions().readonly() {
        return Err(Failure::ReadOnly { path: path.to_path_buf() });
    }
    Ok(())
}

/// Names what is neither a file nor a device that takes any number of bytes.
fn unwritable(file: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kinds = [
            (file.is_fifo(), "pipe"),
            (file.is_socket(), "socket"),
            (file.is_block_device(), "disk"),
        ];
        if let Some((_, kind)) = kinds.into_iter().find(|(is_it, _)| *is_it) {
            return Some(kind);
        }
    }
    file.is_dir().then_some("folder")
}
