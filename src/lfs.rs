//! Git LFS pointers: small text files that a clone without `git lfs` has in place of large files.

/// A file is a Git LFS pointer, not the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is a Git LFS pointer, not the file itself: run `git lfs pull` in its folder")]
pub struct LfsPointer;

/// The number of first bytes that decide whether a file is a pointer.
pub(crate) const FIRST_BYTES: usize = START.len();

/// The start of every pointer, before the address of the specification.
const START: &[u8] = b"version https://git-lfs";

impl LfsPointer {
    /// Checks the first bytes of a file.
    ///
    /// # Errors
    /// If the file is a pointer.
    pub fn check(first: &[u8]) -> Result<(), Self> {
        if first.starts_with(START) { Err(Self) } else { Ok(()) }
    }
}
