//! Opening files of other programs and people.
//!
//! A name can lead to something that is not a file: a pipe that nobody writes to, a device without an end, a folder.
//! Every foreign file is opened here, so that reading it always ends, and takes no more memory than its kind may have.

use std::{
    fs::{File, FileType, Metadata, OpenOptions},
    io::{self, Read},
    path::Path,
};

use cap_std::fs::{Dir, OpenOptions as DirOptions};

/// The most bytes of a text: a story, an edit file, a configuration, a list of tokens.
pub const MAX_TEXT: u64 = 64 << 20;

/// The most bytes of a picture, mask or scribble, and of every file in an art folder.
pub const MAX_PICTURE: u64 = 512 << 20;

/// The most bytes of tensors that are read as a whole: noise, and the weights of MobileSAM.
pub const MAX_TENSORS: u64 = 512 << 20;

/// Why a name does not lead to a file that can be read. It is the source of an [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignFileError {
    /// It leads to something that is not a regular file.
    #[error("it is a {kind}, not a file: name a regular file")]
    NotAFile {
        /// What it is, such as `pipe`.
        kind: &'static str,
    },
    /// It is a link that leads nowhere.
    #[error("it is a link whose target is missing: copy the file itself to this place")]
    NoTarget,
    /// The file is too long for its kind.
    #[error("it has more than {} MB, the most that can be read: use a smaller file", .limit >> 20)]
    TooLong {
        /// The most bytes of this kind of file.
        limit: u64,
    },
}

impl From<ForeignFileError> for io::Error {
    fn from(error: ForeignFileError) -> Self {
        let kind = match error {
            ForeignFileError::NotAFile { kind: "folder" } => io::ErrorKind::IsADirectory,
            ForeignFileError::NotAFile { .. } => io::ErrorKind::InvalidInput,
            ForeignFileError::NoTarget => io::ErrorKind::NotFound,
            ForeignFileError::TooLong { .. } => io::ErrorKind::FileTooLarge,
        };
        Self::new(kind, error)
    }
}

/// Opens a regular file for reading. It never waits for another program.
///
/// # Errors
/// If the file does not exist or cannot be opened, or with [`ForeignFileError::NotAFile`].
pub fn open(path: &Path) -> io::Result<File> {
    // Windows and Unix refuse to open some kinds, with errors that do not say what to do.
    let data = path.metadata().map_err(|error| match is_link_without_target(path) {
        true => ForeignFileError::NoTarget.into(),
        false => error,
    })?;
    check_kind(data.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, FLAGS);
    let file = options.open(path)?;
    // The name may lead to something else by now.
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

/// Whether a name is that of a link that leads nowhere.
pub(crate) fn is_link_without_target(path: &Path) -> bool {
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    path.is_symlink() && path.metadata().is_err_and(missing)
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// As [`open`]. Also if reading fails, or with [`ForeignFileError::TooLong`].
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    check_length(&file.metadata()?, limit)?;
    read_to_end(file, limit)
}

/// As [`read`], for a file below `dir`. A path, or a link, that leads out of it is an error: see [`is_outside`].
pub(crate) fn read_in(dir: &Dir, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_in(dir, path, DirOptions::new().read(true).clone(), limit)?;
    read_to_end(file, limit)
}

/// Opens a file below `dir`. No link leads out of it.
///
/// # Errors
/// As [`open`]. Also with [`ForeignFileError::TooLong`] if it has more than `limit` bytes.
pub(crate) fn open_in(
    dir: &Dir,
    path: &Path,
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has flags"))]
    mut options: DirOptions,
    limit: u64,
) -> io::Result<File> {
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::custom_flags(&mut options, FLAGS);
    let file = dir.open_with(path, &options)?.into_std();
    check(&file, limit)?;
    Ok(file)
}

/// Whether cap-std refused a path because it leads out of a folder.
pub(crate) fn is_outside(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// Reads a regular file of at most `limit` bytes as text.
///
/// # Errors
/// As [`read`], and if it is not UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Reads at most `limit` bytes, even if the file is still growing.
fn read_to_end(file: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ForeignFileError::TooLong { limit }.into());
    }
    Ok(bytes)
}

/// Flags with which opening a pipe does not wait for a writer, and a terminal does not become that of the process.
#[cfg(unix)]
const FLAGS: i32 = {
    use rustix::fs::OFlags;

    OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed()
};

/// Checks that an open file is regular and has at most `limit` bytes.
///
/// # Errors
/// [`ForeignFileError`], or if the file cannot be described.
fn check(file: &File, limit: u64) -> io::Result<()> {
    let data = file.metadata()?;
    check_kind(data.file_type())?;
    check_length(&data, limit)
}

fn check_length(data: &Metadata, limit: u64) -> io::Result<()> {
    if data.len() > limit { Err(ForeignFileError::TooLong { limit }.into()) } else { Ok(()) }
}

fn check_kind(file_type: FileType) -> io::Result<()> {
    if file_type.is_file() {
        return Ok(());
    }
    Err(ForeignFileError::NotAFile { kind: kind(file_type) }.into())
}

fn kind(file_type: FileType) -> &'static str {
    if file_type.is_dir() {
        return "folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        if file_type.is_fifo() {
            return "pipe";
        }
        if file_type.is_socket() {
            return "socket";
        }
    }
    "device"
}

#[cfg(test)]
mod tests {
    use std::{fs, io::repeat};

    use super::*;

    /// The [`ForeignFileError`] in an error of this module.
    fn foreign(error: &io::Error) -> Option<&ForeignFileError> {
        error.get_ref()?.downcast_ref()
    }

    #[test]
    fn a_file_of_the_most_bytes_is_read_and_a_longer_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        let error = read(&path, 3).unwrap_err();
        assert_eq!(foreign(&error), Some(&ForeignFileError::TooLong { limit: 3 }));
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        let missing = read(&folder.path().join("b"), 3).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_sparse_file_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let message = read(&path, MAX_TEXT).unwrap_err().to_string();
        assert!(message.contains("more than 64 MB"), "{message}");
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_refused_at_its_limit() {
        let error = read_to_end(repeat(0), 1000).unwrap_err();
        assert_eq!(foreign(&error), Some(&ForeignFileError::TooLong { limit: 1000 }));
    }

    #[test]
    fn text_that_is_not_utf_8_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, b"\xff").unwrap();
        let error = read_to_string(&path, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_folder_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        assert_eq!(foreign(&error), Some(&ForeignFileError::NotAFile { kind: "folder" }));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_devices_and_sockets_are_refused_by_name_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        crate::test_support::make_pipe(&at("pipe"));
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, kind) in
            [(at("pipe"), "pipe"), (at("socket"), "socket"), ("/dev/zero".into(), "device")]
        {
            let link = at(&format!("link to a {kind}"));
            std::os::unix::fs::symlink(&path, &link).unwrap();
            for path in [path, link] {
                let error = open(&path).unwrap_err();
                assert_eq!(foreign(&error), Some(&ForeignFileError::NotAFile { kind }));
            }
        }
    }
}
