//! A model in a single file, seen as a diffusers folder.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    AUTOENCODER, LdmFamily, UNET, UNetNames, UNetSizes, autoencoder, prediction,
    single_file_families, tokenizer,
};
use crate::{
    control::Interrupt,
    model::{
        ModelError, Package, TensorSource,
        inspect::{LICENCE, ModelKind, classify},
        package::{INDEX, config_file, file_hash},
        tensors::{Converted, Stored, TensorFiles, dims},
    },
    recipe::PredictionType,
};

/// The channels of an attention head of Stable Diffusion 2 and XL. Stable Diffusion 1 has 8 heads on all levels.
const HEAD: usize = 64;

/// The number of sizes that Stable Diffusion XL embeds.
const SIZES: usize = 6;

/// The width of each of them in the published models.
const SIZE_WIDTH: usize = 256;

/// A tensor that marks a schedule that ends in pure noise.
const ZERO_TERMINAL_SNR: &str = "ztsnr";

/// A model in a single safetensors file in LDM: Stable Diffusion 1, 2 or XL, with or without text encoders and autoencoder.
/// [`with_text_encoders`](crate::model::with_text_encoders) and [`with_vae`](crate::model::with_vae) add those of other files.
///
/// The configurations follow from the tensors. The scheduler, the numbers that no tensor tells, and the prediction type if the
/// file does not tell it, are those of the published models. The tokenizer is that of CLIP.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    family: LdmFamily,
    unet: UNetNames,
    /// Whether the file has the text encoders.
    has_text_encoders: bool,
    /// Whether the UNet also reads a mask and a masked picture.
    is_inpainting: bool,
    /// The levels of the autoencoder. 0 if the file has none.
    levels: usize,
    licence: Option<String>,
    /// The other files of a folder with this model.
    files: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`ModelError::Unsupported`] if it is not a model of these families. Otherwise if it cannot be read, is not a
    /// safetensors file, or lacks a tensor.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref().to_owned();
        let name = path.display().to_string();
        let tensors = TensorFiles::open(&path)?;
        let header = tensors.header();
        let kind = classify(header);
        let family = match &kind {
            ModelKind::LdmCheckpoint { family } => LdmFamily::from_name(family),
            _ => None,
        };
        let family = family.ok_or_else(|| ModelError::Unsupported {
            file: name,
            field: "the file".to_owned(),
            value: kind.to_string(),
            supported: format!("a model of {} in a single file", single_file_families()),
        })?;
        let mut checkpoint = Self {
            path,
            family,
            unet: UNetNames::detect(&tensors, UNET),
            has_text_encoders: LdmFamily::of_unet(header).is_none(),
            is_inpainting: is_inpainting(&tensors),
            levels: autoencoder::levels(&tensors, AUTOENCODER),
            licence: header.text(LICENCE).map(str::to_owned),
            files: BTreeMap::new(),
        };
        let predicted = prediction::told(header).unwrap_or(checkpoint.usual_prediction());
        let scheduler = checkpoint.scheduler(predicted, tensors.contains(ZERO_TERMINAL_SNR));
        checkpoint.files = checkpoint.generate(scheduler)?;
        Ok(checkpoint)
    }

    /// The index, the configurations and the tokenizers.
    fn generate(&self, scheduler: Value) -> Result<BTreeMap<String, Vec<u8>>, ModelError> {
        let mut files = BTreeMap::new();
        let mut index = json!({
            "_class_name": self.family.pipeline(self.is_inpainting),
            "scheduler": ["diffusers", scheduler["_class_name"]],
            "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        });
        let mut configs = vec![("scheduler".to_owned(), scheduler)];
        let mut pooled = None;
        let names = [("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2")];
        for (layout, (encoder, tokenizer)) in self.family.text_encoders().iter().zip(names) {
            if self.has_text_encoders {
                let skips_last = self.family == LdmFamily::Sd2;
                let config = layout.config(&*self.tensors(encoder)?, skips_last)?;
                pooled = config["projection_dim"].as_u64().map(|width| width as usize);
                configs.push((encoder.to_owned(), config));
            }
            let is_second = encoder == "text_encoder_2";
            let class = if is_second { "CLIPTextModelWithProjection" } else { "CLIPTextModel" };
            index[encoder] = json!(["transformers", class]);
            index[tokenizer] = json!(["transformers", "CLIPTokenizer"]);
            files.extend(tokenizer::files(tokenizer, layout.pad()));
        }
        let scaling_factor = self.family.scaling_factor();
        let vae = match self.levels {
            // What the tensors of another file do not tell.
            0 => json!({"scaling_factor": scaling_factor}),
            levels => autoencoder::config(&*self.tensors("vae")?, levels, scaling_factor)?,
        };
        configs.push(("vae".to_owned(), vae));
        configs.push(("unet".to_owned(), self.unet_config(pooled)?));
        files.insert(INDEX.to_owned(), index.to_string().into_bytes());
        let configs = configs.into_iter();
        let configs =
            configs.map(|(part, json)| (config_file(&part), json.to_string().into_bytes()));
        files.extend(configs);
        Ok(files)
    }

    /// The configuration of the UNet. `pooled` is the width of a pooled prompt, if a text encoder tells it.
    fn unet_config(&self, pooled: Option<usize>) -> Result<Value, ModelError> {
        let tensors = self.tensors("unet")?;
        let sizes = UNetSizes::read(&*tensors)?;
        let mut config = sizes.config();
        config["_class_name"] = json!("UNet2DConditionModel");
        config["out_channels"] = json!(dims::<4>(&*tensors, "conv_out.weight")?[0]);
        config["sample_size"] = json!(self.family.sample_size(self.is_inpainting));
        config["attention_head_dim"] = match self.family {
            LdmFamily::Sd1 => json!(8),
            LdmFamily::Sd2 | LdmFamily::Xl => {
                json!(sizes.channels().map(|channels| (channels / HEAD).max(1)).collect::<Vec<_>>())
            }
        };
        if self.family == LdmFamily::Xl {
            let [_, input] = dims(&*tensors, "add_embedding.linear_1.weight")?;
            config["addition_embed_type"] = json!("text_time");
            let width = pooled.map_or(SIZE_WIDTH, |pooled| input.saturating_sub(pooled) / SIZES);
            config["addition_time_embed_dim"] = json!(width);
            config["projection_class_embeddings_input_dim"] = json!(input);
        }
        Ok(config)
    }

    /// What the published model predicts.
    fn usual_prediction(&self) -> PredictionType {
        // `stable-diffusion-2-inpainting` continues `stable-diffusion-2-base`, which predicts the noise.
        match self.family == LdmFamily::Sd2 && !self.is_inpainting {
            true => PredictionType::Velocity,
            false => PredictionType::Epsilon,
        }
    }

    fn scheduler(&self, prediction_type: PredictionType, is_zero_snr: bool) -> Value {
        json!({
            "_class_name": match self.family {
                LdmFamily::Sd1 | LdmFamily::Sd2 => "DPMSolverMultistepScheduler",
                LdmFamily::Xl => "EulerDiscreteScheduler",
            },
            "num_train_timesteps": 1000,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "prediction_type": prediction_type.name(),
            "timestep_spacing": "leading",
            "steps_offset": 1,
            "clip_sample": false,
            "set_alpha_to_one": false,
            "rescale_betas_zero_snr": is_zero_snr,
        })
    }

    fn missing(&self, file: &str) -> ModelError {
        if !self.has_text_encoders && file.starts_with("text_encoder") {
            return ModelError::NoTextEncoder { file: self.location(file) };
        }
        if self.levels == 0 && file.starts_with("vae") {
            return ModelError::NoVae { file: self.location(file), example: "vae.safetensors" };
        }
        let hint = "a model in a single file has no other files".to_owned();
        ModelError::Missing { file: self.location(file), hint }
    }
}

/// Whether the UNet reads latents, a mask, and the latents of a masked picture.
fn is_inpainting(tensors: &dyn TensorSource) -> bool {
    let dim = |name: &str, at: usize| tensors.shape(&format!("{UNET}{name}"))?.get(at).copied();
    let (input, output) = (dim("input_blocks.0.0.weight", 1), dim("out.2.weight", 0));
    input
        .zip(output)
        .is_some_and(|(input, latents)| input == latents.saturating_mul(2).saturating_add(1))
}

impl Package for Checkpoint {
    fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file stands for its configurations.
    fn location(&self, _: &str) -> String {
        self.path.display().to_string()
    }

    fn has(&self, file: &str) -> bool {
        self.files.contains_key(file)
    }

    fn has_component(&self, part: &str) -> bool {
        self.has(&config_file(part)) && (part != "vae" || self.levels > 0)
    }

    fn file(&self, file: &str) -> Result<Cow<'_, [u8]>, ModelError> {
        let found = self.files.get(file).ok_or_else(|| self.missing(file))?;
        Ok(Cow::Borrowed(found))
    }

    fn tensors(&self, part: &str) -> Result<Box<dyn TensorSource>, ModelError> {
        let encoders = self.family.text_encoders();
        let encoder = match part {
            "text_encoder" => encoders.first(),
            "text_encoder_2" => encoders.get(1),
            _ => None,
        };
        let is_missing = match encoder {
            Some(_) => !self.has_text_encoders,
            None if part == "vae" => self.levels == 0,
            None => part != "unet",
        };
        if is_missing {
            return Err(self.missing(&config_file(part)));
        }
        let source = Box::new(TensorFiles::open(&self.path)?);
        Ok(match encoder {
            Some(layout) => {
                let layout = *layout;
                Box::new(Converted { source, stored: move |name: &str| layout.stored(name) })
            }
            None if part == "vae" => {
                let levels = self.levels;
                let stored = move |name: &str| autoencoder::stored(name, AUTOENCODER, levels);
                Box::new(Converted { source, stored })
            }
            None => {
                let names = self.unet.clone();
                let stored = move |name: &str| {
                    let parts: Vec<&str> = name.split('.').collect();
                    // The name of an unknown tensor does not change.
                    let name = names.name(&parts).unwrap_or_else(|| name.to_owned());
                    Stored::whole(format!("{UNET}{name}"))
                };
                Box::new(Converted { source, stored })
            }
        })
    }

    /// The hash of the whole file.
    fn hash(&self, interrupt: &Interrupt) -> Result<String, ModelError> {
        file_hash(&self.path, interrupt)
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let state = fs::metadata(&self.path).ok();
        state.map(|state| (state.len(), state.modified().ok())).hash(&mut hasher);
        hasher.finish()
    }

    fn licence(&self) -> Option<String> {
        self.licence.clone()
    }

    fn shared(&self) -> Arc<dyn Package> {
        Arc::new(self.clone())
    }
}
