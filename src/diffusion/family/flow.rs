//! Models that predict a flow with a transformer, in diffusers' layout.

use candle_core::{DType, Device};

use super::{LoadOptions, check_channels, check_scheduler};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, ModelParts, autoencoder,
        denoise::Denoiser,
        hooks::Surroundings,
        scheduler::{FlowSchedule, SchedulerConfig},
        text::qwen3::Qwen3TextEncoder,
    },
    model::{Package, detect::runnable_index, package::config_file},
};

/// The component of the autoencoder.
const VAE: &str = "vae";

/// What differs between the families.
pub(super) struct FlowFamily {
    pub(super) schedule: FlowSchedule,
    pub(super) load_text_encoder:
        fn(&dyn Package, &Device) -> Result<Qwen3TextEncoder, DiffusionError>,
    pub(super) load_transformer: LoadTransformer,
    /// The field of the transformer's configuration with the channels of a token of its context.
    pub(super) context_field: &'static str,
}

/// Loads a transformer that computes in this type. Also returns the channels of a token of its context.
type LoadTransformer =
    fn(&dyn Package, DType, &Device) -> Result<(Box<dyn Denoiser>, usize), DiffusionError>;

impl FlowFamily {
    /// Loads a pipeline of the language model Qwen3, a transformer and an autoencoder.
    ///
    /// # Errors
    /// Those of [`Family::load`](super::Family::load).
    pub(super) fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        runnable_index(package)?;
        let device = options.device.open()?;
        let dtype = options.precision.of_transformer(&device)?;
        let interrupt = control.interrupt();
        let scheduler = SchedulerConfig::from_value(package.config("scheduler")?)?;
        let scheduler = scheduler.for_flow(self.schedule);
        check_scheduler(package, &scheduler)?;
        let text_encoder = (self.load_text_encoder)(package, &device)?;
        interrupt.check()?;
        let (denoiser, context) = (self.load_transformer)(package, dtype, &device)?;
        interrupt.check()?;
        let autoencoder = autoencoder::load(package, VAE, &device)?;
        let (found, needed) = (denoiser.latent_channels(), autoencoder.spec().channels);
        let vae = package.location(&config_file(VAE));
        let needed_by = format!("the latents of the autoencoder in {vae}");
        check_channels(package, "in_channels", found, needed, &needed_by)?;
        let needed = text_encoder.width();
        check_channels(package, self.context_field, context, needed, "an encoded token")?;
        Model::new(ModelParts {
            text_encoder: Box::new(text_encoder),
            denoiser,
            autoencoder,
            scheduler,
            surroundings: Surroundings::Noised,
            package: Some(package.shared()),
            loaders: None,
            low_memory: false,
            device,
        })
    }
}
