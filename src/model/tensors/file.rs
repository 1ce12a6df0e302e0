//! Safetensors files. Tensors are read one by one, so that a model is never in memory twice.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, tensor::TensorInfo};

use super::{HeaderError, StoredTensor, TensorHeader, TensorSource, stored::kept_type};
use crate::{candle_error::without_backtrace, foreign, model::ModelError};

/// One open safetensors file.
pub(in crate::model) struct TensorFile {
    /// The name for error messages, such as `sketch/unet/diffusion_pytorch_model.safetensors`.
    name: String,
    header: TensorHeader,
    bytes: Bytes,
}

enum Bytes {
    Disk(Mutex<File>),
    Embedded(&'static [u8]),
}

impl TensorFile {
    /// Opens a file on disk and reads its header.
    pub(in crate::model) fn open(name: String, path: &Path) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io { file: name.clone(), source };
        let mut file = foreign::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let header = TensorHeader::read(&mut file, size);
        let bytes = Bytes::Disk(Mutex::new(file));
        Self::new(name, header, bytes)
    }

    /// Reads the header of a file that is part of the program.
    pub(in crate::model) fn embedded(
        name: String,
        bytes: &'static [u8],
    ) -> Result<Self, ModelError> {
        let header = TensorHeader::read(bytes, bytes.len() as u64);
        Self::new(name, header, Bytes::Embedded(bytes))
    }

    fn new(
        name: String,
        header: Result<TensorHeader, HeaderError>,
        bytes: Bytes,
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

    fn read(&self, (from, to): (usize, usize)) -> io::Result<Cow<'_, [u8]>> {
        match &self.bytes {
            Bytes::Embedded(bytes) => {
                let start = self.header.start as usize;
                let part = bytes.get(start + from..start + to);
                part.map(Cow::Borrowed).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Bytes::Disk(file) => {
                let mut bytes = vec![0; to - from];
                self.read_into(file, from, &mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// The values of a tensor of f32 on disk, which are read to where they stay.
    fn read_floats(&self, info: &TensorInfo) -> io::Result<Option<Vec<f32>>> {
        let (from, to) = info.data_offsets;
        match &self.bytes {
            Bytes::Disk(file) if info.dtype == Dtype::F32 && cfg!(target_endian = "little") => {
                let mut values = vec![0.0; (to - from) / size_of::<f32>()];
                self.read_into(file, from, bytemuck::cast_slice_mut(&mut values))?;
                Ok(Some(values))
            }
            _ => Ok(None),
        }
    }

    fn read_into(&self, file: &Mutex<File>, from: usize, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.header.start + from as u64))?;
        file.read_exact(bytes)
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
        let tensor = match file.read_floats(info).map_err(io)? {
            Some(floats) => Tensor::from_vec(floats, info.shape.as_slice(), device),
            None => {
                let bytes = file.read(info.data_offsets).map_err(io)?;
                Tensor::from_raw_buffer(&bytes, stored, &info.shape, device)
            }
        };
        tensor.and_then(|tensor| tensor.to_dtype(dtype(stored))).map_err(|source| {
            ModelError::Tensor {
                file: file.name.clone(),
                tensor: name.to_owned(),
                source: Box::new(without_backtrace(source)),
            }
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
