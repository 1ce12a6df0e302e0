//! The sizes of networks, from the shapes of their tensors.

use candle_core::{DType, Device};

use super::TensorSource;
use crate::model::ModelError;

/// The sizes of a tensor of `N` dimensions.
///
/// # Errors
/// If the tensor does not exist, or has another number of dimensions.
pub(crate) fn dims<const N: usize>(
    tensors: &dyn TensorSource,
    name: &str,
) -> Result<[usize; N], ModelError> {
    let Some(shape) = tensors.shape(name) else {
        // The error of the source has the name in the file.
        tensors.get(name, DType::F32, &Device::Cpu)?;
        return Err(ModelError::NoTensor { files: tensors.files(), tensor: name.to_owned() });
    };
    shape.try_into().map_err(|_| unsupported(tensors, name, &format!("{N} dimensions")))
}

/// The error for a tensor of another shape than `expected`.
pub(crate) fn unsupported(tensors: &dyn TensorSource, name: &str, expected: &str) -> ModelError {
    ModelError::Unsupported {
        file: tensors.files(),
        field: name.to_owned(),
        value: format!("of the shape {:?}", tensors.shape(name).unwrap_or_default()),
        supported: expected.to_owned(),
    }
}

/// The number of names that exist, from that of 0 on.
pub(crate) fn count(tensors: &dyn TensorSource, name: impl Fn(usize) -> String) -> usize {
    (0..).take_while(|index| tensors.contains(&name(*index))).count()
}
