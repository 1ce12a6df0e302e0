//! GGUF files. Tensors are read one by one, so that a model is never in memory twice.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Tensor};

use super::{
    GgufError, GgufHeader, GgufTensor, Metadata,
    reader::{INTEGER, TEXT},
};
use crate::{
    candle_error::without_backtrace,
    foreign,
    model::{
        ModelError,
        tensors::{StoredTensor, TensorSource, bytes},
    },
};

/// The tensors of an open GGUF file.
#[derive(Debug)]
pub struct GgufFile {
    /// The name for error messages.
    name: String,
    header: GgufHeader,
    file: Mutex<File>,
}

impl GgufFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`ModelError::Gguf`] if it is not a complete GGUF file; otherwise if it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let name = path.display().to_string();
        let io = |source| ModelError::Io { file: name.clone(), source };
        let mut file = foreign::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        match GgufHeader::read(&mut file, bytes) {
            Ok(header) => Ok(Self { name, header, file: Mutex::new(file) }),
            Err(GgufError::LfsPointer(source)) => {
                Err(ModelError::LfsPointer { file: name, source })
            }
            Err(source) => Err(ModelError::Gguf { file: name, source }),
        }
    }

    /// The header of the file.
    #[must_use]
    pub fn header(&self) -> &GgufHeader {
        &self.header
    }

    /// A list of texts of the metadata, such as the tokens of a vocabulary. `None` if the file has no such list.
    ///
    /// # Errors
    /// If the file cannot be read any more, or a text is not UTF-8.
    pub(in crate::model) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ModelError> {
        self.list(name, TEXT, |file| {
            let length = u64::from_le_bytes(array(file)?);
            let mut bytes = Vec::new();
            if file.take(length).read_to_end(&mut bytes)? as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            String::from_utf8(bytes).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("`{name}`: {error}"))
            })
        })
    }

    /// A list of integers of 32 bits in the metadata. `None` if the file has no such list.
    ///
    /// # Errors
    /// If the file cannot be read any more.
    pub(in crate::model) fn integers(&self, name: &str) -> Result<Option<Vec<i32>>, ModelError> {
        self.list(name, INTEGER, |file| array(file).map(i32::from_le_bytes))
    }

    /// A list with items of this type, each read by `item`.
    fn list<T>(
        &self,
        name: &str,
        kind: u32,
        item: impl Fn(&mut dyn Read) -> io::Result<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        let list = match self.header.metadata.get(name) {
            Some(Metadata::List(list)) if list.item == kind => list,
            _ => return Ok(None),
        };
        let io = |source| ModelError::Io { file: self.name.clone(), source };
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(list.start)).map_err(io)?;
        let mut file = BufReader::new(&mut *file);
        let items: io::Result<Vec<T>> = (0..list.count).map(|_| item(&mut file)).collect();
        items.map(Some).map_err(io)
    }

    fn find(&self, name: &str) -> Result<&GgufTensor, ModelError> {
        self.header
            .tensors
            .get(name)
            .ok_or_else(|| ModelError::NoTensor { files: self.files(), tensor: name.to_owned() })
    }

    fn read(&self, tensor: &GgufTensor) -> io::Result<Vec<u8>> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // The header was checked against the size of the file.
        bytes::read(&*file, tensor.start, tensor.bytes)
    }

    fn error(&self, name: &str, source: candle_core::Error) -> ModelError {
        ModelError::Tensor {
            file: self.name.clone(),
            tensor: name.to_owned(),
            source: Box::new(without_backtrace(source)),
        }
    }
}

impl TensorSource for GgufFile {
    fn contains(&self, name: &str) -> bool {
        self.header.tensors.contains_key(name)
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.header.shape(name).map(<[usize]>::to_vec)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        let kind = self.header.tensors.get(name)?.kind;
        kind.blocks().map(|_| kind.plain().unwrap_or(DType::F32))
    }

    fn stored_bytes(&self, name: &str) -> Option<u64> {
        let tensor = self.header.tensors.get(name)?;
        tensor.kind.blocks().map(|_| tensor.bytes as u64)
    }

    fn files(&self) -> String {
        self.name.clone()
    }

    fn get(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor, ModelError> {
        let converted = match self.get_stored(name, device)? {
            StoredTensor::Plain(tensor) => tensor.to_dtype(dtype),
            stored => stored.widened().and_then(|tensor| tensor.to_dtype(dtype)),
        };
        converted.map_err(|error| self.error(name, error))
    }

    fn get_stored(&self, name: &str, device: &Device) -> Result<StoredTensor, ModelError> {
        let tensor = self.find(name)?;
        let GgufTensor { shape, kind, .. } = tensor;
        let blocks = kind.blocks().ok_or_else(|| ModelError::NumberType {
            file: self.name.clone(),
            tensor: name.to_owned(),
            found: kind.to_string(),
        })?;
        if shape.contains(&0) {
            let (file, tensor, shape) = (self.name.clone(), name.to_owned(), shape.clone());
            return Err(ModelError::EmptyTensor { file, tensor, shape });
        }
        let io = |source| ModelError::Io { file: self.name.clone(), source };
        let bytes = self.read(tensor).map_err(io)?;
        let stored = match kind.plain() {
            Some(dtype) => {
                Tensor::from_raw_buffer(&bytes, dtype, shape, device).map(StoredTensor::Plain)
            }
            None => StoredTensor::quantized(&bytes, blocks, shape, device),
        };
        stored.map_err(|error| self.error(name, error))
    }
}

fn array<const N: usize>(file: &mut dyn Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
