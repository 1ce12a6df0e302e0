//! Z-Image and Z-Image-Turbo (Alibaba 2025, arXiv:2511.22699) in diffusers' layout.

use super::{Family, LoadOptions, flow::FlowFamily};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, denoise::z_image::ZImageTransformer2DModel, scheduler::FlowSchedule,
        text::qwen3::Qwen3TextEncoder,
    },
    model::{
        Package,
        detect::{Index, TRANSFORMER, Z_IMAGE},
    },
};

/// Z-Image: the language model Qwen3 as text encoder, a transformer that predicts a flow, and an autoencoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct ZImage;

impl Family for ZImage {
    fn name(&self) -> &str {
        "\"ZImagePipeline\" (Z-Image)"
    }

    fn detect(&self, package: &dyn Package) -> bool {
        Index::read(package).is_ok_and(|index| index.class == Z_IMAGE)
    }

    fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        let family = FlowFamily {
            schedule: FlowSchedule::ZImage,
            load_text_encoder: Qwen3TextEncoder::load_unpadded,
            load_transformer: |package, dtype, device| {
                let transformer =
                    ZImageTransformer2DModel::load_in(package, TRANSFORMER, dtype, device)?;
                let context = transformer.context_width();
                Ok((Box::new(transformer), context))
            },
            context_field: "cap_feat_dim",
        };
        family.load(package, options, control)
    }
}
