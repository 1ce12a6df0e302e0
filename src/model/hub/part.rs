//! A file that is being downloaded: `<hash>.part`.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
};

use ureq::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    HubError, RemoteFile,
    cache::{CacheFolder, Lock},
    client::{Client, Rest},
};

/// The maximum number of requests for one file.
const ATTEMPTS: u32 = 4;

/// An unfinished file. It is kept to resume the download, unless it is empty.
pub(super) struct Part<'a> {
    folder: &'a CacheFolder,
    /// Below the folder.
    rel: PathBuf,
    file: File,
    /// The full path, for messages.
    path: PathBuf,
    /// The size in bytes.
    found: u64,
}

impl<'a> Part<'a> {
    /// Opens or creates the unfinished file at `rel` in a folder. The lock keeps other downloads
    /// from it, as long as it exists.
    ///
    /// # Errors
    /// If it cannot be opened, or if it is not a regular file of its own.
    pub(super) fn open(
        folder: &'a CacheFolder,
        rel: PathBuf,
        _lock: &'a Lock,
    ) -> Result<Self, HubError> {
        let path = folder.path(&rel);
        let file = folder.open_file(&rel)?;
        let found = file.metadata().map_err(HubError::io("read", &path))?.len();
        Ok(Self { folder, rel, file, path, found })
    }

    /// Downloads the missing bytes and checks the contents. Calls `on_bytes` with the number of
    /// bytes that are there.
    ///
    /// # Errors
    /// Those of `on_bytes`. Also if the connection fails, if a response is invalid, if the contents differ from the listing,
    /// or if they cannot be written.
    pub(super) fn complete(
        &mut self,
        client: &Client,
        url: &str,
        file: &RemoteFile,
        on_bytes: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        let mut was_resumed = self.found > 0;
        loop {
            self.receive(client, url, file, on_bytes)?;
            if self.matches(file)? {
                return self.file.sync_all().map_err(HubError::io("write", &self.path));
            }
            self.clear()?;
            if !was_resumed {
                let hash = file.digest.kind();
                return Err(HubError::Differs { file: file.path.clone(), hash });
            }
            // The bytes of an earlier download may be the wrong ones: download all of them.
            was_resumed = false;
        }
    }

    /// Moves the complete file to `to` in the folder.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub(super) fn rename(self, to: &Path) -> Result<(), HubError> {
        self.folder.rename(&self.rel, to)
    }

    /// Downloads until the file has its full size.
    fn receive(
        &mut self,
        client: &Client,
        url: &str,
        file: &RemoteFile,
        on_bytes: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        let mut etag = None;
        let mut attempt = 1;
        loop {
            match self.request(client, url, file, &mut etag, on_bytes) {
                Err(error) if error.is_temporary() && attempt < ATTEMPTS => {
                    log::debug!("attempt {attempt} to download {}: {error}", file.path);
                    thread::sleep(client.limits.pause * attempt);
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    /// Sends one request for the missing bytes, and appends the response. `etag` is the entity tag of
    /// the bytes that are there.
    fn request(
        &mut self,
        client: &Client,
        url: &str,
        file: &RemoteFile,
        etag: &mut Option<HeaderValue>,
        on_bytes: &mut dyn FnMut(u64) -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        if self.found > file.bytes {
            self.clear()?;
        }
        on_bytes(self.found)?;
        if self.found == file.bytes {
            return Ok(());
        }
        let rest = (self.found > 0).then(|| Rest { from: self.found, etag: etag.clone() });
        let response = match client.file(&file.path, url, rest.as_ref()) {
            Err(error @ HubError::Status { status: 416, .. }) => {
                self.clear()?;
                return Err(error);
            }
            response => response?,
        };
        if response.status() == StatusCode::OK {
            self.clear()?;
            if let Some(found) = content_length(response.headers())
                && found != file.bytes
            {
                let expected = file.bytes;
                return Err(HubError::Size { file: file.path.clone(), found, expected });
            }
        } else if !continues(response.headers(), self.found, file.bytes) {
            let from = self.found;
            self.clear()?;
            let found = content_range(response.headers()).unwrap_or_default();
            return Err(HubError::Range { file: file.path.clone(), from, found });
        }
        *etag = strong_etag(response.headers());
        // A server may send more than the listing promises, even without end.
        let mut body = response.into_body().take(file.bytes - self.found);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(HubError::Body { name: file.path.clone(), source }),
            };
            self.file.write_all(&buffer[..count]).map_err(HubError::io("write", &self.path))?;
            self.found += count as u64;
            on_bytes(self.found)?;
        }
        if self.found < file.bytes {
            let (found, expected) = (self.found, file.bytes);
            return Err(HubError::Incomplete { file: file.path.clone(), found, expected });
        }
        Ok(())
    }

    /// Whether the contents are those of the listing.
    fn matches(&mut self, file: &RemoteFile) -> Result<bool, HubError> {
        let start = self.file.seek(SeekFrom::Start(0));
        let matches = start.and_then(|_| file.digest.matches(&self.file, self.found));
        matches.map_err(HubError::io("read", &self.path))
    }

    fn clear(&mut self) -> Result<(), HubError> {
        self.file.set_len(0).map_err(HubError::io("write", &self.path))?;
        self.found = 0;
        Ok(())
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.found == 0 {
            // Nothing to resume. The file may have been moved.
            let _ = self.folder.remove(&self.rel);
        }
    }
}

/// Whether a partial response starts at byte `from` of a file of `bytes` bytes: `bytes 5-9/10`, or
/// `bytes 5-9/*` (RFC 9110, section 14.4).
fn continues(headers: &HeaderMap, from: u64, bytes: u64) -> bool {
    let parse = || {
        let range = content_range(headers)?;
        let (range, size) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, _) = range.split_once('-')?;
        Some((first.parse::<u64>().ok()?, size.trim().to_owned()))
    };
    parse().is_some_and(|(first, size)| {
        first == from && (size == "*" || size.parse::<u64>().is_ok_and(|size| size == bytes))
    })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn content_range(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_RANGE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The entity tag of a response, unless it is weak: weak ones do not identify bytes.
fn strong_etag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ETAG).filter(|etag| etag.as_bytes().starts_with(b"\"")).cloned()
}
