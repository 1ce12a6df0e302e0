//! What `model_index.json` says that a folder holds.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::diffusion::{DiffusionError, ModelFiles};

const FILE: &str = "model_index.json";

/// The parts that drawing needs, each with the classes that can be run. Other parts are ignored.
const PARTS: [(&str, &[&str]); 4] = [
    ("text_encoder", &["CLIPTextModel"]),
    ("tokenizer", &["CLIPTokenizer", "CLIPTokenizerFast"]),
    ("unet", &["UNet2DConditionModel"]),
    ("vae", &["AutoencoderKL", "AutoencoderTiny"]),
];

/// What the index says, as far as drawing needs it.
#[derive(Deserialize)]
pub(super) struct Index {
    #[serde(rename = "_class_name")]
    class: String,
    /// The denoiser has learned edits with what lies around the part free of noise. Diffusers passes over
    /// settings that begin like this one.
    #[serde(rename = "_clean_surroundings", default)]
    pub clean_surroundings: bool,
    /// Name of a part, to its library and class; other values are settings of the pipeline.
    #[serde(flatten)]
    parts: HashMap<String, Value>,
}

/// Reads it, and makes sure that the folder holds a text-to-picture pipeline whose parts can all be run.
pub(super) fn read(files: &ModelFiles) -> Result<Index, DiffusionError> {
    let index: Index = files.config(FILE)?;
    let unsupported = |field: &str, value: String, supported: String| {
        let (file, field) = (files.full(FILE), field.to_owned());
        Err(DiffusionError::Unsupported { file, field, value, supported })
    };
    if index.class != "StableDiffusionPipeline" {
        let supported = "\"StableDiffusionPipeline\" (Stable Diffusion 1 and 2)".to_owned();
        return unsupported("_class_name", format!("\"{}\"", index.class), supported);
    }
    for (part, classes) in PARTS {
        let value = index.parts.get(part).cloned().unwrap_or_default();
        let class = value.get(1).and_then(Value::as_str).unwrap_or_default();
        if !classes.contains(&class) {
            return unsupported(part, value.to_string(), classes.join(" or "));
        }
    }
    // A flow has no betas: its config would be read as one for nothing but defaults.
    let value = index.parts.get("scheduler").cloned().unwrap_or_default();
    let class = value.get(1).and_then(Value::as_str).unwrap_or_default();
    if class.starts_with("FlowMatch") {
        let supported = "a scheduler for diffusion, such as DDIMScheduler".to_owned();
        return unsupported("scheduler", value.to_string(), supported);
    }
    Ok(index)
}
