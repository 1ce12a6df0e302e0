//! Fetches one file into the cache: resumed, checked, and linked into its snapshot.
//!
//! The layout is that of `huggingface_hub`: `blobs/<entity tag>` holds the bytes,
//! `snapshots/<commit>/<path>` is a link to them.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{HubError, OnBytes, RemoteFile, client::Client, listing::hash};

/// The number of times that a broken download is resumed.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

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
    /// Downloads a file unless it is in the cache.
    ///
    /// # Errors
    /// If the connection fails, if a response is invalid, if the file differs from the listing, or
    /// if it cannot be written.
    pub(super) fn fetch(
        &self,
        file: &RemoteFile,
        on_bytes: &mut OnBytes<'_>,
    ) -> Result<(), HubError> {
        let pointer = self.snapshot.join(&file.path);
        if pointer.exists() {
            return Ok(());
        }
        let url = format!("{}/{}", self.files_url, file.path);
        let blobs = self.blobs();
        let blob = blobs.join(self.entity_tag(file, &url)?);
        for folder in [Some(blobs.as_path()), pointer.parent()].into_iter().flatten() {
            fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        }
        if !blob.exists() {
            let part = blob.with_extension("part");
            let unfinished = lock(&part)?;
            self.complete(file, &url, unfinished, &part, on_bytes)?;
            check(file, &part)?;
            fs::rename(&part, &blob).map_err(HubError::io("write", &blob))?;
        }
        link(&blob, &pointer, file).map_err(HubError::io("write", &pointer))
    }

    /// `<cache>/models--<owner>--<name>/blobs`.
    fn blobs(&self) -> PathBuf {
        let repo = self.snapshot.ancestors().nth(2).unwrap_or(&self.snapshot);
        repo.join("blobs")
    }

    /// The cache key of a file's contents: the hub's SHA-256 for a large file, git's SHA-1 for a
    /// small one.
    fn entity_tag(&self, file: &RemoteFile, url: &str) -> Result<String, HubError> {
        let headers = self.client.head(&file.path, url)?;
        let text = |name: &str| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        if let Some(commit) = text("x-repo-commit") {
            hash("commit", &commit)?;
        }
        let tag = text("x-linked-etag").or_else(|| text("etag")).unwrap_or_default();
        hash("entity tag", tag.trim_start_matches("W/").trim_matches('"'))
    }

    /// Downloads the missing rest of a file.
    fn complete(
        &self,
        file: &RemoteFile,
        url: &str,
        mut unfinished: File,
        part: &Path,
        on_bytes: &mut OnBytes<'_>,
    ) -> Result<(), HubError> {
        let length = |unfinished: &File| {
            unfinished.metadata().map(|data| data.len()).map_err(HubError::io("read", part))
        };
        let empty = |unfinished: &File| unfinished.set_len(0).map_err(HubError::io("write", part));
        let mut found = length(&unfinished)?;
        if file.bytes > 0 && found > file.bytes {
            empty(&unfinished)?;
            found = 0;
        }
        on_bytes(file, found);
        for attempt in 0..ATTEMPTS {
            if file.bytes > 0 && found == file.bytes {
                return Ok(());
            }
            if attempt > 0 {
                thread::sleep(PAUSE * attempt);
            }
            // Send no range for byte 0, because an empty file has no first byte.
            let response = self.client.get(&file.path, url, (found > 0).then_some(found))?;
            if found > 0 && response.status().as_u16() != 206 {
                empty(&unfinished)?;
            }
            let body = response.into_parts().1.into_reader();
            let complete = copy(body, &mut unfinished, part, &mut |bytes| on_bytes(file, bytes))?;
            found = length(&unfinished)?;
            if complete && (file.bytes == 0 || found >= file.bytes) {
                break;
            }
        }
        if file.bytes > 0 && found != file.bytes {
            if found > file.bytes {
                empty(&unfinished)?;
            }
            let (file, expected) = (file.path.clone(), file.bytes);
            return Err(HubError::Incomplete { file, found, expected });
        }
        unfinished.sync_all().map_err(HubError::io("write", part))
    }
}

/// Opens an unfinished file for appending, and locks it against other processes.
fn lock(part: &Path) -> Result<File, HubError> {
    let file = File::options().create(true).append(true).open(part);
    let file = file.map_err(HubError::io("create", part))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(HubError::Busy { path: part.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(HubError::io("lock", part)(source)),
    }
}

/// Copies a response body into a file. Returns `false` if the connection breaks before the end.
fn copy(
    mut body: impl Read,
    file: &mut File,
    path: &Path,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<bool, HubError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(count) => {
                file.write_all(&buffer[..count]).map_err(HubError::io("write", path))?;
                on_bytes(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log::debug!("the download of {} was interrupted: {error}", path.display());
                return Ok(false);
            }
        }
    }
}

/// Compares a file with the listing, and removes it if it differs.
fn check(file: &RemoteFile, path: &Path) -> Result<(), HubError> {
    let Some(expected) = &file.sha256 else { return Ok(()) };
    let mut sha256 = Sha256::new();
    let mut content = File::open(path).map_err(HubError::io("read", path))?;
    io::copy(&mut content, &mut sha256).map_err(HubError::io("read", path))?;
    let found: String = sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == *expected {
        return Ok(());
    }
    fs::remove_file(path).map_err(HubError::io("remove", path))?;
    Err(HubError::Differs { path: path.to_owned() })
}

/// Creates `pointer` as a link to `blob`. The link is relative, so that the cache can be moved. If
/// links are not allowed, as on Windows by default, moves the blob itself.
fn link(blob: &Path, pointer: &Path, file: &RemoteFile) -> io::Result<()> {
    if pointer.is_symlink() {
        // Remove a dangling link.
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
