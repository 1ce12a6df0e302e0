//! FLUX.2 Klein (Black Forest Labs 2026) in diffusers' layout.

use super::{Family, LoadOptions, check_channels, check_scheduler};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, ModelParts, autoencoder,
        denoise::{Denoiser, flux2::Flux2Transformer2DModel},
        hooks::Surroundings,
        scheduler::{FlowSchedule, SchedulerConfig},
        text::qwen3::Qwen3TextEncoder,
    },
    model::{
        Package,
        detect::{FLUX2_KLEIN, Index, TRANSFORMER, runnable_index},
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
        let index = runnable_index(package)?;
        let device = options.device.open()?;
        let interrupt = control.interrupt();
        let scheduler = SchedulerConfig::from_value(package.config("scheduler")?)?;
        let scheduler = scheduler.for_flow(FlowSchedule::Flux2);
        check_scheduler(package, &scheduler)?;
        let text_encoder = Qwen3TextEncoder::load(package, &TEXT_LAYERS, &device)?;
        interrupt.check()?;
        let is_distilled = index.is_distilled();
        let denoiser = Flux2Transformer2DModel::load(package, TRANSFORMER, is_distilled, &device)?;
        interrupt.check()?;
        let autoencoder = autoencoder::load(package, "vae", &device)?;
        let (found, needed) = (denoiser.latent_channels(), autoencoder.spec().channels);
        check_channels(package, "in_channels", found, needed, "the autoencoder's latents")?;
        let (found, needed) = (denoiser.context_width(), text_encoder.width());
        check_channels(package, "joint_attention_dim", found, needed, "an encoded token")?;
        Model::new(ModelParts {
            text_encoder: Box::new(text_encoder),
            denoiser: Box::new(denoiser),
            autoencoder,
            scheduler,
            surroundings: Surroundings::Noised,
            package: Some(package.shared()),
            load_networks: None,
            device,
        })
    }
}
