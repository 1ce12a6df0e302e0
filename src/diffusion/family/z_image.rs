//! Z-Image and Z-Image-Turbo (Alibaba 2025, arXiv:2511.22699) in diffusers' layout.

use super::{Family, LoadOptions, check_channels, check_scheduler};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, ModelParts, autoencoder,
        denoise::{Denoiser, z_image::ZImageTransformer2DModel},
        hooks::Surroundings,
        scheduler::{FlowSchedule, SchedulerConfig},
        text::qwen3::Qwen3TextEncoder,
    },
    model::{
        Package,
        detect::{Index, TRANSFORMER, Z_IMAGE, runnable_index},
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
        runnable_index(package)?;
        let device = options.device.open()?;
        let interrupt = control.interrupt();
        let scheduler = SchedulerConfig::from_value(package.config("scheduler")?)?;
        let scheduler = scheduler.for_flow(FlowSchedule::ZImage);
        check_scheduler(package, &scheduler)?;
        let text_encoder = Qwen3TextEncoder::load_unpadded(package, &device)?;
        interrupt.check()?;
        let denoiser = ZImageTransformer2DModel::load(package, TRANSFORMER, &device)?;
        interrupt.check()?;
        let autoencoder = autoencoder::load(package, "vae", &device)?;
        let (found, needed) = (denoiser.latent_channels(), autoencoder.spec().channels);
        check_channels(package, "in_channels", found, needed, "the autoencoder's latents")?;
        let (found, needed) = (denoiser.context_width(), text_encoder.width());
        check_channels(package, "cap_feat_dim", found, needed, "an encoded token")?;
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
