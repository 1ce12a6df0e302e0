//! Identifies a file or folder, and finds what keeps it from running here.
//!
//! Inspection is cheap and safe: of weight files only the headers are read, whatever their size, and a
//! pickle is recognized by its first bytes and never opened, since loading one runs the code in it.
//!
//! [`inspect`] checks files, headers and classes. Whether the networks fit the weights is known to
//! those who build them: [`generator::inspect`](crate::generator::inspect) asks them, too.

mod folder;
mod single_file;

use std::{collections::BTreeMap, io, path::Path};

use serde::{Serialize, Serializer};

use super::tensors::{HeaderError, TensorHeader};

/// The contents of a file or folder, and everything that keeps it from running here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The kind of the file or folder.
    pub kind: ModelKind,
    /// The components of a pipeline, or the file itself.
    pub parts: Vec<Part>,
    /// The licence that it names.
    pub licence: Option<String>,
    /// Everything that keeps it from running, each with what to do about it; empty when it runs.
    #[serde(serialize_with = "as_text")]
    pub obstacles: Vec<Obstacle>,
}

/// The kind of a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelKind {
    /// A diffusers folder, by the pipeline class in its `model_index.json`.
    Pipeline(String),
    /// A whole model in one file, in the layout of CompVis' latent diffusion.
    LdmCheckpoint {
        /// `Stable Diffusion 1.x`, ...
        family: String,
    },
    /// One component of a diffusers pipeline, by its class.
    Component(String),
    /// A low-rank adapter (Hu et al. 2021, arXiv:2106.09685).
    Lora,
    /// A safetensors file with tensors of unknown names.
    UnknownTensors,
    /// A GGUF file.
    Gguf {
        /// Version of the format.
        version: u32,
        /// Number of tensors in its header.
        tensors: u64,
    },
    /// A Python pickle (`.ckpt`, `.pt`, `.bin`), alone or in PyTorch's archive.
    Pickle,
    /// A safetensors file that is not whole.
    Broken,
    /// A file or folder that holds no model.
    NoModel,
}

/// A component of a pipeline, or a single file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// `unet`, `vae`, ...; the file name of a single file.
    pub name: String,
    /// The class that the pipeline names for it; empty for a single file.
    pub class: String,
    /// Size of its weight files.
    pub bytes: u64,
    /// Number of weights in all of its tensors.
    pub parameters: u64,
    /// Number of weights for each number type.
    pub dtypes: BTreeMap<String, u64>,
}

/// Something that keeps a model from running here, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A file that the model needs does not exist.
    #[error("{file} is missing: download the model again, or copy the file from its source")]
    Missing {
        /// The file, relative to the folder.
        file: String,
    },
    /// A file is not whole.
    #[error("{file} is not a whole safetensors file: {error}")]
    Broken {
        /// The file, relative to the folder.
        file: String,
        /// What is wrong.
        error: HeaderError,
    },
    /// A file cannot be read, or holds a value that does not run here.
    #[error("{0}")]
    Refused(String),
    /// There are weights, but only as a pickle.
    #[error(
        "{file} is a pickle, which can run any code when it is loaded, and is never opened: get the model as .safetensors, or convert it where you trust it"
    )]
    Pickle {
        /// The file.
        file: String,
    },
    /// The pipeline belongs to another family.
    #[error("{found} does not run yet: use a {expected}")]
    PipelineClass {
        /// The class in `model_index.json`.
        found: String,
        /// The classes that run.
        expected: String,
    },
    /// A component has another class.
    #[error("the {component} is a {found}, which does not run here: it must be {expected}")]
    ComponentClass {
        /// The component.
        component: &'static str,
        /// Its class.
        found: String,
        /// The classes that run.
        expected: String,
    },
    /// The UNet takes more channels than the latents have: a mask, a depth map, ...
    #[error(
        "the UNet takes {unet} channels, the autoencoder gives {vae}: this is a model for inpainting, depth or image editing, which does not run yet; use its text-to-image sibling"
    )]
    Channels {
        /// `in_channels` of the UNet.
        unet: u64,
        /// `latent_channels` of the autoencoder.
        vae: u64,
    },
    /// A whole model in one file.
    #[error(
        "models in one file do not run yet: convert it to a folder (diffusers: StableDiffusionPipeline.from_single_file(..).save_pretrained(..)), or download the folder"
    )]
    OneFile,
    /// A component of a model.
    #[error("this is one component of a model: put it in the folder of a whole one")]
    OnePart,
    /// An adapter.
    #[error("adapters do not run yet, and never alone: they change a model")]
    Adapter,
    /// A GGUF file.
    #[error(
        "GGUF files do not run yet: get the model as a diffusers folder with .safetensors files"
    )]
    Gguf,
    /// Not a model.
    #[error(
        "{0}: a model is a diffusers folder (model_index.json, unet/, vae/, text_encoder/, ...)"
    )]
    NoModel(String),
}

/// Inspects a file or folder.
///
/// # Errors
/// When it does not exist, or cannot be read.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    if path.metadata()?.is_dir() { folder::inspect(path) } else { single_file::inspect(path) }
}

impl Inspection {
    /// Whether it runs here.
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
        for (dtype, count) in header.parameters() {
            self.parameters = self.parameters.saturating_add(count);
            let weights = self.dtypes.entry(dtype).or_default();
            *weights = weights.saturating_add(count);
        }
    }
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pipeline(class) => write!(f, "a diffusers folder ({class})"),
            Self::LdmCheckpoint { family } => write!(f, "a whole model in one file ({family})"),
            Self::Component(class) => write!(f, "one component of a diffusers model ({class})"),
            Self::Lora => f.write_str("a low-rank adapter (LoRA)"),
            Self::UnknownTensors => f.write_str("a safetensors file with unknown contents"),
            Self::Gguf { version, tensors } => {
                write!(f, "a GGUF file (version {version}, {tensors} tensors)")
            }
            Self::Pickle => f.write_str("a Python pickle"),
            Self::Broken => f.write_str("a safetensors file that is not whole"),
            Self::NoModel => f.write_str("not a model"),
        }
    }
}

fn as_text<S: Serializer>(obstacles: &[Obstacle], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(obstacles.iter().map(ToString::to_string))
}
