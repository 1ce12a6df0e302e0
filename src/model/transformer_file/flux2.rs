//! The transformer of FLUX.2 Klein in a file.

mod names;

use serde_json::{Map, Value, json};

use super::TransformerFormat;
use crate::model::{
    ModelError, TensorSource,
    detect::FLUX2_TRANSFORMER,
    tensors::{count, dims, unsupported},
};
pub(crate) use names::original_layer;

/// The coordinates of a token. In the published models, each turns a quarter of the elements of a head, in pairs.
const AXES: usize = 4;

/// Parts of the names of tensors that models with a guidance scale have, and Klein does not.
const GUIDANCE: [&str; 2] = ["guidance_in.", "guidance_embedder."];

/// The index of the published models. No tensor tells the distilled one from the base model. So the defaults are those of the
/// distilled one, which is not guided, and a guidance scale that an author sets has an effect, as in `ComfyUI`.
const MODEL_INDEX: &str = r#"{
    "_class_name": "Flux2KleinPipeline",
    "is_distilled": false,
    "_defaults": {"steps": 4, "guidance_scale": 1.0},
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3ForCausalLM"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLFlux2"]
}"#;

pub(super) const FORMAT: TransformerFormat = TransformerFormat {
    class: FLUX2_TRANSFORMER,
    layout: names::layout,
    refused: |name| {
        GUIDANCE
            .iter()
            .any(|part| name.contains(part))
            .then_some("of a model that reads the guidance scale")
    },
    config,
    index: MODEL_INDEX,
    configs: [
        r#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0,
            "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256,
            "max_image_seq_len": 4096, "time_shift_type": "exponential"}"#,
        r#"{"rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu"}"#,
        r#"{"norm_num_groups": 32, "batch_norm_eps": 1e-4}"#,
    ],
    vae: "flux2-vae.safetensors",
};

/// The configuration of a transformer whose `tensors` have the names of diffusers. `config` is that of the package.
fn config(
    mut config: Map<String, Value>,
    tensors: &dyn TensorSource,
) -> Result<Map<String, Value>, ModelError> {
    let [width, channels] = dims(tensors, "x_embedder.weight")?;
    let [_, context] = dims(tensors, "context_embedder.weight")?;
    let [_, times] = dims(tensors, "time_guidance_embed.timestep_embedder.linear_1.weight")?;
    let [head] = dims(tensors, "transformer_blocks.0.attn.norm_q.weight")?;
    let [_, inner] = dims(tensors, "transformer_blocks.0.ff.linear_out.weight")?;
    let blocks = |group: &str| count(tensors, |at| format!("{group}.{at}.attn.norm_q.weight"));
    if head == 0 || width == 0 || !width.is_multiple_of(head) {
        let expected = format!("a width that is a multiple of {head}, the elements of a head");
        return Err(unsupported(tensors, "x_embedder.weight", &expected));
    }
    if config.get("attention_head_dim") != Some(&json!(head)) {
        if !head.is_multiple_of(2 * AXES) {
            let norm = "transformer_blocks.0.attn.norm_q.weight";
            let expected = format!("a multiple of {} elements of a head", 2 * AXES);
            return Err(unsupported(tensors, norm, &expected));
        }
        config.insert("axes_dims_rope".to_owned(), json!(vec![head / AXES; AXES]));
    }
    for (field, value) in [
        ("in_channels", json!(channels)),
        ("out_channels", Value::Null),
        ("num_layers", json!(blocks("transformer_blocks"))),
        ("num_single_layers", json!(blocks("single_transformer_blocks"))),
        ("attention_head_dim", json!(head)),
        ("num_attention_heads", json!(width / head)),
        ("joint_attention_dim", json!(context)),
        ("timestep_guidance_channels", json!(times)),
        ("mlp_ratio", json!(ratio(inner, width))),
        ("guidance_embeds", json!(false)),
    ] {
        config.insert(field.to_owned(), value);
    }
    Ok(config)
}

/// A number whose product with `width`, rounded down, is `inner`.
fn ratio(inner: usize, width: usize) -> f64 {
    let (inner, width) = (inner as f64, width as f64);
    let ratio = inner / width;
    if (width * ratio).floor() == inner { ratio } else { (inner + 0.5) / width }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_the_inner_layer_gives_its_size_back() {
        for width in 1..300_usize {
            for inner in 1..4 * width {
                assert_eq!((width as f64 * ratio(inner, width)) as usize, inner);
            }
        }
        assert_eq!(ratio(9216, 3072), 3.0);
    }
}
