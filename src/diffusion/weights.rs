//! Reading safetensors files tensor by tensor, so that a model never lies in memory twice.

use std::{
    borrow::Cow,
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, PoisonError},
};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use safetensors::tensor::Metadata;

use super::DiffusionError;

/// How many bytes tell the length of a safetensors header.
const LENGTH_BYTES: u64 = 8;

/// A header larger than this is no header (the limit that the safetensors library sets, too).
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// One safetensors file, open.
pub(super) struct WeightFile {
    /// As messages call it, such as `unet/diffusion_pytorch_model.safetensors`.
    name: String,
    metadata: Metadata,
    /// Where the tensors begin.
    start: u64,
    bytes: Source,
}

enum Source {
    Disk(Mutex<File>),
    Embedded(&'static [u8]),
}

impl WeightFile {
    /// Opens a file on disk and reads its header.
    pub(super) fn open(name: &str, path: &Path) -> Result<Self, DiffusionError> {
        let io = |source| DiffusionError::Io { file: name.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let (metadata, start) = read_header(name, &mut file, size)?;
        let bytes = Source::Disk(Mutex::new(file));
        Ok(Self { name: name.to_owned(), metadata, start, bytes })
    }

    /// Reads the header of a file that is part of the program.
    pub(super) fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self, DiffusionError> {
        let (metadata, start) = read_header(name, &mut { bytes }, bytes.len() as u64)?;
        Ok(Self { name: name.to_owned(), metadata, start, bytes: Source::Embedded(bytes) })
    }

    fn read(&self, from: usize, to: usize) -> std::io::Result<Cow<'_, [u8]>> {
        match &self.bytes {
            Source::Embedded(bytes) => {
                let start = self.start as usize;
                bytes
                    .get(start + from..start + to)
                    .map(Cow::Borrowed)
                    .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
            }
            Source::Disk(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.start + from as u64))?;
                let mut bytes = vec![0; to - from];
                file.read_exact(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

/// Reads the header and compares the size that it promises with `size`.
fn read_header(
    name: &str,
    file: &mut impl Read,
    size: u64,
) -> Result<(Metadata, u64), DiffusionError> {
    let bad = |reason: String| DiffusionError::BadWeights { file: name.to_owned(), reason };
    let mut length = [0; LENGTH_BYTES as usize];
    file.read_exact(&mut length).map_err(|_| bad(format!("it has only {size} bytes")))?;
    if is_pickle(&length) {
        return Err(DiffusionError::Pickle { file: name.to_owned() });
    }
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES || LENGTH_BYTES + length > size {
        return Err(bad(format!("its header would have {length} bytes, the file has {size}")));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(|error| bad(error.to_string()))?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| bad(format!("its header cannot be understood ({error})")))?;
    let start = LENGTH_BYTES + length;
    let promised = start + metadata.data_len() as u64;
    if promised != size {
        return Err(bad(format!("its header promises {promised} bytes, the file has {size}")));
    }
    Ok((metadata, start))
}

/// Whether a file begins like a pickle, or like the archive that PyTorch puts pickles into.
fn is_pickle(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || (head[0] == 0x80 && (2..=5).contains(&head[1]))
}

/// The weights of one component, from one file or several shards, always handed out as f32.
pub(super) struct Weights {
    component: String,
    files: Vec<WeightFile>,
}

impl Weights {
    pub(super) fn new(component: &str, files: Vec<WeightFile>) -> Self {
        Self { component: component.to_owned(), files }
    }

    /// The builder with which candle's users ask for tensors by name.
    pub(super) fn into_var_builder(self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self), DType::F32, device.clone())
    }

    fn find(&self, name: &str) -> Option<(&WeightFile, &safetensors::tensor::TensorInfo)> {
        self.files.iter().find_map(|file| Some((file, file.metadata.info(name)?)))
    }
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() == &shape {
            return Ok(tensor);
        }
        Err(candle_core::Error::wrap(WeightError::Shape {
            file: self.find(name).map_or_else(String::new, |(file, _)| file.name.clone()),
            tensor: name.to_owned(),
            component: self.component.clone(),
            expected: shape,
            found: tensor.shape().clone(),
        }))
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let (file, info) = self.find(name).ok_or_else(|| {
            let files = self.files.iter().map(|file| file.name.as_str());
            candle_core::Error::wrap(WeightError::Missing {
                files: files.collect::<Vec<_>>().join(", "),
                tensor: name.to_owned(),
                component: self.component.clone(),
            })
        })?;
        let (from, to) = info.data_offsets;
        let bytes = file.read(from, to).map_err(|source| {
            let (file, tensor) = (file.name.clone(), name.to_owned());
            candle_core::Error::wrap(WeightError::Io { file, tensor, source })
        })?;
        let stored = DType::try_from(info.dtype)?;
        Tensor::from_raw_buffer(&bytes, stored, &info.shape, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

/// What can be wrong with one tensor. Travels inside [`candle_core::Error`].
#[derive(Debug, thiserror::Error)]
enum WeightError {
    #[error(
        "{files}: the tensor `{tensor}` is missing, which {component}/config.json asks for; \
         the weights and the configuration do not belong together"
    )]
    Missing { files: String, tensor: String, component: String },
    #[error(
        "{file}: the tensor `{tensor}` has the shape {found:?}, but {component}/config.json \
         asks for {expected:?}; the weights and the configuration do not belong together"
    )]
    Shape { file: String, tensor: String, component: String, expected: Shape, found: Shape },
    #[error("{file}: the tensor `{tensor}` cannot be read: {source}")]
    Io { file: String, tensor: String, source: std::io::Error },
}
