//! The card of a model: identity, abilities and defaults.

mod given;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CatalogueEntry, ModelError, Package, detect,
    detect::{FLUX2_KLEIN, Index, LATENT_CONSISTENCY, Z_IMAGE},
    package::config_hash,
};
use crate::{
    control::Interrupt,
    edit::Grid,
    recipe::{MAX_SIDE, MIN_SIDE, PredictionType, style::LATENTS_MODEL},
};

use given::GivenDefaults;
pub(crate) use given::unsupported;

/// A description of a model. A take's provenance records it, except for abilities and defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Its name or folder.
    pub name: String,
    /// The blake3 hash of its weight files, 64 hex digits. It identifies the model and is part of
    /// the name of a take.
    pub hash: String,
    /// The blake3 hash of its configurations and tokenizer. Takes of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<String>,
    /// The licence, if the model names one.
    pub licence: Option<String>,
    /// The [precision](crate::diffusion::Precision) that the denoiser computed in, `f16` or `bf16`. `None`: f32. It is not part
    /// of [`Self::hash`], as the device is not: a take is the same work on another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// The latent grid.
    #[serde(default)]
    pub grid: Grid,
    /// The abilities. Not part of a take's provenance.
    #[serde(skip)]
    pub abilities: Abilities,
    /// The default settings. Not part of a take's provenance.
    #[serde(skip)]
    pub defaults: ModelDefaults,
}

/// The abilities of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether it can edit parts of a picture.
    pub edits_parts: bool,
    /// Whether it uses a negative prompt.
    pub negative_prompt: bool,
    /// The minimum side of a picture, in pixels.
    pub min_side: u32,
    /// The maximum side of a picture, in pixels.
    pub max_side: u32,
}

/// The abilities of a latent diffusion model.
impl Default for Abilities {
    fn default() -> Self {
        Self { edits_parts: true, negative_prompt: true, min_side: MIN_SIDE, max_side: MAX_SIDE }
    }
}

impl Abilities {
    /// The abilities of a package. Without guidance, a negative prompt has no effect.
    fn of(package: &dyn Package) -> Result<Self, ModelError> {
        let index = Index::read(package)?;
        let negative_prompt = !index.is_distilled() && index.class != LATENT_CONSISTENCY;
        Ok(Self { negative_prompt, ..Self::default() })
    }
}

/// The settings that a model uses if the author does not set others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelDefaults {
    /// The scheduler's class name in diffusers. A model with an unknown one does not load.
    pub scheduler: String,
    /// Denoising steps.
    pub steps: u32,
    /// Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598).
    pub guidance_scale: f32,
    /// Rescaling of guided predictions, 0 to 1 (Lin et al. 2023, arXiv:2305.08891).
    pub guidance_rescale: f32,
    /// What the denoiser predicts, if the author told it because the file of the model does not: see [`settings`](crate::settings).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_type: Option<PredictionType>,
    /// The native size: width and height in pixels of the training pictures.
    pub size: [u32; 2],
}

/// The defaults of diffusers' Stable Diffusion pipeline, with a faster scheduler.
impl Default for ModelDefaults {
    fn default() -> Self {
        Self {
            scheduler: "DPMSolverMultistepScheduler".to_owned(),
            steps: 20,
            guidance_scale: 7.5,
            guidance_rescale: 0.0,
            prediction_type: None,
            size: [512, 512],
        }
    }
}

impl ModelCard {
    /// Creates the card of a package. Reads all weights to hash them.
    ///
    /// # Errors
    /// If a file cannot be read; [`ModelError::Cancelled`] if interrupted.
    pub fn new(
        package: &dyn Package,
        grid: Grid,
        interrupt: &Interrupt,
    ) -> Result<Self, ModelError> {
        Self::with_hash(package, grid, package.hash(interrupt)?)
    }

    /// As [`Self::new`], with the [hash](Package::hash) of the package.
    pub(crate) fn with_hash(
        package: &dyn Package,
        grid: Grid,
        hash: String,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            name: package.name(),
            defaults: ModelDefaults::of(package)?,
            abilities: Abilities::of(package)?,
            config_hash: Some(config_hash(package)?),
            hash,
            licence: package.licence(),
            precision: None,
            grid,
        })
    }

    /// The card of the generator [`LATENTS_MODEL`], which uses the autoencoder of this model.
    #[must_use]
    pub fn of_latents(self) -> Self {
        Self {
            name: LATENTS_MODEL.to_owned(),
            defaults: ModelDefaults::of_latents(),
            abilities: Abilities { edits_parts: false, ..self.abilities },
            precision: None,
            ..self
        }
    }
}

impl ModelDefaults {
    /// The defaults of the generator [`LATENTS_MODEL`]. It has no guidance.
    #[must_use]
    pub fn of_latents() -> Self {
        Self {
            scheduler: "Adam".to_owned(),
            steps: 100,
            guidance_scale: 1.0,
            guidance_rescale: 0.0,
            ..Self::built_in()
        }
    }

    /// The defaults of the built-in model.
    #[must_use]
    pub fn built_in() -> Self {
        Self { guidance_scale: 5.0, guidance_rescale: 0.5, size: [256, 256], ..Self::default() }
    }

    /// The defaults of diffusers' Stable Diffusion XL pipeline, with a faster scheduler.
    fn xl() -> Self {
        Self { guidance_scale: 5.0, size: [1024, 1024], ..Self::default() }
    }

    /// The defaults of diffusers' pipeline of FLUX.2 Klein, or of the model that was distilled from it.
    fn klein(is_distilled: bool) -> Self {
        let size = [1024, 1024];
        match is_distilled {
            true => Self { size, ..Self::distilled() },
            false => Self { steps: 50, guidance_scale: 4.0, size, ..Self::default() },
        }
    }

    /// The defaults of diffusers' pipeline of Z-Image, or those of its example for Z-Image-Turbo. The scale 0 has no effect.
    fn z_image(is_turbo: bool) -> Self {
        let size = [1024, 1024];
        match is_turbo {
            true => Self { steps: 8, guidance_scale: 0.0, size, ..Self::default() },
            false => Self { steps: 50, guidance_scale: 5.0, size, ..Self::default() },
        }
    }

    /// The defaults of a model that was distilled to few steps, for which latent consistency models (Luo et al. 2023,
    /// arXiv:2311.05556) and trajectory consistency models (Zheng et al. 2024, arXiv:2402.19159) need no guidance.
    fn distilled() -> Self {
        Self { steps: 4, guidance_scale: 1.0, ..Self::default() }
    }

    /// The defaults of a package. Reads configurations only, no weights.
    ///
    /// The scheduler is the one in the index, or its substitute. If it is one of distilled models, there are 4 steps
    /// without guidance, or with the guidance scale of diffusers' pipeline for models that embed it. A model in the [catalogue](CatalogueEntry) has the steps and the guidance scale that stand there. The size is the UNet's
    /// `sample_size` times the scale of the autoencoder. `_defaults` in `model_index.json`
    /// overrides each of them.
    ///
    /// # Errors
    /// If the index is missing or damaged, or if `_defaults` has a value of the wrong type, or one with which no picture
    /// can be drawn.
    pub fn of(package: &dyn Package) -> Result<Self, ModelError> {
        let index = Index::read(package)?;
        let given = GivenDefaults::read(package, &index)?;
        let class = match index.class_of("scheduler") {
            "" => None,
            class => Some(detect::scheduler_for(class).to_owned()),
        };
        let scheduler = given.scheduler.or(class);
        let usual = match scheduler.as_deref() {
            _ if index.class == LATENT_CONSISTENCY => {
                Self { guidance_scale: 8.5, ..Self::distilled() }
            }
            Some("LCMScheduler" | "TCDScheduler") => Self::distilled(),
            _ if index.class == "StableDiffusionXLPipeline" => Self::xl(),
            _ if index.class == FLUX2_KLEIN => Self::klein(index.is_distilled()),
            _ if index.class == Z_IMAGE => Self::z_image(is_turbo(package)),
            _ if index.class == "StableDiffusionXLInpaintPipeline" => {
                Self { guidance_scale: 7.5, ..Self::xl() }
            }
            _ => Self::default(),
        };
        let usual = match CatalogueEntry::of_repo(&package.name()) {
            Some(entry) => {
                Self { steps: entry.steps, guidance_scale: entry.guidance_scale, ..usual }
            }
            None => usual,
        };
        Ok(Self {
            scheduler: scheduler.unwrap_or(usual.scheduler),
            steps: given.steps.unwrap_or(usual.steps),
            guidance_scale: given.guidance_scale.unwrap_or(usual.guidance_scale),
            guidance_rescale: given.guidance_rescale.unwrap_or(usual.guidance_rescale),
            prediction_type: None,
            size: given.size.or_else(|| native_size(package)).unwrap_or(usual.size),
        })
    }
}

/// Whether a package of Z-Image was distilled for few steps. The folders of both models differ only in the shift of the noise
/// levels: it is 3 for Z-Image-Turbo, and 6 for Z-Image.
fn is_turbo(package: &dyn Package) -> bool {
    const MAX_SHIFT: f64 = 4.0;
    let config = package.config("scheduler").unwrap_or_default();
    config.get("shift").and_then(Value::as_f64).is_some_and(|shift| shift <= MAX_SHIFT)
}

/// Width and height in pixels: the UNet's `sample_size`, in latents, times the autoencoder's scale.
fn native_size(package: &dyn Package) -> Option<[u32; 2]> {
    let (unet, vae) = (package.config("unet").ok()?, package.config("vae").ok()?);
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let [height, width] = match unet.get("sample_size")? {
        Value::Array(sides) => match sides.as_slice() {
            [height, width] => [number(height)?, number(width)?],
            _ => return None,
        },
        side => [number(side)?; 2],
    };
    // Each level except the last halves the sides.
    let levels = ["block_out_channels", "encoder_block_out_channels"];
    let levels = levels.iter().find_map(|field| vae.get(*field)?.as_array())?.len();
    let scale = 1_u32.checked_shl(u32::try_from(levels).ok()?.checked_sub(1)?)?;
    Some([width.checked_mul(scale)?, height.checked_mul(scale)?])
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::model::{EmbeddedPackage, FolderPackage};

    fn package(files: &[(&str, &str)]) -> (tempfile::TempDir, FolderPackage) {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path: &Path = &folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let package = FolderPackage::open(folder.path()).unwrap();
        (folder, package)
    }

    const UNET: (&str, &str) = ("unet/config.json", r#"{"sample_size": [48, 96]}"#);
    const VAE: (&str, &str) = ("vae/config.json", r#"{"block_out_channels": [1, 2, 4, 4]}"#);

    #[test]
    fn a_downloaded_model_of_the_catalogue_has_the_steps_and_the_guidance_that_stand_there() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join("models--cagliostrolab--animagine-xl-4.0/snapshots/1f3b");
        fs::create_dir_all(&folder).unwrap();
        let defaults = |index: &str| {
            fs::write(folder.join("model_index.json"), index).unwrap();
            let defaults = ModelDefaults::of(&FolderPackage::open(&folder).unwrap()).unwrap();
            (defaults.steps, defaults.guidance_scale)
        };
        assert_eq!(defaults(r#"{"_class_name": "StableDiffusionXLPipeline"}"#), (28, 5.0));
        let own = r#"{"_class_name": "StableDiffusionXLPipeline", "_defaults": {"steps": 12}}"#;
        assert_eq!(defaults(own), (12, 5.0));
    }

    #[test]
    fn the_built_in_model_has_its_own_defaults() {
        let defaults = ModelDefaults::of(&EmbeddedPackage::built_in()).unwrap();
        let expected = ModelDefaults {
            scheduler: "DPMSolverMultistepScheduler".to_owned(),
            steps: 20,
            guidance_scale: 5.0,
            guidance_rescale: 0.5,
            prediction_type: None,
            size: [256, 256],
        };
        assert_eq!(defaults, expected);
    }

    #[test]
    fn defaults_follow_the_scheduler_and_the_native_size_of_a_package() {
        let index = r#"{"scheduler": ["diffusers", "EulerDiscreteScheduler"]}"#;
        let (_folder, package) = package(&[("model_index.json", index), UNET, VAE]);
        let expected = ModelDefaults {
            scheduler: "EulerDiscreteScheduler".to_owned(),
            size: [768, 384],
            ..ModelDefaults::default()
        };
        assert_eq!(ModelDefaults::of(&package).unwrap(), expected);
    }

    #[test]
    fn a_distilled_model_is_drawn_in_few_steps_without_guidance() {
        let index = r#"{"scheduler": ["diffusers", "LCMScheduler"]}"#;
        let (_folder, package) = package(&[("model_index.json", index)]);
        let defaults = ModelDefaults::of(&package).unwrap();
        assert_eq!((defaults.steps, defaults.guidance_scale), (4, 1.0));
    }

    #[test]
    fn a_package_overrides_defaults_one_by_one() {
        let index = r#"{"scheduler": ["diffusers", "DDIMScheduler"], "_defaults": {"steps": 4}}"#;
        let (_folder, package) = package(&[("model_index.json", index), UNET, VAE]);
        let defaults = ModelDefaults::of(&package).unwrap();
        assert_eq!((defaults.steps, defaults.scheduler.as_str()), (4, "DDIMScheduler"));
        let (_folder, package) =
            self::package(&[("model_index.json", r#"{"_defaults": {"steps": "few"}}"#)]);
        let error = ModelDefaults::of(&package).unwrap_err().to_string();
        assert!(error.contains("model_index.json"), "{error}");
    }

    #[test]
    fn a_card_of_an_older_version_is_read_and_a_new_one_records_the_configuration() {
        let old = r#"{"name": "sketch", "hash": "ab", "licence": "MIT"}"#;
        let card: ModelCard = serde_json::from_str(old).unwrap();
        assert_eq!((card.hash.as_str(), card.config_hash.as_deref()), ("ab", None));
        assert_eq!(card.grid, Grid::default());
        let built_in = EmbeddedPackage::built_in();
        let card = ModelCard::new(&built_in, Grid::default(), &Interrupt::default()).unwrap();
        let json = serde_json::to_value(&card).unwrap();
        assert_eq!(json["config_hash"].as_str().unwrap().len(), 64);
        assert_eq!(json.get("defaults"), None);
        assert_eq!(card.hash, built_in.hash(&Interrupt::default()).unwrap());
    }
}
