//! The transformer of Z-Image in a file.

use serde_json::{Map, Value, json};

use super::{Layout, TransformerFormat};
use crate::model::{
    ModelError, TensorSource,
    detect::Z_IMAGE_TRANSFORMER,
    tensors::{View, count, dims, unsupported},
};

/// The latents in a patch.
const PATCH: usize = 4;

/// The elements of a head for each coordinate of a token in the published models, in sixteenths.
const AXES: [usize; 3] = [4, 6, 6];

/// The tensors that fill up tokens and patches. Lumina 2, whose other names are the same, has none.
const PADDING: [&str; 2] = ["cap_pad_token", "x_pad_token"];

/// The layers whose names in diffusers have the size of a patch, and their original names.
const PATCHES: [(&str, &str); 2] =
    [("all_x_embedder.2-1", "x_embedder"), ("all_final_layer.2-1", "final_layer")];

/// The layers in a block that have other names in the original program, and how the tensors are related.
const ATTENTION: [(&str, &str, View); 6] = [
    ("to_q", "qkv", View::Third(0)),
    ("to_k", "qkv", View::Third(1)),
    ("to_v", "qkv", View::Third(2)),
    ("to_out.0", "out", View::Whole),
    ("norm_q", "q_norm", View::Whole),
    ("norm_k", "k_norm", View::Whole),
];

/// The first parts of the names of all tensors. The original program has a last norm that it does not use.
const PARTS: [&str; 10] = [
    "all_x_embedder",
    "all_final_layer",
    "x_embedder",
    "final_layer",
    "norm_final",
    "t_embedder",
    "cap_embedder",
    "noise_refiner",
    "context_refiner",
    "layers",
];

/// The index of the published models. No tensor tells Z-Image-Turbo from Z-Image. With the shift of Turbo in the configuration of
/// the scheduler, the defaults are those of Turbo.
const MODEL_INDEX: &str = r#"{
    "_class_name": "ZImagePipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "ZImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"]
}"#;

pub(super) const FORMAT: TransformerFormat = TransformerFormat {
    class: Z_IMAGE_TRANSFORMER,
    layout,
    refused,
    config,
    index: MODEL_INDEX,
    configs: [
        r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0,
            "use_dynamic_shifting": false}"#,
        r#"{"rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu"}"#,
        // The scale and the shift of FLUX.1, whose autoencoder it is.
        r#"{"norm_num_groups": 32, "scaling_factor": 0.3611, "shift_factor": 0.1159}"#,
    ],
    vae: "ae.safetensors",
};

fn layout(has: &dyn Fn(&str) -> bool) -> Option<Layout> {
    let (diffusers, original) = PATCHES[0];
    let has_layer = |layer: &str| has(&format!("{layer}.weight"));
    let is_z_image = PADDING.into_iter().any(has);
    match () {
        () if is_z_image && has_layer(diffusers) => Some(Layout::Diffusers),
        () if is_z_image && has_layer(original) => Some(Layout::Original(original_tensor)),
        () => None,
    }
}

fn refused(name: &str) -> Option<&'static str> {
    let (part, _) = name.split_once('.').unwrap_or_default();
    let is_own = PADDING.contains(&name) || PARTS.contains(&part);
    (!is_own).then_some("of another network")
}

/// Where the original program has a tensor with this name in diffusers.
fn original_tensor(name: &str) -> Option<(String, View)> {
    if PADDING.contains(&name) {
        return Some((name.to_owned(), View::Row));
    }
    let (layer, tensor) = name.rsplit_once('.')?;
    let (layer, view) = original_layer(layer)?;
    Some((format!("{layer}.{tensor}"), view))
}

/// Where the original program has a layer with this name in diffusers, if the names differ.
pub(crate) fn original_layer(layer: &str) -> Option<(String, View)> {
    if let Some((block, layer)) = layer.rsplit_once(".attention.") {
        let found = ATTENTION.iter().find(|(known, ..)| *known == layer);
        return found.map(|(_, stored, view)| (format!("{block}.attention.{stored}"), *view));
    }
    PATCHES.iter().find_map(|(known, original)| {
        let rest = layer.strip_prefix(known)?;
        Some((format!("{original}{rest}"), View::Whole))
    })
}

/// The configuration of a transformer whose `tensors` have the names of diffusers. `config` is that of the package.
fn config(
    mut config: Map<String, Value>,
    tensors: &dyn TensorSource,
) -> Result<Map<String, Value>, ModelError> {
    let (patches, norm) = ("all_x_embedder.2-1.weight", "layers.0.attention.norm_q.weight");
    let [width, channels] = dims(tensors, patches)?;
    let [_, context] = dims(tensors, "cap_embedder.1.weight")?;
    let [head] = dims(tensors, norm)?;
    if head == 0 || width == 0 || !width.is_multiple_of(head) {
        let expected = format!("a width that is a multiple of {head}, the elements of a head");
        return Err(unsupported(tensors, patches, &expected));
    }
    let own_head = |config: &Map<String, Value>| {
        let axes = config.get("axes_dims")?.as_array()?;
        axes.iter().map(Value::as_u64).sum::<Option<u64>>()
    };
    if own_head(&config) != Some(head as u64) {
        let all = AXES.iter().sum();
        if !head.is_multiple_of(all) {
            let expected = format!("a multiple of {all} elements of a head");
            return Err(unsupported(tensors, norm, &expected));
        }
        config.insert("axes_dims".to_owned(), json!(AXES.map(|axis| head / all * axis)));
    }
    let blocks = |group: &str| count(tensors, |at| format!("{group}.{at}.attention.norm_q.weight"));
    for (field, value) in [
        ("in_channels", channels / PATCH),
        ("dim", width),
        ("n_layers", blocks("layers")),
        ("n_refiner_layers", blocks("noise_refiner")),
        ("n_heads", width / head),
        ("n_kv_heads", width / head),
        ("cap_feat_dim", context),
    ] {
        config.insert(field.to_owned(), json!(value));
    }
    Ok(config)
}
