//! Options that commands share: model, sampling, size and device.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use bevy_illustrator::{
    diffusion::{DeviceKind, DiffusionError, LoadOptions, Precision, optimizer, scheduler},
    generator::{inspect, open_model},
    model::{EmbeddedPackage, Package, inspect::Obstacle, package::optional_components},
    recipe::{
        GuidanceInterval, Lora, LoraError, MAX_CANVAS_SIDE, MAX_SIDE, MIN_SIDE, PredictionType,
        Sampler, SigmaSpacing, Size, Sizes, Style,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
};
use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};

use crate::{failure::Failure, output::print_error};

/// Model, sampling and size. Options that are not given keep the style's values.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LookOptions {
    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,
    /// Picture size in pixels
    #[arg(long, value_name = "WxH", value_parser = size)]
    pub(crate) size: Option<Size>,
}

/// Model and sampling.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SamplingOptions {
    /// A diffusers folder, a model in a single safetensors file, or `latents`, which draws with losses and an optimizer
    /// instead of a diffusion network [default: the style's model, otherwise the built-in model]
    // A recipe stores the name as text.
    #[arg(long, visible_alias = "generator", value_name = "PATH", value_parser = StringValueParser::new().map(PathBuf::from))]
    pub(crate) model: Option<PathBuf>,
    /// The file or the folder of an autoencoder (VAE) that replaces that of the model
    #[arg(long, value_name = "PATH", value_parser = StringValueParser::new().map(|path| model_name(Path::new(&path))))]
    pub(crate) vae: Option<String>,
    /// The file or the folder of a text encoder (CLIP) that replaces that of the model, or that a single file lacks; repeat for
    /// the two of Stable Diffusion XL
    #[arg(long, value_name = "PATH", value_parser = StringValueParser::new().map(|path| model_name(Path::new(&path))))]
    pub(crate) text_encoder: Vec<String>,
    /// The file of a low-rank adapter that changes the model, and its weight [default: 1]; repeat for several
    #[arg(long, value_name = "FILE[:WEIGHT]", value_parser = lora)]
    pub(crate) lora: Vec<Lora>,
    /// The file or the folder of an adapter or a network of losses, and the component that it is, such as
    /// `adapters/outline:controlnet/lineart.safetensors`; repeat for several
    #[arg(long, value_name = "COMPONENT:PATH", value_parser = component)]
    pub(crate) component: Vec<(String, String)>,
    /// The seed of the initial noise; -1 chooses one at random and prints it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = seed)]
    pub(crate) seed: Option<Seed>,
    /// Sampling steps, or iterations of an optimizer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) steps: Option<u32>,
    /// Classifier-free guidance scale; 1 disables guidance, 0 for Z-Image
    #[arg(long, value_name = "X", value_parser = guidance)]
    pub(crate) guidance: Option<f32>,
    /// Guidance rescale, from 0 (off) to 1; reduces the contrast that guidance adds
    #[arg(long, value_name = "X", value_parser = guidance_rescale)]
    pub(crate) guidance_rescale: Option<f32>,
    /// The steps in which guidance acts, as shares of all steps from 0 to 1, such as 0.1:0.8; the other steps are faster
    #[arg(long, value_name = "FROM:TO")]
    pub(crate) guidance_interval: Option<GuidanceInterval>,
    /// The scheduler. SGD, Adam and LBFGS are optimizers for `latents`
    #[arg(long, value_name = "NAME", value_parser = scheduler())]
    pub(crate) scheduler: Option<String>,

    /// The spacing of the scheduler's noise levels
    #[arg(long, value_name = "NAME", value_parser = sigmas())]
    pub(crate) sigmas: Option<SigmaSpacing>,
    /// What the denoiser predicts, if the model's own configuration is wrong or a single file does not tell it [default: what
    /// `models remember` was told, otherwise the model's]
    #[arg(long, value_name = "NAME", value_parser = prediction_type())]
    pub(crate) prediction_type: Option<PredictionType>,
    /// The number of last layers of CLIP's text encoders that are left out, as in diffusers: 1 is "Clip skip 2" of A1111
    #[arg(long, value_name = "N")]
    pub(crate) clip_skip: Option<u32>,
}

/// A seed that was given or chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed {
    value: u64,
    is_random: bool,
}

/// The device that runs the networks, and its memory.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DeviceOptions {
    /// auto, cpu, cuda, cuda:1 or metal
    #[arg(long, value_name = "NAME", default_value = "auto")]
    device: DeviceKind,
    /// The most memory that a model and its pictures may use on the CPU, in GB [default: that of the settings, otherwise all
    /// that is free]
    #[arg(long, value_name = "GB", value_parser = gigabytes)]
    memory_budget: Option<u64>,
    /// The precision that the denoiser computes in: auto, f32, f16 or bf16; auto is f32 on the CPU, and f16 or bf16 on a
    /// graphics card
    #[arg(long, value_name = "NAME", default_value = "auto")]
    precision: Precision,
}

impl DeviceOptions {
    /// How models are loaded.
    pub(crate) fn load_options(&self) -> LoadOptions {
        let mut options = LoadOptions::new(self.device);
        options.memory_budget = self.memory_budget;
        options.precision = self.precision;
        options
    }
}

/// Parses the name of an optional component, and a path.
fn component(text: &str) -> Result<(String, String), String> {
    let known = |name: &str| optional_components().any(|known| known == name);
    match text.split_once(':') {
        Some((name, path)) if known(name) && !path.is_empty() => {
            Ok((name.to_owned(), model_name(Path::new(path))))
        }
        _ => {
            let known: Vec<_> = optional_components().collect();
            Err(format!("expected COMPONENT:PATH, where COMPONENT is {}", known.join(", ")))
        }
    }
}

/// Parses a positive number of gigabytes. Returns bytes.
fn gigabytes(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(gigabytes) if gigabytes > 0.0 && gigabytes <= 1e6 => Ok((gigabytes * 1e9) as u64),
        _ => Err("expected a number of gigabytes above 0, such as 8 or 7.5".to_owned()),
    }
}

impl LookOptions {
    /// The style with these options applied.
    pub(crate) fn applied_to(&self, style: &Style) -> Style {
        let mut style = style.clone();
        style.sampler = self.sampling.sampler(style.sampler.clone());
        style.seed = self.sampling.seed().unwrap_or(style.seed);
        if let Some(model) = &self.sampling.model {
            style.model = model_name(model);
        }
        style.vae = self.sampling.vae(style.vae);
        style.text_encoders = self.sampling.text_encoders(&style.text_encoders);
        style.loras = self.sampling.loras(&style.loras);
        style.components = self.sampling.components(&style.components);
        if let Some(size) = self.size {
            style.sizes = Sizes::all(size);
        }
        style
    }
}

impl SamplingOptions {
    /// The sampler with these options applied.
    pub(crate) fn sampler(&self, sampler: Sampler) -> Sampler {
        Sampler {
            scheduler: self.scheduler.clone().or(sampler.scheduler),
            sigmas: self.sigmas.or(sampler.sigmas),
            prediction_type: self.prediction_type.or(sampler.prediction_type),
            clip_skip: self.clip_skip.or(sampler.clip_skip),
            steps: self.steps.or(sampler.steps),
            guidance_scale: self.guidance.or(sampler.guidance_scale),
            guidance_rescale: self.guidance_rescale.or(sampler.guidance_rescale),
            guidance_interval: self.guidance_interval.or(sampler.guidance_interval),
        }
    }

    /// The seed. `None` keeps the style's.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.seed.map(|seed| seed.value)
    }

    /// Prints a seed that was chosen at random, so that the picture can be drawn again.
    pub(crate) fn print_random_seed(&self) {
        if let Some(Seed { value, is_random: true }) = self.seed {
            print_error(format_args!("The seed is {value}"));
        }
    }

    /// The model's name in recipes.
    pub(crate) fn model_name(&self) -> String {
        self.model.as_deref().map_or(BUILT_IN_MODEL.to_owned(), model_name)
    }

    /// The autoencoder with these options applied.
    pub(crate) fn vae(&self, vae: Option<String>) -> Option<String> {
        self.vae.clone().or(vae)
    }

    /// The text encoders with these options applied.
    pub(crate) fn text_encoders(&self, text_encoders: &[String]) -> Vec<String> {
        match self.text_encoder.is_empty() {
            true => text_encoders.to_vec(),
            false => self.text_encoder.clone(),
        }
    }

    /// The low-rank adapters with these options applied.
    pub(crate) fn loras(&self, loras: &[Lora]) -> Vec<Lora> {
        if self.lora.is_empty() { loras.to_vec() } else { self.lora.clone() }
    }

    /// The optional components with these options applied.
    pub(crate) fn components(
        &self,
        components: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let given = self.component.iter().cloned();
        components.clone().into_iter().chain(given).collect()
    }

    /// Whether the model has no diffusion network.
    pub(crate) fn optimizes_latents(&self) -> bool {
        self.model_name() == LATENTS_MODEL
    }

    /// The model's package, with its text encoders.
    ///
    /// # Errors
    /// If it does not exist, or does not run here.
    pub(crate) fn package(&self) -> Result<Arc<dyn Package>, Failure> {
        let model = self.model_name();
        check_model(&model, &self.text_encoder, self.vae.as_deref())?;
        if self.optimizes_latents() {
            return Ok(Arc::new(EmbeddedPackage::built_in()));
        }
        let package = open_model(&model, &self.text_encoder, self.vae.as_deref());
        Ok(package.map_err(DiffusionError::from)?)
    }
}

/// Checks that a model runs here with these text encoders and this autoencoder, to fail before any long work.
///
/// # Errors
/// If it does not exist or does not run here, with the reason.
pub(crate) fn check_model(
    model: &str,
    text_encoders: &[String],
    vae: Option<&str>,
) -> Result<(), Failure> {
    if [BUILT_IN_MODEL, LATENTS_MODEL].contains(&model) {
        return Ok(());
    }
    let path = Path::new(model);
    let mut obstacles = inspect(path).map_err(Failure::file("read the model", path))?.obstacles;
    // The author may have chosen another scheduler, or draw a picture without these networks.
    obstacles.retain(|obstacle| match obstacle {
        Obstacle::DefaultScheduler { .. } | Obstacle::Optional(_) => false,
        obstacle => !obstacle.is_solved_by(!text_encoders.is_empty(), vae.is_some()),
    });
    if obstacles.is_empty() {
        Ok(())
    } else {
        Err(Failure::Model { path: path.to_path_buf(), obstacles })
    }
}

/// Normalises a model's path, because the name is part of a picture's identity.
pub(crate) fn model_name(folder: &Path) -> String {
    let parts = folder.components().filter(|part| *part != Component::CurDir);
    let name: PathBuf = parts.collect();
    if name.as_os_str().is_empty() { ".".to_owned() } else { name.display().to_string() }
}

/// Parses `FILE` or `FILE:WEIGHT`.
fn lora(text: &str) -> Result<Lora, LoraError> {
    let with_weight = text.rsplit_once(':').and_then(|(file, weight)| {
        Some(Lora { file: file.to_owned(), weight: weight.parse().ok()? })
    });
    let lora = with_weight.unwrap_or_else(|| Lora { file: text.to_owned(), weight: 1.0 });
    let Lora { file, weight } = lora;
    let lora = Lora { file: model_name(Path::new(&file)), weight };
    Lora::check_all(std::slice::from_ref(&lora))?;
    Ok(lora)
}

fn scheduler() -> impl TypedValueParser<Value = String> {
    let schedulers = scheduler::classes().into_iter().map(|class| class.short_name);
    let names = schedulers.chain(optimizer::CLASSES.map(|class| class.class_name));
    PossibleValuesParser::new(names)
        .map(|name| scheduler::find(&name).map_or(name, |class| class.class_name.to_owned()))
}

fn sigmas() -> impl TypedValueParser<Value = SigmaSpacing> {
    PossibleValuesParser::new(SigmaSpacing::ALL.map(SigmaSpacing::name)).try_map(|name| {
        let found = SigmaSpacing::ALL.into_iter().find(|spacing| spacing.name() == name);
        found.ok_or("unknown spacing")
    })
}

pub(crate) fn prediction_type() -> impl TypedValueParser<Value = PredictionType> {
    PossibleValuesParser::new(PredictionType::ALL.map(PredictionType::name)).try_map(|name| {
        let found = PredictionType::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or("unknown prediction type")
    })
}

fn seed(text: &str) -> Result<Seed, String> {
    if text == "-1" {
        // 32 bits, so that people can read it and JSON can hold it.
        let value = RandomState::new().build_hasher().finish() >> 32;
        return Ok(Seed { value, is_random: true });
    }
    let value = text.parse();
    value
        .map(|value| Seed { value, is_random: false })
        .map_err(|_| format!("expected a number from 0 to {}, or -1 for a random seed", u64::MAX))
}

fn guidance(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(guidance @ 0.0..=1000.0) => Ok(guidance),
        _ => Err(
            "expected a number from 0 to 1000; 7.5 is typical, 1 disables guidance (0 for Z-Image)"
                .to_owned(),
        ),
    }
}

fn guidance_rescale(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rescale @ 0.0..=1.0) => Ok(rescale),
        _ => Err("expected a number from 0 to 1; 0.7 is typical, 0 is off".to_owned()),
    }
}

fn size(text: &str) -> Result<Size, String> {
    size_up_to(text, MAX_SIDE)
}

/// Parses the size of an edited picture, `WxH`.
pub(crate) fn canvas_size(text: &str) -> Result<Size, String> {
    size_up_to(text, MAX_CANVAS_SIDE)
}

fn size_up_to(text: &str, max: u32) -> Result<Size, String> {
    let side = |text: &str| text.parse().ok().filter(|side| (MIN_SIDE..=max).contains(side));
    text.split_once(['x', 'X'])
        .and_then(|(width, height)| Some(Size::new(side(width)?, side(height)?)))
        .ok_or_else(|| {
            format!(
                "expected width and height in pixels, from {MIN_SIDE} to {max}, such as 512x512"
            )
        })
}

/// Parses a denoising strength.
pub(crate) fn strength(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(strength) if strength > 0.0 && strength <= 1.0 => Ok(strength),
        _ => Err("expected a number above 0 and at most 1, such as 0.6".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_width_by_height() {
        assert_eq!(size("640x384"), Ok(Size::new(640, 384)));
        for bad in ["", "512", "512x", "x512", "0x512", "512x512x3", "-8x8", "9999999999x8"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_memory_budget_is_a_positive_number_of_gigabytes() {
        assert_eq!(gigabytes("7.5"), Ok(7_500_000_000));
        for bad in ["", "0", "-1", "8GB", "NaN", "inf"] {
            assert!(gigabytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn guidance_rescale_is_from_0_to_1() {
        assert_eq!([guidance_rescale("0"), guidance_rescale("0.7")], [Ok(0.0), Ok(0.7)]);
        for bad in ["", "1.5", "-0.1", "NaN", "much"] {
            assert!(guidance_rescale(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn missing_options_keep_the_style() {
        let style = Style { seed: 7, ..Style::default() };
        assert_eq!(LookOptions::default().applied_to(&style), style);
        let interval = "0.1:0.8".parse().ok();
        let sampling = SamplingOptions {
            steps: Some(3),
            clip_skip: Some(1),
            guidance_interval: interval,
            ..Default::default()
        };
        let options = LookOptions { sampling, size: Some(Size::new(64, 32)) };
        let changed = options.applied_to(&style);
        assert_eq!((changed.sampler.steps, changed.seed), (Some(3), 7));
        assert_eq!(changed.sampler.clip_skip, Some(1));
        assert_eq!(
            changed.sampler.guidance_interval,
            Some(GuidanceInterval { from: 0.1, to: 0.8 })
        );
        assert_eq!(changed.sampler.guidance_scale, style.sampler.guidance_scale);
        assert_eq!(
            (changed.sizes.item, changed.sizes.portrait),
            (Some(Size::new(64, 32)), Some(Size::new(64, 32)))
        );
    }

    #[test]
    fn spellings_of_one_path_have_one_name() {
        for typed in ["models/a", "models/a/", "./models//./a"] {
            assert_eq!(model_name(Path::new(typed)), "models/a");
        }
        assert_eq!(model_name(Path::new("./")), ".");
    }
}
