//! Identifies a file or folder, and finds the reasons why it does not run here.
//!
//! Inspection is fast and safe. It reads only the headers of weight files. It recognizes a pickle
//! by its first bytes and never loads it, because loading would run the code inside.
//!
//! [`inspect`] checks files, headers and classes. [`generator::inspect`](crate::generator::inspect)
//! also checks that the weights match the networks.

mod folder;
mod gguf;
mod single_file;

use std::{collections::BTreeMap, io, path::Path};

use serde::{Serialize, Serializer};

use super::{
    BaseModel, ComponentPlace, Finetune,
    detect::{self, WeightsInMemory},
    ldm,
    licence::Terms,
    tensors::{GgufError, HeaderError, NumberType, TensorHeader},
    transformer_file::TransformerFormat,
};
use crate::{lfs::LfsPointer, memory::ModelMemory, recipe::PredictionType};
pub(super) use single_file::{LICENCE, classify};

/// The contents of a file or folder, and all reasons why it does not run here.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The kind of the file or folder.
    pub kind: ModelKind,
    /// The base model that it is made for, if its tensors tell it.
    pub base: Option<BaseModel>,
    /// The components of a pipeline, or the file itself.
    pub parts: Vec<Part>,
    /// The licence, if the model names one.
    pub licence: Option<String>,
    /// What the denoiser predicts, if this is a single file that tells it: a tensor `v_pred`, or `modelspec.prediction_type`
    /// in its metadata. The configuration of a folder always tells it.
    pub prediction_type: Option<PredictionType>,
    /// The memory that the model needs for a picture of its native size.
    /// [`generator::inspect`](crate::generator::inspect) finds it for models that run.
    pub memory: Option<ModelMemory>,
    /// All reasons why it does not run, each with a remedy. Empty if it runs.
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
    /// A model in a single file, in the layout of `CompVis`' latent diffusion.
    LdmCheckpoint {
        /// `Stable Diffusion 1.x`, ...
        family: String,
    },
    /// One component of a diffusers pipeline, by its class.
    Component(String),
    /// A low-rank adapter (Hu et al. 2021, arXiv:2106.09685).
    Lora,
    /// The vectors of words that an author trained (textual inversion, Gal et al. 2022, arXiv:2208.01618).
    Embedding,
    /// A safetensors file with tensors of unknown names.
    UnknownTensors,
    /// A GGUF file.
    Gguf {
        /// Version of the format.
        version: u32,
        /// The number of tensors in the header.
        tensors: u64,
    },
    /// A Python pickle (`.ckpt`, `.pt`, `.bin`), alone or in PyTorch's archive.
    Pickle,
    /// An incomplete or damaged safetensors file.
    Broken,
    /// A file or folder without a model.
    NoModel,
}

/// A component of a pipeline, or a single file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Part {
    /// `unet`, `vae`, ... For a single file, the file name.
    pub name: String,
    /// Its class in the pipeline. Empty for a single file.
    pub class: String,
    /// Size of its weight files.
    pub bytes: u64,
    /// The number of weights in all tensors that are loaded.
    pub parameters: u64,
    /// The number of weights by number type.
    pub dtypes: BTreeMap<String, u64>,
}

/// A reason why a model does not run here, with a remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A file that the model needs does not exist.
    #[error("{file} is missing: download the model again, or copy the file from its source")]
    Missing {
        /// The file, relative to the folder.
        file: String,
    },
    /// A weight file is incomplete or damaged.
    #[error("{file} is not a complete safetensors file: {error}")]
    Broken {
        /// The file, relative to the folder.
        file: String,
        /// The reason.
        error: HeaderError,
    },
    /// A GGUF file is incomplete or damaged.
    #[error("{file} is not a complete GGUF file: {error}")]
    BrokenGguf {
        /// The file.
        file: String,
        /// The reason.
        error: GgufError,
    },
    /// A file cannot be read, or has an unsupported value.
    #[error("{0}")]
    Refused(String),
    /// An adapter or a network of losses cannot be loaded. The model loads, and draws pictures that do not need it.
    #[error("{0}; pictures that do not need this network are drawn")]
    Optional(String),
    /// The scheduler that the model uses by default cannot be set up. The model loads, and draws with another one.
    #[error(
        "the model's default scheduler, {class}, cannot be used: {reason}; \
         choose another one, with `--scheduler` or in the style"
    )]
    DefaultScheduler {
        /// The class of the scheduler.
        class: String,
        /// The reason.
        reason: String,
    },
    /// A file is a Git LFS pointer.
    #[error("{file}: {}", LfsPointer)]
    LfsPointer {
        /// The file.
        file: String,
    },
    /// The folder is not a model, but contains one.
    #[error("this folder has no model_index.json, but {found} has one: choose that folder")]
    FolderAbove {
        /// The folder of the model.
        found: String,
    },
    /// The weights are only available as a pickle.
    #[error(
        "{file} is a pickle, which can run arbitrary code when loaded, so it is never opened: get the model as .safetensors, or convert it in an environment where you trust it"
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
    /// The UNet takes more channels than the latents have: a depth map, another picture, ...
    #[error(
        "the UNet takes {unet} channels, the autoencoder gives {vae}: this is a model for depth or image editing, which does not run yet; use its text-to-image or inpainting sibling"
    )]
    Channels {
        /// `in_channels` of the UNet.
        unet: u64,
        /// `latent_channels` of the autoencoder.
        vae: u64,
    },
    /// The model is a single file of another family.
    #[error(
        "in a single file, only {} run: choose such a file, or a folder in diffusers' layout",
        ldm::single_file_families()
    )]
    OneFile,
    /// The model is a single file without text encoder.
    #[error(
        "the file has no text encoder: name one with --text-encoder or in the style (text_encoders: [\"clip_l.safetensors\"]), and two for Stable Diffusion XL"
    )]
    NoTextEncoder,
    /// The model is a single file without autoencoder.
    #[error(
        "the file has no autoencoder: name one with --vae or in the style (vae: \"vae.safetensors\")"
    )]
    NoVae,
    /// The model is a single file without text encoder and autoencoder.
    #[error(
        "the file has only the UNet: name a text encoder with --text-encoder, two for Stable Diffusion XL, and an autoencoder with --vae, or in the style (text_encoders: [\"clip_l.safetensors\"], vae: \"vae.safetensors\")"
    )]
    OnlyUNet,
    /// A component of a model.
    #[error("this is a single component: put it in the folder of a complete model")]
    OnePart,
    /// A component that a model can use beside its own.
    #[error(
        "this is a single component: choose a model, and name this file with {}, or in the tab Models",
        places.iter().map(|place| place.option()).collect::<Vec<_>>().join(" or ")
    )]
    BesideModel {
        /// What it can be.
        places: &'static [ComponentPlace],
    },
    /// A component that is published as a file of its own.
    #[error(
        "this is only the {component} of {families}: name it beside a model, in the tab Style or with --text-encoder"
    )]
    OnlyComponent {
        /// The component, in words.
        component: String,
        /// The display names of the families.
        families: String,
    },
    /// The transformer of FLUX.2 Klein or Z-Image without the rest of the model.
    #[error(
        "the file has only the transformer: name a text encoder with --text-encoder and an autoencoder with --vae, or in the style \
         (text_encoders: [\"qwen_3_4b.gguf\"], vae: \"{vae}\")"
    )]
    OnlyTransformer {
        /// The usual name of the file of the autoencoder.
        vae: &'static str,
    },
    /// An adapter.
    #[error(
        "a LoRA changes a model: choose a model, and name this file with --lora or in the style (loras: [(file: \"..\", weight: 0.8)])"
    )]
    Adapter,
    /// An embedding.
    #[error(
        "an embedding is a word in prompts: put this file into a folder `embeddings` beside the model, and write embedding:NAME with the name of the file in a prompt"
    )]
    Embedding,
    /// A GGUF file.
    #[error(
        "this GGUF file does not run here: get the model as a diffusers folder with .safetensors files"
    )]
    Gguf,
    /// The file or folder is not a model.
    #[error(
        "{0}: a model is a diffusers folder (model_index.json, unet/, vae/, text_encoder/, ...) or a single safetensors file"
    )]
    NoModel(String),
}

/// The bytes of a weight as a 32-bit float.
const BYTES_PER_WEIGHT: u64 = 4;

/// Inspects a file or folder.
///
/// # Errors
/// If it does not exist, or cannot be read.
pub fn inspect(path: &Path) -> io::Result<Inspection> {
    if path.metadata()?.is_dir() { folder::inspect(path) } else { single_file::inspect(path) }
}

impl Inspection {
    /// Whether the model runs here.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// Whether it is a complete model. It may not run here.
    #[must_use]
    pub fn is_model(&self) -> bool {
        matches!(self.kind, ModelKind::Pipeline(_) | ModelKind::LdmCheckpoint { .. })
    }

    /// Whether it is a model that draws here, possibly with another scheduler than its default, or without some of its
    /// adapters.
    #[must_use]
    pub fn is_usable_model(&self) -> bool {
        let is_optional = |obstacle: &Obstacle| {
            matches!(obstacle, Obstacle::DefaultScheduler { .. } | Obstacle::Optional(_))
        };
        self.is_model() && self.obstacles.iter().all(is_optional)
    }

    /// Whether it is a model that draws once the author names the networks that it lacks: a text encoder, an autoencoder.
    #[must_use]
    pub fn is_incomplete_model(&self) -> bool {
        !self.obstacles.is_empty() && self.obstacles.iter().all(|it| it.is_solved_by(true, true))
    }

    /// Whether it is a component that a model can use beside its own.
    #[must_use]
    pub fn is_usable_component(&self) -> bool {
        let is_hint = |obstacle: &Obstacle| {
            matches!(obstacle, Obstacle::BesideModel { .. } | Obstacle::OnlyComponent { .. })
        };
        !self.places().is_empty() && self.obstacles.iter().all(is_hint)
    }

    /// What it can be beside a model, if it is a component. Empty for other files.
    #[must_use]
    pub fn places(&self) -> &'static [ComponentPlace] {
        match &self.kind {
            ModelKind::Component(class) => ComponentPlace::of_class(class),
            _ => &[],
        }
    }

    /// Whether it is a model in a single file that does not tell what its denoiser predicts.
    #[must_use]
    pub fn lacks_prediction_type(&self) -> bool {
        matches!(self.kind, ModelKind::LdmCheckpoint { .. }) && self.prediction_type.is_none()
    }

    /// The lines of finetunes that it may be of, if no tensor tells it. Empty if nothing depends on it: a folder tells its own
    /// settings.
    pub fn possible_finetunes(&self) -> impl Iterator<Item = &'static Finetune> {
        let base = self.base.filter(|_| matches!(self.kind, ModelKind::LdmCheckpoint { .. }));
        base.into_iter().flat_map(Finetune::of_base)
    }

    /// Whether it is a low-rank adapter that works here, with a model of the same base.
    #[must_use]
    pub fn is_usable_lora(&self) -> bool {
        self.kind == ModelKind::Lora && self.obstacles == [Obstacle::Adapter]
    }

    /// Whether it is an embedding (textual inversion) that works here, with a model of the same base.
    #[must_use]
    pub fn is_usable_embedding(&self) -> bool {
        self.kind == ModelKind::Embedding && self.obstacles == [Obstacle::Embedding]
    }

    /// The display name of its base, or of the family of its pipeline or component if the base is unknown.
    #[must_use]
    pub fn base_name(&self) -> Option<&'static str> {
        let family = || match &self.kind {
            ModelKind::Pipeline(class) => detect::family(class),
            ModelKind::Component(class) => detect::component_of(class).map(|(family, _)| family),
            _ => None,
        };
        self.base.map(BaseModel::name).or_else(|| family().map(|family| family.name))
    }

    /// The size of all weight files, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes))
    }

    /// The memory of the weights of a component that a model can use as a file of its own, in bytes. `None` for others.
    #[must_use]
    pub fn component_memory(&self) -> Option<u64> {
        let ModelKind::Component(class) = &self.kind else { return None };
        let in_memory = match detect::component_of(class) {
            Some((_, component)) => component.in_memory,
            None => ComponentPlace::of_class(class).first().map(|_| WeightsInMemory::Wide)?,
        };
        let memory = self.parts.iter().map(|part| part.memory(in_memory));
        Some(memory.fold(0, u64::saturating_add))
    }

    /// What the licence allows to do with pictures, if it is a known licence.
    #[must_use]
    pub fn terms(&self) -> Option<&'static Terms> {
        self.licence.as_deref().and_then(Terms::of)
    }

    pub(crate) fn no_model(obstacle: Obstacle) -> Self {
        Self {
            kind: ModelKind::NoModel,
            base: None,
            parts: Vec::new(),
            licence: None,
            prediction_type: None,
            memory: None,
            obstacles: vec![obstacle],
        }
    }
}

impl Obstacle {
    /// Whether the model runs with a text encoder or an autoencoder of other files.
    #[must_use]
    pub fn is_solved_by(&self, has_text_encoder: bool, has_vae: bool) -> bool {
        match self {
            Self::NoTextEncoder => has_text_encoder,
            Self::NoVae => has_vae,
            Self::OnlyTransformer { .. } | Self::OnlyUNet => has_text_encoder && has_vae,
            _ => false,
        }
    }

    /// The obstacle of a component alone, by its class.
    fn of_component(class: &str) -> Self {
        if let Some(format) = TransformerFormat::of_class(class) {
            return Self::OnlyTransformer { vae: format.vae };
        }
        match detect::component_of(class) {
            Some((_, component)) => Self::OnlyComponent {
                component: component.words(),
                families: detect::families_of(class),
            },
            None => match ComponentPlace::of_class(class) {
                [] => Self::OnePart,
                places => Self::BesideModel { places },
            },
        }
    }
}

impl Part {
    /// The memory of its weights, in bytes.
    fn memory(&self, kind: WeightsInMemory) -> u64 {
        let of_type = |(dtype, count): (&String, &u64)| match NumberType::from_name(dtype)
            .and_then(NumberType::blocks)
        {
            Some(blocks) => {
                (count / blocks.block_size() as u64).saturating_mul(blocks.type_size() as u64)
            }
            None => count.saturating_mul(BYTES_PER_WEIGHT),
        };
        match kind {
            WeightsInMemory::Wide => self.parameters.saturating_mul(BYTES_PER_WEIGHT),
            WeightsInMemory::Stored => self.dtypes.iter().map(of_type).fold(0, u64::saturating_add),
            WeightsInMemory::None => 0,
        }
    }

    /// Adds the tensors of a weight file of `bytes` bytes.
    fn add(&mut self, header: &TensorHeader, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.count(header.parameters());
    }

    /// Adds weights by number type.
    fn count(&mut self, parameters: BTreeMap<String, u64>) {
        for (dtype, count) in parameters {
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
            Self::LdmCheckpoint { family } => {
                write!(f, "a model in a single file ({family})")
            }
            Self::Component(class) => match detect::component_of(class) {
                Some((_, component)) => {
                    let families = detect::families_of(class);
                    write!(f, "the {} of {families} ({class})", component.words())
                }
                None => match ComponentPlace::name_of_class(class) {
                    Some(name) => write!(f, "{name} ({class})"),
                    None => write!(f, "a single component of a diffusers model ({class})"),
                },
            },
            Self::Lora => f.write_str("a low-rank adapter (LoRA)"),
            Self::Embedding => f.write_str("an embedding (textual inversion)"),
            Self::UnknownTensors => f.write_str("a safetensors file with unknown contents"),
            Self::Gguf { version, tensors } => {
                write!(f, "a GGUF file (version {version}, {tensors} tensors)")
            }
            Self::Pickle => f.write_str("a Python pickle"),
            Self::Broken => f.write_str("an incomplete safetensors file"),
            Self::NoModel => f.write_str("not a model"),
        }
    }
}

fn as_text<S: Serializer>(obstacles: &[Obstacle], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(obstacles.iter().map(ToString::to_string))
}
