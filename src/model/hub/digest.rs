//! The hash by which the hub identifies the contents of a file.

use std::io::{self, Read, Write};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::HubError;

/// The hash of a file's contents, in lower-case hex digits. It is a safe file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    /// SHA-256 of a file in Git LFS: 64 digits.
    Sha256(String),
    /// Git's id of any other file: 40 digits. The SHA-1 of `blob`, a space, the size in bytes, a
    /// zero byte and the contents.
    GitBlob(String),
}

impl Digest {
    /// # Errors
    /// [`HubError::Malformed`] if the value is not a SHA-256.
    pub(super) fn sha256(value: &str) -> Result<Self, HubError> {
        hash("SHA-256", value, &[64], "64 hex digits").map(Self::Sha256)
    }

    /// # Errors
    /// [`HubError::Malformed`] if the value is not a git blob id.
    pub(super) fn git_blob(value: &str) -> Result<Self, HubError> {
        hash("blob id", value, &[40], "40 hex digits").map(Self::GitBlob)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitBlob(hex) => hex,
        }
    }

    /// The kind of the hash, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "SHA-256",
            Self::GitBlob(_) => "git blob id",
        }
    }

    /// Whether contents of `bytes` bytes have this hash.
    ///
    /// # Errors
    /// If the contents cannot be read.
    pub(super) fn matches(&self, mut content: impl Read, bytes: u64) -> io::Result<bool> {
        let found = match self {
            Self::Sha256(_) => {
                let mut hasher = Sha256::new();
                io::copy(&mut content, &mut hasher)?;
                hex(&hasher.finalize())
            }
            Self::GitBlob(_) => {
                let mut hasher = Sha1::new();
                write!(hasher, "blob {bytes}\0")?;
                io::copy(&mut content, &mut hasher)?;
                hex(&hasher.finalize())
            }
        };
        Ok(found == self.as_str())
    }
}

/// A commit of the hub.
///
/// # Errors
/// [`HubError::Malformed`] if the value is not a commit.
pub(super) fn commit(value: &str) -> Result<String, HubError> {
    hash("commit", value, &[40, 64], "40 or 64 hex digits")
}

/// A hash of the hub in lower case. Only hex digits, so that it is a safe file name.
fn hash(
    field: &'static str,
    value: &str,
    lengths: &[usize],
    expected: &'static str,
) -> Result<String, HubError> {
    if lengths.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(value.to_ascii_lowercase());
    }
    Err(HubError::Malformed { field, value: value.to_owned(), expected })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(digest: &Digest, content: &[u8]) -> bool {
        digest.matches(content, content.len() as u64).expect("readable")
    }

    /// The ids are those of `git hash-object`.
    #[test]
    fn a_git_blob_id_is_that_of_git() {
        let empty = Digest::git_blob("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391").expect("an id");
        assert!(matches(&empty, b"") && !matches(&empty, b"\0"));
        let text = Digest::git_blob("BD9DBF5AAE1A3862DD1526723246B20206E5FC37").expect("an id");
        assert!(matches(&text, b"what is up, doc?") && !matches(&text, b"what is up, doc!"));
    }

    /// The hash of FIPS 180-2, appendix B.1.
    #[test]
    fn a_sha_256_is_that_of_the_standard() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Digest::sha256(sha256).expect("a hash");
        assert!(matches(&digest, b"abc") && !matches(&digest, b"abx"));
    }
}
