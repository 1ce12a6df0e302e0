//! The shapes of a model's tensors without their values.

use candle_core::{DType, Device, Tensor};

use super::TensorSource;
use crate::{candle_error::without_backtrace, model::ModelError};

/// Zeros in the shapes of another source's tensors. They suffice to build a network and to find mismatched
/// shapes without reading the weights. Each tensor stores only one number.
pub struct ShapesOnly(pub Box<dyn TensorSource>);

impl TensorSource for ShapesOnly {
    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.shape(name)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.0.dtype(name)
    }

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        self.0.stored_bytes(name)
    }

    fn files(&self) -> String {
        self.0.files()
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let (Some(shape), Some(_)) = (self.0.shape(name), self.0.dtype(name)) else {
            // Returns the error of the source.
            return self.0.get(name, dtype, device);
        };
        if shape.contains(&0) {
            return Err(ModelError::EmptyTensor {
                file: self.0.files(),
                tensor: name.to_owned(),
                shape,
            });
        }
        let zeros = Tensor::zeros((), dtype, device).and_then(|zero| zero.broadcast_as(shape));
        zeros.map_err(|source| ModelError::Tensor {
            file: self.0.files(),
            tensor: name.to_owned(),
            source: Box::new(without_backtrace(source)),
        })
    }
}
