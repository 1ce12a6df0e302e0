//! Models in a single safetensors file, in the layout of `CompVis`' latent diffusion ("LDM"), as in the folders of A1111 and
//! `ComfyUI`.
//!
//! The tensors tell which model a file has, and its sizes. What no tensor tells is that of the published models.

mod autoencoder;
mod checkpoint;
mod text_encoder;
mod tokenizer;
mod unet_names;
mod unet_sizes;

pub use checkpoint::Checkpoint;
pub(crate) use unet_names::UNetNames;
pub(crate) use unet_sizes::UNetSizes;

/// The prefix of the tensors of the UNet.
pub(super) const UNET: &str = "model.diffusion_model.";

/// The prefix of the tensors of the autoencoder.
pub(super) const AUTOENCODER: &str = "first_stage_model.";

/// The names of the families that run here, for error messages.
pub(super) fn single_file_families() -> String {
    LdmFamily::ALL.map(LdmFamily::name).join(", ")
}

/// The families of models in this layout that run here.
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

    /// The family of a file with text encoders. `has` tells whether a tensor with this prefix exists.
    pub(super) fn detect(has: &dyn Fn(&str) -> bool) -> Option<Self> {
        let encoders = |family: &Self| family.text_encoders().iter().all(|it| has(it.prefix()));
        // The first text encoder of XL does not occur in the others.
        Self::ALL.into_iter().rev().find(encoders)
    }

    /// The family with this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The class of the pipeline in diffusers.
    pub(super) const fn pipeline(self) -> &'static str {
        match self {
            Self::Sd1 | Self::Sd2 => "StableDiffusionPipeline",
            Self::Xl => "StableDiffusionXLPipeline",
        }
    }

    /// The side of the training latents of the published models.
    pub(super) const fn sample_size(self) -> u32 {
        match self {
            Self::Sd1 => 64,
            Self::Sd2 => 96,
            Self::Xl => 128,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sd1 => "Stable Diffusion 1.x",
            Self::Sd2 => "Stable Diffusion 2.x",
            Self::Xl => "Stable Diffusion XL",
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
