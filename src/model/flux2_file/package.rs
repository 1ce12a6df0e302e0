//! A model of FLUX.2 Klein whose only file is its transformer.

use std::{
    borrow::Cow,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{Names, config, opened};
use crate::{
    control::Interrupt,
    foreign,
    model::{
        ModelError, Package, TensorSource,
        detect::TRANSFORMER,
        package::{INDEX, config_file, hash_reader},
        tensors::WeightFile,
    },
};

/// The index of the published models. No tensor tells the distilled one from the base model. So the defaults are those of the
/// distilled one, which is not guided, and a guidance scale that an author sets has an effect, as in `ComfyUI`.
const MODEL_INDEX: &str = r#"{
    "_class_name": "Flux2KleinPipeline",
    "is_distilled": false,
    "_defaults": {"steps": 4, "guidance_scale": 1.0},
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3ForCausalLM"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLFlux2"]
}"#;

/// The configurations of the published models, as far as no tensor tells them.
const CONFIGS: [(&str, &str); 3] = [
    (
        "scheduler",
        r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0,
            "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256,
            "max_image_seq_len": 4096, "time_shift_type": "exponential"}"#,
    ),
    ("text_encoder", r#"{"rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu"}"#),
    ("vae", r#"{"norm_num_groups": 32, "batch_norm_eps": 1e-4}"#),
];

/// The transformer of FLUX.2 Klein in a file, as a model that lacks its text encoder and its autoencoder.
#[derive(Clone, Debug)]
pub struct Flux2File {
    path: PathBuf,
    names: Names,
    /// The configuration of the transformer.
    config: Vec<u8>,
}

impl Flux2File {
    /// Opens a GGUF or safetensors file. `None` if it is not a transformer of FLUX.2.
    ///
    /// # Errors
    /// If it cannot be read, lacks a tensor, or belongs to another model than Klein.
    pub fn open(path: &Path) -> Result<Option<Self>, ModelError> {
        let file = WeightFile::open(path)?;
        let tensors = file.names();
        if Names::of(&|name| tensors.iter().any(|known| known == name)).is_none() {
            return Ok(None);
        }
        let names = super::readable_names(&path.display().to_string(), &tensors)?;
        let config = config(Value::Object(Map::new()), &*opened(path, names)?)?;
        let config = config.to_string().into_bytes();
        Ok(Some(Self { path: path.to_owned(), names, config }))
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

impl Package for Flux2File {
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
            return Ok(Cow::Borrowed(MODEL_INDEX.as_bytes()));
        }
        if file == config_file(TRANSFORMER) {
            return Ok(Cow::Borrowed(&self.config));
        }
        let found = CONFIGS.iter().find(|(part, _)| config_file(part) == file);
        let found = found.map(|(_, config)| Cow::Borrowed(config.as_bytes()));
        found.ok_or_else(|| ModelError::Missing {
            file: format!("{}: {file}", self.location()),
            hint: "name a text encoder in GGUF, whose file has a tokenizer, or a folder with one"
                .to_owned(),
        })
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        let file = self.location();
        match part {
            TRANSFORMER => opened(&self.path, self.names),
            "text_encoder" => Err(ModelError::NoTextEncoder { file }),
            _ => Err(ModelError::NoVae { file }),
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
