//! Safetensors files. Tensors are read one by one, so that a model is never in memory twice.

use std::{io, path::Path};

use candle_core::{DType, Device, Tensor};
use half::{
    bf16, f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
    vec::HalfBitsVecExt,
};
use safetensors::{Dtype, tensor::TensorInfo};

use super::{
    HeaderError, StoredTensor, TensorHeader, TensorSource,
    bytes::{ReadAt, read, read_wide},
    stored::kept_type,
};
use crate::{candle_error::without_backtrace, foreign, model::ModelError};

/// One open safetensors file.
pub(in crate::model) struct TensorFile {
    /// The name for error messages, such as `sketch/unet/diffusion_pytorch_model.safetensors`.
    name: String,
    header: TensorHeader,
    /// The whole file.
    bytes: Box<dyn ReadAt>,
}

impl TensorFile {
    /// Opens a file on disk and reads its header.
    pub(in crate::model) fn open(name: String, path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { file: name.clone(), source };
        let mut file = foreign::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let header = TensorHeader::read(&mut file, size);
        Self::new(name, header, Box::new(file))
    }

    /// Reads the header of a file that is part of the program.
    pub(in crate::model) fn embedded(
        name: String,
        bytes: &'static [u8],
    ) -> Result<Self, ModelError> {
        let header = TensorHeader::read(bytes, bytes.len() as u64);
        Self::new(name, header, Box::new(bytes))
    }

    fn new(
        name: String,
        header: Result<TensorHeader, HeaderError>,
        bytes: Box<dyn ReadAt>,
    ) -> Result<Self, ModelError> {
        match header {
            Ok(header) => Ok(Self { name, header, bytes }),
            Err(HeaderError::Pickle) => Err(ModelError::Pickle { file: name }),
            Err(HeaderError::LfsPointer(source)) => {
                Err(ModelError::LfsPointer { file: name, source })
            }
            Err(source) => Err(ModelError::Weights { file: name, source }),
        }
    }

    /// Reads a tensor of the type `stored`. On the CPU, numbers of 16 bits are widened while they are read if they are to be
    /// f32.
    fn tensor(
        &self,
        info: &TensorInfo,
        stored: DType,
        wanted: DType,
        device: &Device,
    ) -> io::Result<candle_core::Result<Tensor>> {
        let (from, to) = info.data_offsets;
        let (start, count) =
            (self.header.start + from as u64, (to - from) / stored.size_in_bytes());
        let (bytes, shape) = (&*self.bytes, info.shape.as_slice());
        let is_widened = wanted == DType::F32 && device.is_cpu();
        Ok(match stored {
            DType::F32 => Tensor::from_vec(read::<f32>(bytes, start, count)?, shape, device),
            DType::F16 if is_widened => {
                let widen = |narrow: &[u16], wide: &mut [f32]| {
                    narrow.reinterpret_cast::<f16>().convert_to_f32_slice(wide);
                };
                Tensor::from_vec(read_wide(bytes, start, count, widen)?, shape, device)
            }
            DType::BF16 if is_widened => {
                let widen = |narrow: &[u16], wide: &mut [f32]| {
                    narrow.reinterpret_cast::<bf16>().convert_to_f32_slice(wide);
                };
                Tensor::from_vec(read_wide(bytes, start, count, widen)?, shape, device)
            }
            DType::F16 => {
                let numbers = read::<u16>(bytes, start, count)?.reinterpret_into::<f16>();
                Tensor::from_vec(numbers, shape, device)
            }
            DType::BF16 => {
                let numbers = read::<u16>(bytes, start, count)?.reinterpret_into::<bf16>();
                Tensor::from_vec(numbers, shape, device)
            }
            _ => {
                let bytes = read::<u8>(bytes, start, to - from)?;
                Tensor::from_raw_buffer(&bytes, stored, shape, device)
            }
        })
    }
}

/// The weights of one component: one safetensors file or several shards.
pub struct TensorFiles(Vec<TensorFile>);

impl TensorFiles {
    pub(in crate::model) fn new(files: Vec<TensorFile>) -> Self {
        Self(files)
    }

    /// Opens a single safetensors file and reads its header.
    ///
    /// # Errors
    /// [`ModelError::Pickle`], or if the file cannot be read or is not a complete safetensors file.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        Ok(Self(vec![TensorFile::open(path.display().to_string(), path)?]))
    }

    /// The header of a single file.
    pub(crate) fn header(&self) -> &TensorHeader {
        &self.0[0].header
    }

    fn find(&self, name: &str) -> Option<&TensorFile> {
        self.0.iter().find(|file| file.header.metadata.info(name).is_some())
    }

    /// Loads a tensor, converted to the type for the stored one.
    fn load(
        &self,
        name: &str,
        dtype: impl Fn(DType) -> DType,
        device: &Device,
    ) -> Result<Tensor, ModelError> {
        let no_tensor = || ModelError::NoTensor { files: self.files(), tensor: name.to_owned() };
        let file = self.find(name).ok_or_else(no_tensor)?;
        let info = file.header.metadata.info(name).ok_or_else(no_tensor)?;
        let stored = readable(info.dtype).ok_or_else(|| ModelError::NumberType {
            file: file.name.clone(),
            tensor: name.to_owned(),
            found: format!("{:?}", info.dtype),
        })?;
        if info.shape.contains(&0) {
            return Err(ModelError::EmptyTensor {
                file: file.name.clone(),
                tensor: name.to_owned(),
                shape: info.shape.clone(),
            });
        }
        let io = |source| ModelError::Io { file: file.name.clone(), source };
        let wanted = dtype(stored);
        let tensor = file.tensor(info, stored, wanted, device).map_err(io)?;
        tensor.and_then(|tensor| tensor.to_dtype(wanted)).map_err(|source| ModelError::Tensor {
            file: file.name.clone(),
            tensor: name.to_owned(),
            source: Box::new(without_backtrace(source)),
        })
    }
}

impl TensorSource for TensorFiles {
    fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.0.iter().find_map(|file| file.header.shape(name)).map(<[usize]>::to_vec)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        readable(self.find(name)?.header.metadata.info(name)?.dtype)
    }

    fn files(&self) -> String {
        self.0.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        self.load(name, |_| dtype, device)
    }

    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        self.load(name, kept_type, device).map(StoredTensor::Plain)
    }
}

/// The number type of candle. `None` if candle cannot convert it to f32: of the types below a byte, and of the scales of
/// quantised models, it only knows the names.
fn readable(dtype: Dtype) -> Option<DType> {
    let dtype = DType::try_from(dtype).ok()?;
    let is_name = matches!(dtype, DType::F4 | DType::F6E2M3 | DType::F6E3M2 | DType::F8E8M0);
    (!is_name).then_some(dtype)
}
