//! Tensors that a file has under other names and in other shapes.

use candle_core::{DType, Device, Tensor};

use super::TensorSource;
use crate::model::ModelError;

/// The tensors of another source, converted.
pub(crate) struct Converted<F> {
    /// The tensors.
    pub(crate) source: Box<dyn TensorSource>,
    /// Where `source` has a tensor.
    pub(crate) stored: F,
}

/// Where a source has a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The name in the source.
    pub(crate) name: String,
    pub(crate) view: View,
}

/// The relation of a tensor to the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// They are equal.
    Whole,
    /// It is one of three parts with equal numbers of rows.
    Third(usize),
    /// The stored one is transposed.
    Transposed,
    /// The stored one has more dimensions at the end, of size 1.
    Squeezed,
}

impl Stored {
    pub(crate) fn whole(name: String) -> Self {
        Self { name, view: View::Whole }
    }
}

impl View {
    /// The shape of the tensor. `None` if the stored one does not have it.
    fn shape(self, mut stored: Vec<usize>) -> Option<Vec<usize>> {
        match self {
            Self::Whole => {}
            Self::Third(_) => {
                let rows = stored.first_mut().filter(|rows| rows.is_multiple_of(3))?;
                *rows /= 3;
            }
            Self::Transposed => stored.reverse(),
            Self::Squeezed => {
                while stored.len() > 2 && stored.last() == Some(&1) {
                    stored.pop();
                }
            }
        }
        Some(stored)
    }
}

impl<F: Fn(&str) -> Stored + Send + Sync> TensorSource for Converted<F> {
    fn contains(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let Stored { name, view } = (self.stored)(name);
        view.shape(self.source.shape(&name)?)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        self.source.dtype(&(self.stored)(name).name)
    }

    fn files(&self) -> String {
        self.source.files()
    }

    /// Loads a tensor. Errors have its name in the source, because that is the one in the file.
    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let shape = self.shape(name);
        let Stored { name, view } = (self.stored)(name);
        let stored = self.source.get(&name, dtype, device)?;
        let Some(shape) = shape else {
            return Err(ModelError::Unsupported {
                file: self.source.files(),
                field: name,
                value: format!("of the shape {:?}", stored.dims()),
                supported: "three matrices in one".to_owned(),
            });
        };
        let converted = match view {
            View::Whole => Ok(stored),
            View::Third(index) => stored.narrow(0, index * shape[0], shape[0]),
            View::Transposed => stored.t(),
            View::Squeezed => stored.reshape(shape),
        };
        converted.and_then(|tensor| tensor.contiguous()).map_err(|source| ModelError::Tensor {
            file: self.source.files(),
            tensor: name,
            source: Box::new(source),
        })
    }
}
