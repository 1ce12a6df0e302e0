//! Stable Diffusion 1 and 2 (Rombach et al. 2022) in diffusers' layout.

use std::{collections::HashMap, str};

use serde::Deserialize;
use serde_json::Value;

use super::{Family, LoadOptions};
use crate::{
    control::Control,
    diffusion::{
        DiffusionError, Model, ModelFiles, ModelParts, autoencoder,
        denoise::unet::UNet2DConditionModel, hooks::Surroundings, scheduler::SchedulerConfig,
        text::clip::ClipTextEncoder,
    },
};

const INDEX: &str = "model_index.json";
const PIPELINE: &str = "StableDiffusionPipeline";

/// The components that drawing needs, with the classes that can run. Others, such as a safety
/// checker, are ignored.
const COMPONENTS: [(&str, &[&str]); 4] = [
    ("text_encoder", &["CLIPTextModel"]),
    ("tokenizer", &["CLIPTokenizer", "CLIPTokenizerFast"]),
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
];

/// Stable Diffusion 1.x and 2.x: a CLIP text encoder, a UNet, and an autoencoder.
#[derive(Clone, Copy, Debug, Default)]
pub struct StableDiffusion;

/// The fields of `model_index.json` that loading needs.
#[derive(Deserialize)]
struct Index {
    #[serde(rename = "_class_name")]
    class: String,
    /// The denoiser was trained on edits whose surroundings have no noise. Diffusers ignores settings
    /// that begin with an underscore.
    #[serde(rename = "_clean_surroundings", default)]
    clean_surroundings: bool,
    /// The library and class of each component; settings of the pipeline have other values.
    #[serde(flatten)]
    components: HashMap<String, Value>,
}

impl Family for StableDiffusion {
    fn name(&self) -> &str {
        "\"StableDiffusionPipeline\" (Stable Diffusion 1 and 2)"
    }

    fn detect(&self, package: &ModelFiles) -> bool {
        package.config::<Index>(INDEX).is_ok_and(|index| index.class == PIPELINE)
    }

    fn load(
        &self,
        package: &ModelFiles,
        options: &LoadOptions,
        control: &dyn Control,
    ) -> Result<Model, DiffusionError> {
        let index: Index = package.config(INDEX)?;
        check_components(package, &index)?;
        let device = options.device.open()?;
        let interrupt = control.interrupt();
        let scheduler = package.read("scheduler/scheduler_config.json")?;
        let scheduler = str::from_utf8(&scheduler).unwrap_or_default();
        let scheduler = SchedulerConfig::from_json(scheduler)?.for_latents();
        let text_encoder = ClipTextEncoder::load(package, &device)?;
        interrupt.check()?;
        let denoiser = UNet2DConditionModel::load(package, "unet", &device)?;
        interrupt.check()?;
        let autoencoder = autoencoder::load(package, "vae", &device)?;
        let (channels, latents) = (denoiser.config().in_channels, autoencoder.spec().channels);
        if channels != latents {
            return Err(DiffusionError::Unsupported {
                file: package.full("unet/config.json"),
                field: "in_channels".to_owned(),
                value: channels.to_string(),
                supported: format!("{latents}, the channels of the autoencoder's latents"),
            });
        }
        let parts = ModelParts {
            text_encoder: Box::new(text_encoder),
            denoiser: Box::new(denoiser),
            autoencoder,
            scheduler,
            surroundings: match index.clean_surroundings {
                true => Surroundings::Clean,
                false => Surroundings::Noised,
            },
            device,
        };
        Model::new(parts, interrupt)
    }
}

/// Checks that every component can run.
fn check_components(package: &ModelFiles, index: &Index) -> Result<(), DiffusionError> {
    let unsupported = |field: &str, value: &Value, supported: String| {
        let (file, field) = (package.full(INDEX), field.to_owned());
        DiffusionError::Unsupported { file, field, value: value.to_string(), supported }
    };
    let component = |name: &str| {
        let value = index.components.get(name).cloned().unwrap_or_default();
        let class = value.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
        (value, class)
    };
    for (name, classes) in COMPONENTS {
        let (value, class) = component(name);
        if !classes.contains(&class.as_str()) {
            return Err(unsupported(name, &value, classes.join(" or ")));
        }
    }
    // The config of a flow has no betas, so it would be read as a diffusion with default betas.
    let (value, class) = component("scheduler");
    if class.starts_with("FlowMatch") {
        let supported = "a scheduler for diffusion, such as DDIMScheduler".to_owned();
        return Err(unsupported("scheduler", &value, supported));
    }
    Ok(())
}
