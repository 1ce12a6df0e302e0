//! The file operations of an art folder.

use std::{
    ffi::OsString,
    fmt::Debug,
    io::{self, Read, Seek},
    path::Path,
    time::SystemTime,
};

/// The file operations of an art folder. All paths are relative to the folder, and stay inside it: a link that leads out
/// of the folder is an error.
///
/// A file is durable when [`Self::write_new`] has returned. A new, renamed or removed name is durable when
/// [`Self::sync_folder`] has returned for its folder.
pub(crate) trait Store: Debug + Send + Sync {
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadSeek>>;

    /// Lists a folder, in any order.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// Describes a file, a folder or a link. A link is not followed.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Creates a folder in an existing one.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Creates a file with these contents, and syncs it.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Moves a file, a folder or a link atomically. Replaces nothing: if the new path exists, that is
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists). A file system that cannot do so returns
    /// [`Unsupported`](io::ErrorKind::Unsupported), and nothing changes.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a file, a folder or a link atomically. A file at the new path is replaced.
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name. Replaces nothing, as [`Self::rename`]. Folders cannot have a second name, nor files on
    /// some file systems: that is [`Unsupported`](io::ErrorKind::Unsupported), and nothing changes.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Exchanges two files atomically. A file system that cannot do so returns
    /// [`Unsupported`](io::ErrorKind::Unsupported), and nothing changes.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;

    /// Removes a file or a link.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Syncs the names in a folder.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Whether the path of the art folder still leads to the folder that was opened.
    fn is_in_place(&self) -> bool;
}

/// A file that is open for reading.
pub(crate) trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: OsString,
    pub(crate) kind: Kind,
}

/// A description of a file, a folder or a link.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    pub(crate) kind: Kind,
    /// The size of a file, in bytes.
    pub(crate) length: u64,
    /// The time of the last change, if the system provides it.
    pub(crate) modified: Option<SystemTime>,
    /// Identifies the file whatever its name, if the system provides it: device and inode.
    pub(crate) file: Option<(u64, u64)>,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
}
