//! The files of a model in diffusers' layout, on disk or embedded in the crate.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use candle_core::Device;
use candle_nn::VarBuilder;
use serde::{Deserialize, de::DeserializeOwned};

use crate::models;

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

    /// The licence that the model names, if it does: see [`models::licence`].
    pub fn licence(&self) -> Option<String> {
        match &self.0 {
            // The built-in weights are part of the crate.
            Place::Embedded { .. } => Some(env!("CARGO_PKG_LICENSE").to_owned()),
            Place::Folder(path) => models::licence(path),
        }
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

#[cfg(test)]
mod tests {
    use candle_core::{DType, Tensor};
    use tempfile::TempDir;

    use super::*;

    const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

    /// A copy of the built-in model that a test may damage.
    fn copy() -> (TempDir, ModelFiles) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in SKETCH {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let files = ModelFiles::open(folder.path()).unwrap();
        (folder, files)
    }

    fn weights_error(files: &ModelFiles) -> String {
        files.weights("unet", &Device::Cpu).err().unwrap().to_string()
    }

    #[test]
    fn a_folder_on_disk_is_the_same_model_as_the_embedded_one() {
        let (folder, files) = copy();
        assert_eq!(files.hash().unwrap(), ModelFiles::built_in().hash().unwrap());
        let name = folder.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(files.name(), name);
        let read = |files: &ModelFiles| {
            let weights = files.weights("unet", &Device::Cpu).unwrap();
            let tensor = weights.get(64, "conv_in.bias").unwrap();
            assert_eq!(tensor.dtype(), DType::F32);
            tensor.to_vec1::<f32>().unwrap()
        };
        assert_eq!(read(&files), read(&ModelFiles::built_in()));
    }

    #[test]
    fn the_hash_changes_with_one_bit_of_one_weight() {
        let (folder, files) = copy();
        let before = files.hash().unwrap();
        let mut bytes = fs::read(folder.path().join(UNET)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(folder.path().join(UNET), bytes).unwrap();
        assert_ne!(files.hash().unwrap(), before);
    }

    #[test]
    fn a_missing_folder_or_file_is_named() {
        let (folder, files) = copy();
        fs::remove_file(folder.path().join(UNET)).unwrap();
        assert!(weights_error(&files).contains(&format!("{UNET} is missing")));
        fs::remove_file(folder.path().join("unet/config.json")).unwrap();
        let error = files.config::<serde_json::Value>("unet/config.json").unwrap_err();
        assert!(error.to_string().contains("unet/config.json is missing"), "{error}");
        let error = ModelFiles::open(folder.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("nowhere/model_index.json is missing"), "{error}");
    }

    #[test]
    fn a_truncated_weight_file_says_how_much_is_missing() {
        let (folder, files) = copy();
        let path = folder.path().join(UNET);
        let bytes = fs::read(&path).unwrap();
        for size in [bytes.len() - 1, 5000, 8, 3, 0] {
            fs::write(&path, &bytes[..size]).unwrap();
            let error = weights_error(&files);
            assert!(error.contains(UNET) && error.contains(&size.to_string()), "{error}");
        }
    }

    #[test]
    fn what_only_looks_like_weights_is_refused() {
        let (folder, files) = copy();
        let path = folder.path().join(UNET);
        fs::write(&path, b"version https://git-lfs.github.com/spec/v1\n").unwrap();
        assert!(weights_error(&files).contains("not a whole safetensors file"));
        for pickle in [b"PK\x03\x04 an archive".as_slice(), b"\x80\x02}q\x00. a pickle"] {
            fs::write(&path, pickle).unwrap();
            assert!(weights_error(&files).contains("pickle"));
        }
        fs::rename(&path, folder.path().join("unet/diffusion_pytorch_model.bin")).unwrap();
        let error = weights_error(&files);
        assert!(error.contains("diffusion_pytorch_model.bin is a pickle"), "{error}");
        let checkpoint = folder.path().join("model.ckpt");
        fs::write(&checkpoint, "").unwrap();
        let error = ModelFiles::open(checkpoint).unwrap_err().to_string();
        assert!(error.contains("model.ckpt is a pickle"), "{error}");
    }

    #[test]
    fn a_tensor_that_does_not_fit_is_named_with_both_shapes() {
        let files = ModelFiles::built_in();
        let weights = files.weights("unet", &Device::Cpu).unwrap();
        let error = weights.pp("conv_in").get((64, 9, 3, 3), "weight").unwrap_err().to_string();
        for part in [UNET, "`conv_in.weight`", "[64, 32, 3, 3]", "[64, 9, 3, 3]"] {
            assert!(error.contains(part), "{error}");
        }
        let error = weights.get(1, "conv_in.scale").unwrap_err().to_string();
        assert!(error.contains(UNET) && error.contains("`conv_in.scale` is missing"), "{error}");
    }

    #[test]
    fn shards_are_read_as_one_and_half_precision_is_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("unet")).unwrap();
        fs::write(folder.path().join("unet/config.json"), "{}").unwrap();
        let tensor = Tensor::new(&[1.5_f32, -2.0], &Device::Cpu).unwrap();
        let half = tensor.to_dtype(DType::F16).unwrap();
        for name in ["a", "b"] {
            half.save_safetensors(name, folder.path().join(format!("unet/{name}.safetensors")))
                .unwrap();
        }
        let index = r#"{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}"#;
        let files = ModelFiles::open(folder.path()).unwrap();
        for name in [
            "unet/diffusion_pytorch_model.safetensors.index.json",
            "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
        ] {
            fs::write(folder.path().join(name), index).unwrap();
            let weights = files.weights("unet", &Device::Cpu).unwrap();
            for tensor in ["a", "b"] {
                let numbers = weights.get(2, tensor).unwrap().to_vec1::<f32>().unwrap();
                assert_eq!(numbers, [1.5, -2.0]);
            }
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        half.save_safetensors(
            "c",
            folder.path().join("unet/diffusion_pytorch_model.fp16.safetensors"),
        )
        .unwrap();
        assert!(files.weights("unet", &Device::Cpu).unwrap().contains_tensor("c"));
    }

    #[test]
    fn an_index_cannot_reach_outside_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("unet")).unwrap();
        fs::write(folder.path().join("unet/config.json"), "{}").unwrap();
        let index = r#"{"weight_map": {"a": "../../other.safetensors"}}"#;
        fs::write(folder.path().join("unet/model.safetensors.index.json"), index).unwrap();
        let error = weights_error(&ModelFiles::open(folder.path()).unwrap());
        assert!(error.contains("../../other.safetensors"), "{error}");
    }

    #[test]
    fn the_licence_is_read_from_the_model_card() {
        let (folder, files) = copy();
        assert_eq!(files.licence(), None);
        let card = "---\ntags:\n- art\nlicense: creativeml-openrail-m\n---\n# A model\nlicense: no";
        fs::write(folder.path().join("README.md"), card).unwrap();
        assert_eq!(files.licence().unwrap(), "creativeml-openrail-m");
        fs::write(folder.path().join("README.md"), "# No head\nlicense: no").unwrap();
        assert_eq!(files.licence(), None);
        assert_eq!(ModelFiles::built_in().licence().unwrap(), "MIT");
    }
}
