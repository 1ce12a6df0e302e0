//! Fetches one file into the cache: downloaded, checked, then linked into its snapshot.
//!
//! The layout is that of `huggingface_hub`: `blobs/<hash>` has the contents,
//! `snapshots/<commit>/<path>` is a link to them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{HubError, RemoteFile, client::Client, part::Part, url_path};

/// Fetches the files of one commit.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) client: Client,
    /// The URL of the folder with the files.
    pub(super) files_url: String,
    /// `<cache>/models--<owner>--<name>/snapshots/<commit>`.
    pub(super) snapshot: PathBuf,
}

impl Fetcher {
    /// Downloads a file unless it is in the cache. Calls `on_bytes` with the number of bytes that
    /// are there.
    ///
    /// # Errors
    /// If the connection fails, if a response is invalid, if the file differs from the listing, or
    /// if it cannot be written.
    pub(super) fn fetch(
        &self,
        file: &RemoteFile,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<(), HubError> {
        let pointer = self.snapshot.join(&file.path);
        if is_intact(&pointer, file)? {
            on_bytes(file.bytes);
            return Ok(());
        }
        let blobs = self.blobs();
        let blob = blobs.join(file.digest.as_str());
        for folder in [Some(blobs.as_path()), pointer.parent()].into_iter().flatten() {
            fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        }
        // The lock of the part guards the blob, too.
        let mut part = Part::open(blob.with_extension("part"))?;
        if is_intact(&blob, file)? {
            part.remove()?;
            on_bytes(file.bytes);
        } else {
            let url = format!("{}/{}", self.files_url, url_path(&file.path));
            part.complete(&self.client, &url, file, on_bytes)?;
            part.rename(&blob)?;
        }
        link(&blob, &pointer, file).map_err(HubError::io("write", &pointer))
    }

    /// `<cache>/models--<owner>--<name>/blobs`.
    fn blobs(&self) -> PathBuf {
        let repo = self.snapshot.ancestors().nth(2).unwrap_or(&self.snapshot);
        repo.join("blobs")
    }
}

/// Whether a file exists and its contents are those of the listing.
fn is_intact(path: &Path, file: &RemoteFile) -> Result<bool, HubError> {
    let matches = || {
        let metadata = path.metadata()?;
        if !metadata.is_file() || metadata.len() != file.bytes {
            return Ok(false);
        }
        file.digest.matches(File::open(path)?, file.bytes)
    };
    match matches() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        matches => matches.map_err(HubError::io("read", path)),
    }
}

/// Creates `pointer` as a link to `blob`. The link is relative, so that the cache can be moved. If
/// links are not allowed, as on Windows by default, moves the blob itself.
fn link(blob: &Path, pointer: &Path, file: &RemoteFile) -> io::Result<()> {
    if pointer.symlink_metadata().is_ok() {
        // A dangling link, or other contents.
        fs::remove_file(pointer)?;
    }
    let mut target = PathBuf::new();
    // From `snapshots/<commit>/<path>`, go up once for each folder of the path, the commit and
    // `snapshots`.
    for _ in 0..file.path.split('/').count() + 1 {
        target.push("..");
    }
    target.push("blobs");
    target.push(blob.file_name().unwrap_or_default());
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(target, pointer);
    #[cfg(windows)]
    let linked = std::os::windows::fs::symlink_file(target, pointer);
    #[cfg(not(any(unix, windows)))]
    let linked: io::Result<()> = Err(io::ErrorKind::Unsupported.into());
    linked.or_else(|_| fs::rename(blob, pointer))
}
