//! Tensors under other names.

use candle_core::{DType, Device, Tensor};

use super::{StoredTensor, TensorSource};
use crate::model::ModelError;

/// The tensors of another source under other names.
pub struct Renamed<F> {
    /// The tensors.
    pub source: Box<dyn TensorSource>,
    /// The name in `source` of a tensor with another name.
    pub stored: F,
}

impl<F: Fn(&str) -> String + Send + Sync> TensorSource for Renamed<F> {
    fn contains(&self, name: &str) -> bool {
        self.source.contains(&(self.stored)(name))
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.source.shape(&(self.stored)(name))
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.source.dtype(&(self.stored)(name))
    }

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        self.source.stored_bytes(&(self.stored)(name))
    }

    fn files(&self) -> String {
        self.source.files()
    }

    /// Loads a tensor. Errors have its name in the source, because that is the one in the file.
    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        self.source.get(&(self.stored)(name), dtype, device)
    }

    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        self.source.get_stored(&(self.stored)(name), device)
    }
}
