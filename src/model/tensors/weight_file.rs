//! A file with tensors, in any of the formats that can be read.

use std::{io::Read, path::Path};

use super::{GgufFile, TensorFiles, TensorSource, gguf::MAGIC};
use crate::{foreign, model::ModelError};

/// The endings of the names of tensors that other programs multiply weights by.
const SCALES: [&str; 6] =
    ["weight_scale", "weight_scale_2", "scale_weight", "input_scale", "scaled_fp8", "comfy_quant"];

/// A file with tensors. Its first bytes tell the format.
pub(in crate::model) enum WeightFile {
    Safetensors(TensorFiles),
    Gguf(GgufFile),
}

impl WeightFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// As [`TensorFiles::open`] and [`GgufFile::open`]; [`ModelError::Unsupported`] if its weights must be multiplied by others.
    pub(in crate::model) fn open(path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { file: path.display().to_string(), source };
        let mut first = Vec::new();
        let file = foreign::open(path).map_err(io)?;
        file.take(MAGIC.len() as u64).read_to_end(&mut first).map_err(io)?;
        let opened = match first == MAGIC {
            true => Self::Gguf(GgufFile::open(path)?),
            false => Self::Safetensors(TensorFiles::open(path)?),
        };
        let is_scale = |name: &String| SCALES.iter().any(|scale| name.ends_with(scale));
        match opened.names().into_iter().find(is_scale) {
            Some(name) => Err(ModelError::Unsupported {
                file: path.display().to_string(),
                field: name,
                value: "a scale of weights".to_owned(),
                supported: "weights in F32, F16, BF16 or the blocks of GGUF".to_owned(),
            }),
            None => Ok(opened),
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
