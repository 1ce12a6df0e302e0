//! Fetches one file into the cache: downloaded, checked, then linked into its snapshot.
//!
//! The layout is that of `huggingface_hub`: `blobs/<hash>` has the contents,
//! `snapshots/<commit>/<path>` is a link to them.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    HubError, RemoteFile,
    cache::{self, BLOBS, CacheFolder},
    client::Client,
    part::Part,
    url::SecretUrl,
    url_path,
};

/// Fetches the files of one commit.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) client: Client,
    /// The URL of the folder with the files.
    pub(super) files_url: SecretUrl,
    /// `<cache>/models--<owner>--<name>/snapshots/<commit>`.
    pub(super) snapshot: PathBuf,
}

impl Fetcher {
    /// Downloads a file unless it is in the cache. A file with other contents is set aside, next to its
    /// place in the snapshot. Calls `on_bytes` with the number of bytes that are there.
    ///
    /// # Errors
    /// Those of `on_bytes`. Also if the connection fails, if a response is invalid, if the file differs from the listing, or
    /// if it cannot be written.
    pub(super) fn fetch(
        &self,
        file: &RemoteFile,
        on_bytes: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        let pointer = self.snapshot.join(&file.path);
        if is_intact(&pointer, file)? {
            return on_bytes(file.bytes);
        }
        // `<cache>/models--<owner>--<name>/snapshots/<commit>`
        let repo = self.snapshot.ancestors().nth(2).unwrap_or(&self.snapshot);
        let folder = CacheFolder::open(repo)?;
        let pointer = pointer.strip_prefix(repo).unwrap_or(&pointer);
        let blobs = Path::new(BLOBS);
        for folder_of in [Some(blobs), pointer.parent()].into_iter().flatten() {
            folder.create_folder(folder_of)?;
        }
        let blob = blobs.join(file.digest.as_str());
        // Before a long download.
        for place in [&*blob, pointer] {
            folder.check_place(place)?;
        }
        let part = blob.with_extension("part");
        let cache = repo.parent().unwrap_or(repo);
        let name = repo.file_name().unwrap_or_default();
        // The lock guards the part, the blob and the link.
        let lock = cache::lock(cache, Path::new(name), file.digest.as_str())?;
        let lock = lock.ok_or_else(|| HubError::Busy { path: folder.path(&part) })?;
        if is_intact(&folder.path(&blob), file)? {
            folder.remove(&part)?;
            on_bytes(file.bytes)?;
        } else {
            let url = format!("{}/{}", self.files_url.0, url_path(&file.path));
            let mut part = Part::open(&folder, part, &lock)?;
            part.complete(&self.client, &url, file, on_bytes)?;
            // Programs that write through the link change the contents.
            folder.free(&blob, pointer)?;
            part.rename(&blob)?;
        }
        folder.link(&blob, pointer)
    }
}

/// Whether a file exists and its contents are those of the listing.
///
/// # Errors
/// If it exists and cannot be read.
pub(super) fn is_intact(path: &Path, file: &RemoteFile) -> Result<bool, HubError> {
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
