//! Tells what a file or folder is, and whether it can run here.
//!
//! Looking is cheap and safe: of weight files only the headers are read, whatever their size, and a
//! pickle is recognized by its first bytes and never opened, since loading one runs the code in it.

mod folder;
mod single_file;
pub mod tensor_header;

use std::{collections::BTreeMap, io, path::Path};

use serde::{Serialize, Serializer};

use tensor_header::{HeaderError, TensorHeader};

/// What a file or folder is, and what keeps it from running here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// What it is.
    pub kind: ModelKind,
    /// What lies in it: the parts of a pipeline, or the file itself.
    pub parts: Vec<Part>,
    /// The licence that it names.
    pub licence: Option<String>,
    /// Everything that keeps it from running, each with what to do about it; empty when it can run.
    #[serde(serialize_with = "as_text")]
    pub obstacles: Vec<Obstacle>,
}

/// What a file or folder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelKind {
    /// A diffusers folder, by the pipeline class that its `model_index.json` names.
    Pipeline(String),
    /// A whole model in one file, in the layout of the first Stable Diffusion programs.
    LdmCheckpoint {
        /// `Stable Diffusion 1.x`, ...
        family: String,
    },
    /// One part of a diffusers pipeline, by its class.
    Component(String),
    /// A low-rank adapter (Hu et al. 2021, arXiv:2106.09685).
    Lora,
    /// Tensors in a safetensors file whose names tell nothing.
    UnknownTensors,
    /// A GGUF file.
    Gguf {
        /// Version of the format.
        version: u32,
        /// How many tensors it says that it holds.
        tensors: u64,
    },
    /// A Python pickle (`.ckpt`, `.pt`, `.bin`), alone or in PyTorch's archive.
    Pickle,
    /// A safetensors file that is not whole.
    Broken,
    /// Nothing that holds a model.
    NoModel,
}

/// A part of a model: a component of a pipeline, or a single file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// `unet`, `vae`, ...; the file name of a single file.
    pub name: String,
    /// The class that the pipeline names for it; empty for a single file.
    pub class: String,
    /// Size of its weight files.
    pub bytes: u64,
    /// Weights in all of its tensors.
    pub parameters: u64,
    /// Weights for each number type.
    pub dtypes: BTreeMap<String, u64>,
}

/// Something that keeps a model from running here, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A file that the model needs is not there.
    #[error(
        "{file} is missing: download the model again, or copy the file from where it came from"
    )]
    Missing {
        /// The file, below the folder.
        file: String,
    },
    /// A file is not whole.
    #[error("{file}: {error}")]
    Broken {
        /// The file, below the folder.
        file: String,
        /// What is wrong.
        error: HeaderError,
    },
    /// A JSON file cannot be read.
    #[error("{file} cannot be read: {message}")]
    Json {
        /// The file, below the folder.
        file: String,
        /// Why not.
        message: String,
    },
    /// Weights lie there as a pickle only.
    #[error(
        "{file} is a pickle, which can run any code when it is loaded, and is never opened: get the model as .safetensors, or convert it where you trust it"
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// The pipeline is of another family.
    #[error(
        "{class} cannot run yet: take a model of Stable Diffusion 1.x or 2.x (StableDiffusionPipeline)"
    )]
    PipelineClass {
        /// The class in `model_index.json`.
        class: String,
    },
    /// A component is of another class.
    #[error("{component} is a {found}, which cannot run yet: {expected} can")]
    ComponentClass {
        /// The component.
        component: String,
        /// Its class.
        found: String,
        /// What can run in its place.
        expected: &'static str,
    },
    /// The UNet takes more than the noise: a mask, a depth map, ...
    #[error(
        "the UNet takes {unet} channels, the autoencoder gives {vae}: this is a model for inpainting, depth or image editing, which cannot run yet; take its text-to-image sibling"
    )]
    Channels {
        /// `in_channels` of the UNet.
        unet: u64,
        /// `latent_channels` of the autoencoder.
        vae: u64,
    },
    /// A whole model in one file.
    #[error(
        "models in one file cannot run yet: convert it to a folder (diffusers: StableDiffusionPipeline.from_single_file(..).save_pretrained(..)), or download the folder"
    )]
    OneFile,
    /// A part of a model.
    #[error("this is one part of a model: put it in the folder of a whole one")]
    OnePart,
    /// An adapter.
    #[error("adapters cannot run yet, and never alone: they change a model")]
    Adapter,
    /// A GGUF file.
    #[error(
        "GGUF files cannot run yet: get the model as a diffusers folder with .safetensors files"
    )]
    Gguf,
    /// Nothing known.
    #[error(
        "{0}: a model is a diffusers folder (model_index.json, unet/, vae/, text_encoder/, ...)"
    )]
    NoModel(String),
}

/// Looks at a file or folder.
///
/// # Errors
/// When it is not there, or the system does not let it be read.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    if path.metadata()?.is_dir() { folder::inspect(path) } else { single_file::inspect(path) }
}

impl Inspection {
    /// Whether it can run here.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.obstacles.is_empty()
    }

    fn no_model(why: impl Into<String>) -> Self {
        Self {
            kind: ModelKind::NoModel,
            parts: Vec::new(),
            licence: None,
            obstacles: vec![Obstacle::NoModel(why.into())],
        }
    }
}

impl Part {
    /// Counts the tensors of one more weight file of `bytes` bytes.
    fn add(&mut self, header: &TensorHeader, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.parameters = self.parameters.saturating_add(header.parameters());
        for tensor in header.tensors.values() {
            let weights = self.dtypes.entry(tensor.dtype.clone()).or_default();
            *weights = weights.saturating_add(tensor.elements());
        }
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pipeline(class) => write!(f, "a diffusers folder ({class})"),
            Self::LdmCheckpoint { family } => write!(f, "a whole model in one file ({family})"),
            Self::Component(class) => write!(f, "one part of a diffusers model ({class})"),
            Self::Lora => f.write_str("a low-rank adapter (LoRA)"),
            Self::UnknownTensors => f.write_str("a safetensors file of unknown content"),
            Self::Gguf { version, tensors } => {
                write!(f, "a GGUF file (version {version}, {tensors} tensors)")
            }
            Self::Pickle => f.write_str("a Python pickle"),
            Self::Broken => f.write_str("a safetensors file that is not whole"),
            Self::NoModel => f.write_str("no model"),
        }
    }
}

fn as_text<S: Serializer>(obstacles: &[Obstacle], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(obstacles.iter().map(ToString::to_string))
}
