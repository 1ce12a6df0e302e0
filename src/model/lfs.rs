//! Git LFS pointers: small text files that a clone without `git lfs` has in place of large files.

/// The length of the first bytes that [`is_pointer`] needs.
pub(super) const FIRST_BYTES: usize = POINTER.len();

/// The start of every pointer, before the address of the specification.
const POINTER: &[u8] = b"version https://git-lfs";

/// Whether a file with these first bytes is a Git LFS pointer.
pub(super) fn is_pointer(first: &[u8]) -> bool {
    first.starts_with(POINTER)
}
