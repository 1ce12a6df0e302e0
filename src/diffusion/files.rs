//! The files of a model in diffusers' layout, on disk or embedded in the crate.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    DiffusionError,
    weights::{WeightFile, Weights},
};

/// A model: a folder with `model_index.json` and a folder per component, such as `unet`.
#[derive(Clone, Debug)]
pub struct ModelFiles(Place);

#[derive(Clone, Debug)]
enum Place {
    Folder(PathBuf),
    Embedded { name: &'static str, files: &'static [(&'static str, &'static [u8])] },
}

/// Pairs the relative names of files with their contents.
macro_rules! embed {
    ($folder:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_bytes!(concat!($folder, $file)).as_slice())),*]
    };
}

/// The model that ships with the crate.
const SKETCH: &[(&str, &[u8])] = embed!("../../assets/models/sketch/":
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
);

/// The names, without extension, that a component's weights may have: diffusers', then
/// transformers', each also as the half-precision twin.
const STEMS: [&str; 4] =
    ["diffusion_pytorch_model", "model", "diffusion_pytorch_model.fp16", "model.fp16"];

/// A folder with one of these is a model: the index of a whole one, or one lone network.
const MARKS: [&str; 3] = ["model_index.json", "unet/config.json", "vae/config.json"];

/// Extensions of weight files that may hold pickles.
const PICKLES: [&str; 5] = ["bin", "ckpt", "pt", "pth", "pkl"];

impl ModelFiles {
    /// Opens the diffusers folder at `path`. Its parts are read when they are asked for.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] when there is no such folder, [`DiffusionError::Pickle`] when
    /// `path` is a single pickled checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DiffusionError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        if path.is_file() {
            return Err(match path.extension().and_then(|extension| extension.to_str()) {
                Some(extension) if PICKLES.contains(&extension) => DiffusionError::Pickle { file },
                _ => DiffusionError::Missing {
                    file: format!("{file}/model_index.json"),
                    hint: "a model is a folder in diffusers' layout, not a single file".to_owned(),
                },
            });
        }
        if !MARKS.iter().any(|mark| path.join(mark).is_file()) {
            return Err(DiffusionError::Missing {
                file: format!("{file}/model_index.json"),
                hint: "choose the folder of a model in diffusers' layout".to_owned(),
            });
        }
        Ok(Self(Place::Folder(path.to_owned())))
    }

    /// The small model that ships inside the crate.
    pub fn built_in() -> Self {
        Self(Place::Embedded { name: "sketch", files: SKETCH })
    }

    /// What people call the model: the folder's name.
    pub fn name(&self) -> String {
        match &self.0 {
            Place::Embedded { name, .. } => (*name).to_owned(),
            Place::Folder(path) => {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
        }
    }

    /// Whether the file `rel`, relative to the model, is there.
    pub fn has(&self, rel: &str) -> bool {
        match &self.0 {
            Place::Folder(path) => path.join(rel).is_file(),
            Place::Embedded { files, .. } => files.iter().any(|(name, _)| *name == rel),
        }
    }

    /// Reads the whole file `rel`, relative to the model.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`] or [`DiffusionError::Io`].
    pub fn read(&self, rel: &str) -> Result<Cow<'_, [u8]>, DiffusionError> {
        match &self.0 {
            Place::Folder(path) => fs::read(path.join(rel)).map(Cow::Owned).map_err(|source| {
                if source.kind() == std::io::ErrorKind::NotFound {
                    self.missing(rel)
                } else {
                    DiffusionError::Io { file: self.full(rel), source }
                }
            }),
            Place::Embedded { files, .. } => files
                .iter()
                .find_map(|(name, bytes)| (*name == rel).then_some(Cow::Borrowed(*bytes)))
                .ok_or_else(|| self.missing(rel)),
        }
    }

    /// Reads a JSON file of the model.
    ///
    /// # Errors
    /// As [`Self::read`], and [`DiffusionError::Config`] when it does not fit `T`.
    pub fn config<T: DeserializeOwned>(&self, rel: &str) -> Result<T, DiffusionError> {
        serde_json::from_slice(&self.read(rel)?)
            .map_err(|source| DiffusionError::Config { file: self.full(rel), source })
    }

    /// The weights of a component, such as `unet`, read tensor by tensor and widened to f32.
    ///
    /// # Errors
    /// [`DiffusionError::Missing`], [`DiffusionError::Pickle`] when there are only pickled
    /// weights, or [`DiffusionError::BadWeights`].
    pub fn weights(
        &self,
        component: &str,
        device: &Device,
    ) -> Result<VarBuilder<'static>, DiffusionError> {
        let files = self.weight_files(component)?;
        let files: Result<_, _> = files.iter().map(|rel| self.open_weights(rel)).collect();
        Ok(Weights::new(component, files?).into_var_builder(device))
    }

    /// The blake3 of all weight files of the text encoder, the UNet and the autoencoder, as hex.
    /// Reads them whole, which takes seconds for a large model: keep what it returns.
    ///
    /// # Errors
    /// As [`Self::weights`].
    pub fn hash(&self) -> Result<String, DiffusionError> {
        let mut hasher = blake3::Hasher::new();
        for component in ["text_encoder", "unet", "vae"] {
            for rel in self.weight_files(component)? {
                match &self.0 {
                    Place::Embedded { .. } => {
                        hasher.update(&self.read(&rel)?);
                    }
                    Place::Folder(path) => {
                        let io = |source| DiffusionError::Io { file: self.full(&rel), source };
                        let file = fs::File::open(path.join(&rel)).map_err(io)?;
                        hasher.update_reader(file).map_err(io)?;
                    }
                }
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// The licence that the model card (`README.md`) names at its head, if there is one.
    pub fn licence(&self) -> Option<String> {
        if matches!(self.0, Place::Embedded { .. }) {
            // The built-in weights are part of the crate.
            return Some(env!("CARGO_PKG_LICENSE").to_owned());
        }
        let card = self.read("README.md").ok()?;
        let card = String::from_utf8_lossy(&card);
        let head = card.strip_prefix("---")?.split("\n---").next()?;
        let licence = head.lines().find_map(|line| line.strip_prefix("license:"))?;
        Some(licence.trim().trim_matches(['"', '\'']).to_owned())
    }

    /// A file's name as messages should show it.
    pub(super) fn full(&self, rel: &str) -> String {
        match &self.0 {
            Place::Folder(path) => path.join(rel).display().to_string(),
            Place::Embedded { name, .. } => format!("{name}/{rel}"),
        }
    }

    fn missing(&self, rel: &str) -> DiffusionError {
        let hint = "a model in diffusers' layout has it; download or copy the model again";
        DiffusionError::Missing { file: self.full(rel), hint: hint.to_owned() }
    }

    fn open_weights(&self, rel: &str) -> Result<WeightFile, DiffusionError> {
        match &self.0 {
            Place::Folder(path) => {
                let path = path.join(rel);
                if path.exists() {
                    WeightFile::open(&self.full(rel), &path)
                } else {
                    Err(self.missing(rel))
                }
            }
            Place::Embedded { files, .. } => files
                .iter()
                .find(|(name, _)| *name == rel)
                .ok_or_else(|| self.missing(rel))
                .and_then(|(_, bytes)| WeightFile::embedded(&self.full(rel), bytes)),
        }
    }

    /// The weight files of a component: one, or the shards that an index lists.
    fn weight_files(&self, component: &str) -> Result<Vec<String>, DiffusionError> {
        for stem in STEMS {
            let whole = format!("{component}/{stem}.safetensors");
            if self.has(&whole) {
                return Ok(vec![whole]);
            }
            for index in [
                format!("{component}/{stem}.safetensors.index.json"),
                // The half-precision twin of an index puts its mark in the middle.
                format!("{component}/{}", stem.replace(".fp16", ".safetensors.index.fp16.json")),
            ] {
                if self.has(&index) {
                    return self.shards(component, &index);
                }
            }
        }
        let pickled = STEMS.iter().chain(&["pytorch_model"]).find_map(|stem| {
            let mut names = PICKLES.iter().map(|ext| format!("{component}/{stem}.{ext}"));
            names.find(|rel| self.has(rel))
        });
        Err(match pickled {
            Some(rel) => DiffusionError::Pickle { file: self.full(&rel) },
            None => self.missing(&format!("{component}/{}.safetensors", stem_of(component))),
        })
    }

    fn shards(&self, component: &str, index: &str) -> Result<Vec<String>, DiffusionError> {
        #[derive(Deserialize)]
        struct Index {
            weight_map: std::collections::BTreeMap<String, String>,
        }
        let mut shards: Vec<String> =
            self.config::<Index>(index)?.weight_map.into_values().collect();
        shards.sort();
        shards.dedup();
        if let Some(outside) = shards.iter().find(|shard| shard.contains(['/', '\\'])) {
            return Err(DiffusionError::Unsupported {
                file: self.full(index),
                field: "weight_map".to_owned(),
                value: format!("\"{outside}\""),
                supported: "the name of a file beside it".to_owned(),
            });
        }
        Ok(shards.into_iter().map(|shard| format!("{component}/{shard}")).collect())
    }
}

/// The name that diffusers or transformers gives the weights of a component.
fn stem_of(component: &str) -> &'static str {
    if component.starts_with("text_encoder") { "model" } else { "diffusion_pytorch_model" }
}
