//! A file with tensors, in any of the formats that can be read.

use std::{io::Read, path::Path};

use super::{GgufFile, TensorFiles, TensorSource, gguf::MAGIC};
use crate::{foreign, model::ModelError};

/// A file with tensors. Its first bytes tell the format.
pub(in crate::model) enum WeightFile {
    Safetensors(TensorFiles),
    Gguf(GgufFile),
}

impl WeightFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// As [`TensorFiles::open`] and [`GgufFile::open`].
    pub(in crate::model) fn open(path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { file: path.display().to_string(), source };
        let mut first = Vec::new();
        let file = foreign::open(path).map_err(io)?;
        file.take(MAGIC.len() as u64).read_to_end(&mut first).map_err(io)?;
        match first == MAGIC {
            true => GgufFile::open(path).map(Self::Gguf),
            false => TensorFiles::open(path).map(Self::Safetensors),
        }
    }

    /// The names of all tensors.
    pub(in crate::model) fn names(&self) -> Vec<String> {
        match self {
            Self::Safetensors(file) => file.header().names(),
            Self::Gguf(file) => file.header().names().map(str::to_owned).collect(),
        }
    }

    /// The tensors.
    pub(in crate::model) fn into_source(self) -> Box<dyn TensorSource> {
        match self {
            Self::Safetensors(file) => Box::new(file),
            Self::Gguf(file) => Box::new(file),
        }
    }
}
