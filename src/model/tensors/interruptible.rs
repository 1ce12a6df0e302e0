//! Interruptible loading of tensors.

use candle_core::{DType, Device, Tensor};

use super::{StoredTensor, TensorSource};
use crate::{control::Interrupt, model::ModelError};

/// Wraps another source and checks an interrupt before each tensor.
pub struct Interruptible {
    /// The tensors.
    pub source: Box<dyn TensorSource>,
    /// Cancels or pauses loading.
    pub interrupt: Interrupt,
}

impl TensorSource for Interruptible {
    fn contains(&self, name: &str) -> bool {
        self.source.contains(name)
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.source.shape(name)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.source.dtype(name)
    }

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        self.source.stored_bytes(name)
    }

    fn files(&self) -> String {
        self.source.files()
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        self.interrupt.check()?;
        self.source.get(name, dtype, device)
    }

    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        self.interrupt.check()?;
        self.source.get_stored(name, device)
    }
}
