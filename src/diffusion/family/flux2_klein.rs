//! FLUX.2 Klein (Black Forest Labs 2026) in diffusers' layout.

use super::{Family, LoadOptions, flow::FlowFamily};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, denoise::flux2::Flux2Transformer2DModel, scheduler::FlowSchedule,
        text::qwen3::Qwen3TextEncoder,
    },
    model::{
        Package,
        detect::{FLUX2_KLEIN, Index, TRANSFORMER},
    },
};

/// The layers of the text encoder whose outputs are joined. They are fixed in diffusers' pipeline.
const TEXT_LAYERS: [usize; 3] = [9, 18, 27];

/// FLUX.2 Klein: the language model Qwen3 as text encoder, a transformer that predicts a flow, and an autoencoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flux2Klein;

impl Family for Flux2Klein {
    fn name(&self) -> &str {
        "\"Flux2KleinPipeline\" (FLUX.2 Klein)"
    }

    fn detect(&self, package: &dyn Package) -> bool {
        Index::read(package).is_ok_and(|index| index.class == FLUX2_KLEIN)
    }

    fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        let family = FlowFamily {
            schedule: FlowSchedule::Flux2,
            load_text_encoder: |package, device| {
                Qwen3TextEncoder::load(package, &TEXT_LAYERS, device)
            },
            load_transformer: |package, dtype, device| {
                let is_distilled = Index::read(package)?.is_distilled();
                let transformer = Flux2Transformer2DModel::load_in(
                    package,
                    TRANSFORMER,
                    is_distilled,
                    dtype,
                    device,
                )?;
                let context = transformer.context_width();
                Ok((Box::new(transformer), context))
            },
            context_field: "joint_attention_dim",
        };
        family.load(package, options, control)
    }
}
