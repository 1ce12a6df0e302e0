//! The chunks of WebP files (RFC 9649, 2.3).

use std::io;

/// The bytes of the headers of a file and of a chunk.
const FILE_HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;

/// Checks that the file contains its colour profile and its EXIF data whole. The decoder allocates as much memory for them
/// as their headers claim, up to 4 GB.
///
/// # Errors
/// With [`io::ErrorKind::UnexpectedEof`], as the decoder itself after the allocation.
pub(super) fn check_metadata(file: &[u8]) -> io::Result<()> {
    let mut rest = file.get(FILE_HEADER..).unwrap_or_default();
    while let Some((header, chunk)) = rest.split_first_chunk::<CHUNK_HEADER>() {
        let [kind @ .., a, b, c, d] = *header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > chunk.len() && [b"ICCP", b"EXIF"].contains(&&kind) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Chunks of an odd length are followed by a byte of padding.
        rest = chunk.get(length.saturating_add(length & 1)..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Undecoded, tests::fixture};

    #[test]
    fn exif_data_and_profiles_that_claim_to_be_longer_than_the_file_are_refused() {
        let file = fixture("rotated.webp");
        check_metadata(&file).unwrap();
        for kind in [b"ICCP", b"EXIF"] {
            let at = file.windows(4).position(|bytes| bytes == kind).unwrap();
            for length in [u32::MAX, file.len() as u32] {
                let mut lying = file.clone();
                lying[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
                let error = check_metadata(&lying).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                assert!(Undecoded::open(&lying).is_err());
            }
        }
    }
}
