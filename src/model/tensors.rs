//! Tensors of a model by name, and the headers of safetensors and GGUF files.
//!
//! A safetensors file begins with the header's length (u64, little-endian), then comes the header as
//! JSON, then the tensors without gaps to the end of the file.

mod bytes;
mod converted;
mod file;
mod gguf;
mod interruptible;
mod renamed;
mod shapes;
mod sizes;
mod stored;
mod weight_file;

use std::{collections::BTreeMap, io::Read};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::Metadata;

use super::ModelError;
use crate::lfs::{self, LfsPointer};

pub(crate) use converted::{Converted, Stored, View};
pub(super) use file::TensorFile;
pub use file::TensorFiles;
pub use gguf::{GgufError, GgufFile, GgufHeader, NumberType};
pub use interruptible::Interruptible;
pub use renamed::Renamed;
pub use shapes::ShapesOnly;
pub(crate) use sizes::{count, dims, unsupported};
pub use stored::StoredTensor;
pub(crate) use stored::kept_type;
pub(super) use weight_file::WeightFile;

/// Tensors by name: the weights of one component of a model.
pub trait TensorSource: Send + Sync {
    /// Whether the tensor exists.
    fn contains(&self, name: &str) -> bool;

    /// The shape of a tensor. `None` if the tensor does not exist.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// The stored number type of a tensor; of quantized blocks, that of their numbers, f32. `None` if the tensor does not
    /// exist or candle does not support the type.
    fn dtype(&self, name: &str) -> Option<DType>;

    /// The memory of a tensor with the numbers of its file, as [`Self::get_stored`] loads it, in bytes. `None` if the tensor
    /// does not exist or candle does not support its type.
    fn stored_bytes(&self, name: &str) -> Option<u64> {
        let (shape, dtype) = (self.shape(name)?, self.dtype(name)?);
        Some(bytes_of(&shape, kept_type(dtype)))
    }

    /// The files with the tensors, for error messages.
    fn files(&self) -> String;

    /// Loads a tensor, converted to `dtype`, on a device.
    ///
    /// # Errors
    /// [`ModelError::NoTensor`], or if the tensor cannot be read or converted.
    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError>;

    /// Loads a tensor with the numbers of its file, on a device. By default, converted to f32.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        self.get(name, DType::F32, device).map(StoredTensor::Plain)
    }
}

/// The bytes of a tensor of this shape with numbers of this type.
pub(crate) fn bytes_of(shape: &[usize], dtype: DType) -> u64 {
    let count = shape.iter().fold(1_u64, |count, side| count.saturating_mul(*side as u64));
    count.saturating_mul(dtype.size_in_bytes() as u64)
}

/// The maximum length of a header, which needs 16 times as much memory. A tensor takes about 110 bytes of it.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// The prefix of the averages of weights in models of LDM.
const AVERAGES: &str = "model_ema.";

/// The size of the length field in bytes.
const LENGTH_BYTES: u64 = 8;

/// The header of a safetensors file, checked against the size of the file.
#[derive(Clone, Debug)]
pub struct TensorHeader {
    metadata: Metadata,
    /// The offset of the first tensor.
    start: u64,
}

/// The reason why a file is not a complete safetensors file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The file is a pickle, alone or in PyTorch's archive.
    #[error("it is a pickle, which can run code when it is loaded")]
    Pickle,
    /// The file is a Git LFS pointer.
    #[error(transparent)]
    LfsPointer(#[from] LfsPointer),
    /// The file ends within its header.
    #[error("it is truncated within its header ({bytes} bytes): download it again")]
    CutOffHeader {
        /// Size of the file.
        bytes: u64,
    },
    /// The header claims a length above the limit.
    #[error(
        "its header claims {claimed} bytes, at most {MAX_HEADER_BYTES} are allowed: \
         this is not a safetensors file, or it is damaged"
    )]
    HeaderTooLong {
        /// The length in the file.
        claimed: u64,
    },
    /// The header does not follow the format.
    #[error("its header is damaged ({0}): download the file again")]
    Damaged(String),
    /// The file ends before the end of its last tensor.
    #[error(
        "it is truncated: {missing} bytes are missing, starting in the tensor `{tensor}`: download it again"
    )]
    CutOff {
        /// The first incomplete tensor.
        tensor: String,
        /// The number of missing bytes.
        missing: u64,
    },
    /// The file continues after its last tensor.
    #[error("{surplus} bytes follow its last tensor: the file is damaged, download it again")]
    Surplus {
        /// The number of bytes.
        surplus: u64,
    },
}

impl TensorHeader {
    /// Reads the header of a file of `bytes` bytes, and checks that its tensors fill the file
    /// exactly. Does not read tensors.
    ///
    /// # Errors
    /// If the file is not a complete safetensors file. A read error within the header counts as a
    /// truncated file.
    pub fn read(mut file: impl Read, bytes: u64) -> Result<Self, HeaderError> {
        let cut_off = |_| HeaderError::CutOffHeader { bytes };
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(cut_off)?;
        if is_pickle(&length) {
            return Err(HeaderError::Pickle);
        }
        let mut first = length.to_vec();
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES {
            file.take(lfs::FIRST_BYTES as u64).read_to_end(&mut first).map_err(cut_off)?;
            LfsPointer::check(&first)?;
            return Err(HeaderError::HeaderTooLong { claimed: length });
        }
        let start = LENGTH_BYTES + length;
        let data_bytes = bytes.checked_sub(start).ok_or(HeaderError::CutOffHeader { bytes })?;
        let mut json = Vec::new();
        file.take(length).read_to_end(&mut json).map_err(cut_off)?;
        if (json.len() as u64) < length {
            return Err(HeaderError::CutOffHeader { bytes });
        }
        let metadata: Metadata = serde_json::from_slice(&json)
            .map_err(|error| HeaderError::Damaged(error.to_string()))?;
        let header = Self { metadata, start };
        header.check(data_bytes)?;
        Ok(header)
    }

    /// The names of all tensors, in the order of the file.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    /// The shape of a tensor. Empty for a scalar.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.metadata.info(name)?.shape)
    }

    /// The text under a key of the metadata.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The number of values by number type, such as `F16`, without the averages of weights that training keeps (EMA): they
    /// are not loaded.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        let tensors = self.metadata.tensors();
        let loaded = tensors.iter().filter(|(name, _)| !name.starts_with(AVERAGES));
        for (_, info) in loaded {
            let count = counts.entry(format!("{:?}", info.dtype)).or_insert(0_u64);
            *count = count.saturating_add(info.shape.iter().map(|&size| size as u64).product());
        }
        counts
    }

    fn check(&self, data_bytes: u64) -> Result<(), HeaderError> {
        let end = self.metadata.data_len() as u64;
        if data_bytes > end {
            return Err(HeaderError::Surplus { surplus: data_bytes - end });
        }
        if data_bytes == end {
            return Ok(());
        }
        let is_complete = |name: &String| {
            self.metadata.info(name).is_none_or(|info| info.data_offsets.1 as u64 <= data_bytes)
        };
        let tensor = self.names().into_iter().find(|name| !is_complete(name)).unwrap_or_default();
        Err(HeaderError::CutOff { tensor, missing: end - data_bytes })
    }
}

/// Whether a file starts like a pickle, or like the zip archive that PyTorch stores pickles in.
fn is_pickle(head: &[u8; LENGTH_BYTES as usize]) -> bool {
    head.starts_with(b"PK\x03\x04") || matches!(head, [0x80, 2..=5, ..])
}

#[cfg(test)]
mod tests;
