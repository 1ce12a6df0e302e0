//! The header of a GGUF file.
//!
//! A GGUF file begins with its magic number, the version of the format, and the numbers of tensors and of metadata. Then come
//! the metadata, the names, shapes, types and places of the tensors, and the tensors themselves. Numbers are little-endian.
//! The format is that of [ggml](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

mod file;
mod number_type;
mod reader;

use std::{collections::BTreeMap, io::Read};

use serde_json::Value;

pub use file::GgufFile;
pub use number_type::NumberType;
use reader::Reader;

use crate::lfs::LfsPointer;

/// The first bytes.
pub(in crate::model) const MAGIC: &[u8; 4] = b"GGUF";

/// The longest header. Vocabularies, which are its largest part, have a tenth of it.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// The most metadata, and the most tensors.
const MAX_ENTRIES: u64 = 1 << 16;

/// The longest name of a tensor, and of metadata.
const MAX_NAME: u64 = 256;

/// The longest text in the metadata that is read with the header.
const MAX_TEXT: u64 = 1 << 20;

/// The most dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// The name of the metadata with the alignment of tensors, and its default.
const ALIGNMENT: &str = "general.alignment";
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 16;

/// The header of a GGUF file, checked against the size of the file.
#[derive(Clone, Debug)]
pub struct GgufHeader {
    metadata: BTreeMap<String, Metadata>,
    tensors: BTreeMap<String, GgufTensor>,
}

/// A value of the metadata.
#[derive(Clone, Debug, PartialEq)]
enum Metadata {
    /// A number, text or boolean.
    Value(Value),
    List(List),
}

/// The place of a list in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct List {
    /// The type of its items.
    item: u32,
    count: u64,
    /// The offset of the first item.
    start: u64,
}

/// The place of a tensor in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GgufTensor {
    /// From the outermost to the innermost dimension. The file has the reverse order.
    pub(super) shape: Vec<usize>,
    pub(super) kind: NumberType,
    /// The offset of the first byte.
    pub(super) start: u64,
    /// The number of bytes; 0 if the type cannot be read.
    pub(super) bytes: usize,
}

/// The reason why a file is not a complete GGUF file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// It begins with other bytes.
    #[error("it does not begin like a GGUF file")]
    Magic,
    /// The file is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// The format has another version.
    #[error("it has the version {0} of the format, and only 2 and 3 can be read: convert it again")]
    Version(u32),
    /// The header has more metadata or tensors than allowed.
    #[error("its header claims {claimed} {what}, at most {MAX_ENTRIES} are allowed: it is damaged")]
    TooMany {
        /// `metadata` or `tensors`.
        what: &'static str,
        /// Their number in the file.
        claimed: u64,
    },
    /// The header is longer than allowed.
    #[error(
        "its header has more than {MAX_HEADER_BYTES} bytes with {field}: it is damaged, or not a GGUF file"
    )]
    HeaderTooLong {
        /// The part of the header that exceeds the limit.
        field: String,
    },
    /// The file ends within its header.
    #[error("it is truncated within its header, in {field}: download it again")]
    CutOffHeader {
        /// The part of the header where it ends.
        field: String,
    },
    /// The header does not follow the format.
    #[error("its header is damaged: {field} {reason}; download the file again")]
    Damaged {
        /// The part of the header.
        field: String,
        /// The reason.
        reason: String,
    },
    /// The file ends before the end of a tensor.
    #[error(
        "it is truncated: {missing} bytes are missing in the tensor `{tensor}`: download it again"
    )]
    CutOff {
        /// The tensor.
        tensor: String,
        /// The number of missing bytes.
        missing: u64,
    },
}

impl GgufHeader {
    /// Reads the header of a file of `bytes` bytes, and checks that all tensors are in the file. Does not read tensors.
    ///
    /// # Errors
    /// If the file is not a complete GGUF file. A read error within the header counts as a truncated file.
    pub fn read(file: impl Read, bytes: u64) -> Result<Self, GgufError> {
        let mut reader = Reader::new(file, bytes);
        reader.magic()?;
        let version = reader.u32("the version")?;
        if !matches!(version, 2 | 3) {
            return Err(GgufError::Version(version));
        }
        let mut count = |what: &'static str| match reader.u64(&format!("the number of {what}"))? {
            claimed if claimed > MAX_ENTRIES => Err(GgufError::TooMany { what, claimed }),
            count => Ok(count),
        };
        let (tensors, metadata) = (count("tensors")?, count("metadata")?);
        let mut header = Self { metadata: BTreeMap::new(), tensors: BTreeMap::new() };
        for _ in 0..metadata {
            let name = reader.name("the name of metadata")?;
            let value = reader.metadata(&format!("`{name}`"))?;
            if header.metadata.insert(name.clone(), value).is_some() {
                return Err(damaged(&name, "occurs twice"));
            }
        }
        let alignment = header.alignment()?;
        for _ in 0..tensors {
            let (name, tensor) = reader.tensor(alignment)?;
            if header.tensors.insert(name.clone(), tensor).is_some() {
                return Err(damaged(&name, "occurs twice"));
            }
        }
        header.place_tensors(reader.position().next_multiple_of(alignment), bytes)?;
        Ok(header)
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.tensors.get(name)?.shape)
    }

    /// A number, text or boolean of the metadata.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        match self.metadata.get(name)? {
            Metadata::Value(value) => Some(value),
            Metadata::List(_) => None,
        }
    }

    /// The number of values by number type, such as `Q4_K`.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for tensor in self.tensors.values() {
            let count = counts.entry(tensor.kind.to_string()).or_insert(0_u64);
            *count = count.saturating_add(tensor.shape.iter().map(|&side| side as u64).product());
        }
        counts
    }

    /// The first tensor with numbers that cannot be read, and their type.
    #[must_use]
    pub fn unreadable(&self) -> Option<(&str, NumberType)> {
        let unreadable = |tensor: &GgufTensor| tensor.kind.blocks().is_none();
        let found = self.tensors.iter().find(|(_, tensor)| unreadable(tensor));
        found.map(|(name, tensor)| (name.as_str(), tensor.kind))
    }

    fn alignment(&self) -> Result<u64, GgufError> {
        match self.metadata.get(ALIGNMENT) {
            None => Ok(DEFAULT_ALIGNMENT),
            Some(Metadata::Value(value)) => value
                .as_u64()
                .filter(|alignment| alignment.is_power_of_two() && *alignment <= MAX_ALIGNMENT)
                .ok_or_else(|| {
                    let reason = format!("is {value}, not a power of 2 up to {MAX_ALIGNMENT}");
                    damaged(ALIGNMENT, &reason)
                }),
            Some(Metadata::List(_)) => Err(damaged(ALIGNMENT, "is a list")),
        }
    }

    /// Counts the places of tensors from the start of the file, and checks that they are in the file.
    fn place_tensors(&mut self, data: u64, bytes: u64) -> Result<(), GgufError> {
        for (name, tensor) in &mut self.tensors {
            let end = tensor.start.checked_add(tensor.bytes as u64);
            let end = end.and_then(|end| end.checked_add(data));
            let end = end.ok_or_else(|| damaged(name, "has an offset outside of every file"))?;
            if end > bytes {
                return Err(GgufError::CutOff { tensor: name.clone(), missing: end - bytes });
            }
            tensor.start += data;
        }
        Ok(())
    }
}

fn damaged(name: &str, reason: &str) -> GgufError {
    GgufError::Damaged { field: format!("`{name}`"), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
