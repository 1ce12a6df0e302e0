//! Tensors that a file has under other names and in other shapes.

use candle_core::{DType, Device, Tensor};

use super::{StoredTensor, TensorSource, bytes_of, stored::selected_rows};
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
    /// Its second half of rows comes before the first.
    SwappedHalves,
    /// The stored one is transposed.
    Transposed,
    /// The stored one has more dimensions at the end, of size 1.
    Squeezed,
    /// It is a matrix of one row, and the stored one may lack the dimension of rows, as in GGUF files of C++ programs.
    Row,
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
            Self::SwappedHalves => {
                stored.first().filter(|rows| rows.is_multiple_of(2))?;
            }
            Self::Transposed => stored.reverse(),
            Self::Squeezed => {
                while stored.len() > 2 && stored.last() == Some(&1) {
                    stored.pop();
                }
            }
            Self::Row => {
                if stored.len() == 1 {
                    stored.insert(0, 1);
                }
            }
        }
        Some(stored)
    }

    /// Its rows of a matrix that has as many rows as the stored tensor. `None` if it does not consist of rows.
    ///
    /// # Errors
    /// If the matrix cannot be divided so.
    pub(crate) fn rows_of(self, matrix: &Tensor) -> candle_core::Result<Option<Tensor>> {
        if self == Self::Whole {
            return Ok(Some(matrix.clone()));
        }
        let shape = self.shape(matrix.dims().to_vec());
        let rows = shape.and_then(|shape| self.rows(&shape));
        rows.map(|rows| selected_rows(matrix, &rows)).transpose()
    }

    /// The rows of the stored tensor that it consists of, if it consists of rows: ranges of a first row and a number of rows.
    fn rows(self, shape: &[usize]) -> Option<Vec<(usize, usize)>> {
        let rows = *shape.first()?;
        match self {
            Self::Third(index) => Some(vec![(index * rows, rows)]),
            Self::SwappedHalves => Some(vec![(rows / 2, rows / 2), (0, rows / 2)]),
            Self::Whole | Self::Transposed | Self::Squeezed | Self::Row => None,
        }
    }
}

impl<F: Fn(&str) -> Stored + Send + Sync> Converted<F> {
    /// The shape of a tensor, given its stored one.
    fn shape_in(&self, name: &str, view: View, stored: &[usize]) -> Result<Vec<usize>, ModelError> {
        view.shape(stored.to_vec()).ok_or_else(|| ModelError::Unsupported {
            file: self.source.files(),
            field: name.to_owned(),
            value: format!("of the shape {stored:?}"),
            supported: match view {
                View::SwappedHalves => "two matrices in one".to_owned(),
                _ => "three matrices in one".to_owned(),
            },
        })
    }

    fn error(&self, name: &str, source: candle_core::Error) -> ModelError {
        let (file, tensor, source) = (self.source.files(), name.to_owned(), Box::new(source));
        ModelError::Tensor { file, tensor, source }
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

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        let Stored { name, view } = (self.stored)(name);
        let bytes = self.source.stored_bytes(&name)?;
        Some(match view {
            View::Third(_) => bytes / 3,
            View::Whole | View::SwappedHalves => bytes,
            // Loaded as f32.
            View::Transposed | View::Squeezed | View::Row => {
                bytes_of(&self.source.shape(&name)?, DType::F32)
            }
        })
    }

    fn files(&self) -> String {
        self.source.files()
    }

    /// Loads a tensor. Errors have its name in the source, because that is the one in the file.
    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let Stored { name, view } = (self.stored)(name);
        let stored = self.source.get(&name, dtype, device)?;
        let shape = self.shape_in(&name, view, stored.dims())?;
        let converted = match (view, view.rows(&shape)) {
            (_, Some(rows)) => selected_rows(&stored, &rows),
            (View::Transposed, _) => stored.t(),
            (View::Squeezed | View::Row, _) => stored.reshape(shape),
            _ => Ok(stored),
        };
        converted.and_then(|tensor| tensor.contiguous()).map_err(|error| self.error(&name, error))
    }

    /// Rows of a matrix stay as they are stored.
    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        let Stored { name: stored_name, view } = (self.stored)(name);
        if matches!(view, View::Transposed | View::Squeezed | View::Row) {
            return self.get(name, DType::F32, device).map(StoredTensor::Plain);
        }
        let stored = self.source.get_stored(&stored_name, device)?;
        let shape = self.shape_in(&stored_name, view, stored.dims())?;
        match view.rows(&shape) {
            Some(rows) => stored.rows(&rows).map_err(|error| self.error(&stored_name, error)),
            None => Ok(stored),
        }
    }
}
