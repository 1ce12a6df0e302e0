//! Models in a single safetensors file, in the layout of `CompVis`' latent diffusion ("LDM"), as in the folders of A1111 and
//! `ComfyUI`.
//!
//! The tensors tell which model a file has, and its sizes. What no tensor tells is that of the published models.

pub(super) mod autoencoder;
mod checkpoint;
pub(super) mod prediction;
pub(super) mod text_encoder;
mod tokenizer;
mod unet_names;
mod unet_sizes;

use super::{base::BaseModel, tensors::TensorHeader};

pub use checkpoint::Checkpoint;
pub(crate) use unet_names::UNetNames;
pub(crate) use unet_sizes::UNetSizes;

/// The prefix of the tensors of the UNet.
pub(super) const UNET: &str = "model.diffusion_model.";

/// The prefix of the tensors of the autoencoder.
pub(super) const AUTOENCODER: &str = "first_stage_model.";

/// The names of the families that run here, for error messages.
pub(super) fn single_file_families() -> String {
    LdmFamily::ALL.map(|family| family.base().name()).join(", ")
}

/// A base model that is published as a single file in LDM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LdmFamily {
    /// Stable Diffusion 1.x.
    Sd1,
    /// Stable Diffusion 2.x.
    Sd2,
    /// Stable Diffusion XL.
    Xl,
}

impl LdmFamily {
    const ALL: [Self; 3] = [Self::Sd1, Self::Sd2, Self::Xl];

    /// The base model.
    pub(super) const fn base(self) -> BaseModel {
        match self {
            Self::Sd1 => BaseModel::Sd1,
            Self::Sd2 => BaseModel::Sd2,
            Self::Xl => BaseModel::Xl,
        }
    }

    /// The family of the base model with this display name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.base().name() == name)
    }

    /// The family of a file with a UNet and without text encoders.
    pub(super) fn of_unet(header: &TensorHeader) -> Option<Self> {
        let names = header.names();
        let has = |part: &str| names.iter().any(|name| name.contains(part));
        let is_unet = has("input_blocks.0.0.weight") && has("attn2.to_k.weight");
        let linear = names.iter().find(|name| name.ends_with(".proj_in.weight"));
        let linear = linear.and_then(|name| header.shape(name)).is_some_and(|it| it.len() == 2);
        match is_unet && !has("cond_stage_model.") && !has("conditioner.") {
            false => None,
            true if has("label_emb.0.0.weight") => Some(Self::Xl),
            true if linear => Some(Self::Sd2),
            true => Some(Self::Sd1),
        }
    }

    /// The family of a file with text encoders. `has` tells whether a tensor with this prefix exists.
    pub(super) fn of_text_encoders(has: &dyn Fn(&str) -> bool) -> Option<Self> {
        let encoders = |family: &Self| family.text_encoders().iter().all(|it| has(it.prefix()));
        // The first text encoder of XL does not occur in the others.
        Self::ALL.into_iter().rev().find(encoders)
    }

    /// The class of the pipeline in diffusers.
    pub(super) const fn pipeline(self, is_inpainting: bool) -> &'static str {
        match (self, is_inpainting) {
            (Self::Sd1 | Self::Sd2, false) => "StableDiffusionPipeline",
            (Self::Sd1 | Self::Sd2, true) => "StableDiffusionInpaintPipeline",
            (Self::Xl, false) => "StableDiffusionXLPipeline",
            (Self::Xl, true) => "StableDiffusionXLInpaintPipeline",
        }
    }

    /// The scale of latents of the published autoencoders.
    pub(super) const fn scaling_factor(self) -> f64 {
        match self {
            Self::Sd1 | Self::Sd2 => 0.18215,
            Self::Xl => 0.13025,
        }
    }

    /// The side of the training latents of the published models.
    pub(super) const fn sample_size(self, is_inpainting: bool) -> u32 {
        match (self, is_inpainting) {
            (Self::Sd1, _) | (Self::Sd2, true) => 64,
            (Self::Sd2, false) => 96,
            (Self::Xl, _) => 128,
        }
    }

    /// The text encoders, in the order of the components `text_encoder` and `text_encoder_2`.
    pub(super) const fn text_encoders(self) -> &'static [text_encoder::Layout] {
        use text_encoder::Layout;
        match self {
            Self::Sd1 => &[Layout::Transformers { prefix: "cond_stage_model.transformer." }],
            Self::Sd2 => &[Layout::OpenClip { prefix: "cond_stage_model.model." }],
            Self::Xl => &[
                Layout::Transformers { prefix: "conditioner.embedders.0.transformer." },
                Layout::OpenClip { prefix: "conditioner.embedders.1.model." },
            ],
        }
    }
}
