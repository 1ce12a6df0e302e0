//! A model whose only file is its transformer.

use std::{
    borrow::Cow,
    fmt, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{Names, OTHERS, TransformerFormat, opened};
use crate::{
    control::Interrupt,
    foreign,
    model::{
        ModelError, Package, TensorSource,
        detect::TRANSFORMER,
        package::{INDEX, config_file, hash_reader},
    },
};

/// The transformer of FLUX.2 Klein or Z-Image in a file, as a model that lacks its text encoder and its autoencoder.
#[derive(Clone)]
pub struct TransformerFile {
    path: PathBuf,
    format: &'static TransformerFormat,
    names: Names,
    /// The configuration of the transformer.
    config: Vec<u8>,
}

impl TransformerFile {
    /// Opens a GGUF or safetensors file. `None` if it is not a transformer of FLUX.2 or Z-Image.
    ///
    /// # Errors
    /// If it cannot be read, lacks a tensor, or has one that the transformers of FLUX.2 Klein and Z-Image do not have.
    pub fn open(path: &Path) -> Result<Option<Self>, ModelError> {
        let Some((format, names)) = TransformerFormat::find(path)? else { return Ok(None) };
        let config = (format.config)(Map::new(), &*opened(path, names)?)?;
        let config = Value::Object(config).to_string().into_bytes();
        Ok(Some(Self { path: path.to_owned(), format, names, config }))
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

impl fmt::Debug for TransformerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, format, names, .. } = self;
        f.debug_struct("TransformerFile")
            .field("path", path)
            .field("class", &format.class)
            .field("names", names)
            .finish_non_exhaustive()
    }
}

impl Package for TransformerFile {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    fn location(&self, _: &str) -> String {
        self.location()
    }

    fn has(&self, file: &str) -> bool {
        self.file(file).is_ok()
    }

    fn has_component(&self, part: &str) -> bool {
        part == TRANSFORMER
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        if file == INDEX {
            return Ok(Cow::Borrowed(self.format.index.as_bytes()));
        }
        if file == config_file(TRANSFORMER) {
            return Ok(Cow::Borrowed(&self.config));
        }
        let mut configs = OTHERS.iter().zip(&self.format.configs);
        let found = configs.find(|(part, _)| config_file(part) == file);
        let found = found.map(|(_, config)| Cow::Borrowed(config.as_bytes()));
        found.ok_or_else(|| ModelError::Missing {
            file: format!("{}: {file}", self.location()),
            hint: "put tokenizer.json of Qwen3 beside the text encoder, or use a text encoder in GGUF, whose file has a tokenizer"
                .to_owned(),
        })
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        let file = self.location();
        match part {
            TRANSFORMER => opened(&self.path, self.names),
            "text_encoder" => Err(ModelError::NoLanguageModel { file }),
            _ => Err(ModelError::NoVae { file, example: self.format.vae }),
        }
    }

    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        let io = |source| ModelError::Io { file: self.location(), source };
        let mut hasher = blake3::Hasher::new();
        hash_reader(&mut foreign::open(&self.path).map_err(io)?, &mut hasher, interrupt, &io)?;
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let state = fs::metadata(&self.path).ok();
        state.map(|state| (state.len(), state.modified().ok())).hash(&mut hasher);
        hasher.finish()
    }

    fn licence(&self) -> Option<String> {
        None
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(self.clone())
    }
}
