//! Stable Diffusion 1 and 2 (Rombach et al. 2022) in diffusers' layout.

use candle_core::{DType, Device};

use super::{Family, LoadOptions, check_scheduler};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, ModelParts, NetworkLoaders, autoencoder,
        denoise::unet::{PIXELS_PER_LATENT, UNet2DConditionModel},
        hooks::Surroundings,
        scheduler::SchedulerConfig,
        text::{TextEncoder, clip::ClipTextEncoder},
    },
    model::{
        ModelError, Package,
        detect::{Index, LATENT_CONSISTENCY, runnable_index},
        package::{MappedPackage, config_file},
        tensors::ShapesOnly,
    },
};

const PIPELINES: [&str; 3] =
    ["StableDiffusionPipeline", "StableDiffusionInpaintPipeline", LATENT_CONSISTENCY];

/// The component of the denoiser.
const UNET: &str = "unet";

/// A field of `model_index.json`: the denoiser was trained to edit parts whose surroundings have no
/// noise. diffusers ignores settings that begin with an underscore.
const CLEAN_SURROUNDINGS: &str = "_clean_surroundings";

/// Stable Diffusion 1.x and 2.x: a CLIP text encoder, a UNet, and an autoencoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct StableDiffusion;

impl Family for StableDiffusion {
    fn name(&self) -> &str {
        "\"StableDiffusionPipeline\", \"StableDiffusionInpaintPipeline\" or \"LatentConsistencyModelPipeline\" \
         (Stable Diffusion 1 and 2)"
    }

    fn detect(&self, package: &dyn Package) -> bool {
        Index::read(package).is_ok_and(|index| PIPELINES.contains(&index.class.as_str()))
    }

    fn load(
        &self,
        package: &dyn Package,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        load(package, options, control, |package, device| {
            Ok((Box::new(ClipTextEncoder::load(package, device)?), None))
        })
    }
}

/// Loads a text encoder. Also returns the channels of its pooled prompts, if it has any.
type LoadTextEncoder =
    fn(&dyn Package, &Device) -> Result<(Box<dyn TextEncoder>, Option<usize>), DiffusionError>;

/// Loads a pipeline of a text encoder, a UNet and an autoencoder.
pub(super) fn load(
    package: &dyn Package,
    options: &LoadOptions,
    control: &dyn Control,
    load_text_encoder: LoadTextEncoder,
) -> Result<Model, DiffusionError> {
    let index = runnable_index(package)?;
    let device = options.device.open()?;
    let interrupt = control.interrupt();
    let scheduler = SchedulerConfig::from_value(package.config("scheduler")?)?.for_latents();
    check_scheduler(package, &scheduler)?;
    let low_memory = options.low_memory;
    let (text_encoder, pooled) = match low_memory {
        true => {
            let shapes = MappedPackage::new(package, |_, tensors| Box::new(ShapesOnly(tensors)));
            load_text_encoder(&shapes, &device)?
        }
        false => load_text_encoder(package, &device)?,
    };
    interrupt.check()?;
    let dtype = options.precision.of_unet(&device)?;
    let load_unet = move |package: &dyn Package, device: &Device| match low_memory {
        true if dtype == DType::F32 => UNet2DConditionModel::load_narrow(package, UNET, device),
        _ => UNet2DConditionModel::load_in(package, UNET, dtype, device),
    };
    let denoiser = load_unet(package, &device)?;
    interrupt.check()?;
    let autoencoder = autoencoder::load(package, "vae", &device)?;
    let unsupported = |part: &str, field: &str, value: String, supported: String| {
        let (file, field) = (package.location(&config_file(part)), field.to_owned());
        DiffusionError::Model(ModelError::Unsupported { file, field, value, supported })
    };
    let spec = autoencoder.spec();
    let config = denoiser.config();
    if config.latent_channels() != spec.channels {
        let (channels, with_mask) = (spec.channels, 2 * spec.channels + 1);
        let supported = format!(
            "{channels}, the channels of the autoencoder's latents, or {with_mask} for inpainting"
        );
        return Err(unsupported("unet", "in_channels", config.in_channels.to_string(), supported));
    }
    if denoiser.pooled_width() != pooled {
        let width = |width: Option<usize>| width.map_or("none".to_owned(), |it| it.to_string());
        let supported = format!("{}, as the text encoders have", width(pooled));
        let field = "pooled channels of projection_class_embeddings_input_dim";
        return Err(unsupported("unet", field, width(denoiser.pooled_width()), supported));
    }
    if pooled.is_some() && spec.scale != PIXELS_PER_LATENT {
        let supported = format!("{PIXELS_PER_LATENT} pixels along each side of a latent");
        return Err(unsupported("vae", "block_out_channels", spec.scale.to_string(), supported));
    }
    let parts = ModelParts {
        text_encoder,
        denoiser: Box::new(denoiser),
        autoencoder,
        scheduler,
        surroundings: match index.json[CLEAN_SURROUNDINGS] == true {
            true => Surroundings::Clean,
            false => Surroundings::Noised,
        },
        package: Some(package.shared()),
        loaders: Some(NetworkLoaders {
            text_encoder: Box::new(move |package, device| {
                load_text_encoder(package, device).map(|(text_encoder, _)| text_encoder)
            }),
            denoiser: Box::new(move |package, device| Ok(Box::new(load_unet(package, device)?))),
        }),
        low_memory,
        device,
    };
    Model::new(parts)
}
