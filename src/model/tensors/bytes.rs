//! The bytes of tensors, in a file or in the program. Large tensors are read in pieces, on all cores.

use std::{fs::File, io};

use bytemuck::Pod;
use rayon::prelude::*;

/// Numbers in a piece. Each task clears the memory of its pieces.
pub(super) const PIECE: usize = 1 << 17;

/// Numbers that are widened at once. They fit the first cache of a core.
const NARROW: usize = 1 << 13;

/// Bytes that several threads read.
pub(super) trait ReadAt: Send + Sync {
    /// Fills `bytes` with those from `start` on.
    ///
    /// # Errors
    /// If they cannot be read, or end too early.
    fn fill(&self, start: u64, bytes: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn fill(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, bytes, start)
    }

    #[cfg(windows)]
    fn fill(&self, mut start: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, bytes, start) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    start += count as u64;
                    bytes = &mut bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for &'static [u8] {
    fn fill(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(start).ok().and_then(|start| self.get(start..));
        let part = rest.and_then(|rest| rest.get(..bytes.len()));
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Reads `count` numbers from `start` on to where they stay.
///
/// # Errors
/// As [`ReadAt::fill`].
pub(super) fn read<T: Pod + Send>(
    source: &dyn ReadAt,
    start: u64,
    count: usize,
) -> io::Result<Vec<T>> {
    let mut numbers = vec![T::zeroed(); count];
    in_pieces(&mut numbers, |index, piece| {
        let start = start + (index * size_of::<T>()) as u64;
        source.fill(start, bytemuck::cast_slice_mut(piece))
    })?;
    Ok(numbers)
}

/// Reads `count` numbers of 16 bits from `start` on, and converts them by `widen`.
///
/// # Errors
/// As [`ReadAt::fill`].
pub(super) fn read_wide(
    source: &dyn ReadAt,
    start: u64,
    count: usize,
    widen: impl Fn(&[u16], &mut [f32]) + Sync,
) -> io::Result<Vec<f32>> {
    let mut numbers = vec![0.0; count];
    in_pieces(&mut numbers, |index, piece| {
        let mut start = start + (index * size_of::<u16>()) as u64;
        let mut narrow = [0_u16; NARROW];
        for wide in piece.chunks_mut(NARROW) {
            let narrow = &mut narrow[..wide.len()];
            source.fill(start, bytemuck::cast_slice_mut(narrow))?;
            widen(narrow, wide);
            start += size_of_val(narrow) as u64;
        }
        Ok(())
    })?;
    Ok(numbers)
}

/// Calls `fill` with the pieces of `numbers`, each with the index of its first number.
fn in_pieces<T: Send>(
    numbers: &mut [T],
    fill: impl Fn(usize, &mut [T]) -> io::Result<()> + Sync,
) -> io::Result<()> {
    if numbers.len() <= PIECE {
        return fill(0, numbers);
    }
    let pieces = numbers.par_chunks_mut(PIECE).enumerate();
    pieces.try_for_each(|(index, piece)| fill(index * PIECE, piece))
}
