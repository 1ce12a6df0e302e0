//! The names of the tensors of FLUX.2 in files.

use crate::model::{tensors::View, transformer_file::Layout};

/// The layers outside of the blocks: in diffusers, in the names of Black Forest Labs, and how the tensors are related.
const LAYERS: [(&str, &str, View); 9] = [
    ("x_embedder", "img_in", View::Whole),
    ("context_embedder", "txt_in", View::Whole),
    ("time_guidance_embed.timestep_embedder.linear_1", "time_in.in_layer", View::Whole),
    ("time_guidance_embed.timestep_embedder.linear_2", "time_in.out_layer", View::Whole),
    ("double_stream_modulation_img.linear", "double_stream_modulation_img.lin", View::Whole),
    ("double_stream_modulation_txt.linear", "double_stream_modulation_txt.lin", View::Whole),
    ("single_stream_modulation.linear", "single_stream_modulation.lin", View::Whole),
    // One gives shift and scale, the other scale and shift.
    ("norm_out.linear", "final_layer.adaLN_modulation.1", View::SwappedHalves),
    ("proj_out", "final_layer.linear", View::Whole),
];

/// Those of a block with weights for latents and for text.
const DOUBLE: [(&str, &str, View); 16] = [
    ("attn.to_q", "img_attn.qkv", View::Third(0)),
    ("attn.to_k", "img_attn.qkv", View::Third(1)),
    ("attn.to_v", "img_attn.qkv", View::Third(2)),
    ("attn.to_out.0", "img_attn.proj", View::Whole),
    ("attn.norm_q", "img_attn.norm.query_norm", View::Whole),
    ("attn.norm_k", "img_attn.norm.key_norm", View::Whole),
    ("ff.linear_in", "img_mlp.0", View::Whole),
    ("ff.linear_out", "img_mlp.2", View::Whole),
    ("attn.add_q_proj", "txt_attn.qkv", View::Third(0)),
    ("attn.add_k_proj", "txt_attn.qkv", View::Third(1)),
    ("attn.add_v_proj", "txt_attn.qkv", View::Third(2)),
    ("attn.to_add_out", "txt_attn.proj", View::Whole),
    ("attn.norm_added_q", "txt_attn.norm.query_norm", View::Whole),
    ("attn.norm_added_k", "txt_attn.norm.key_norm", View::Whole),
    ("ff_context.linear_in", "txt_mlp.0", View::Whole),
    ("ff_context.linear_out", "txt_mlp.2", View::Whole),
];

/// Those of a block with the same weights for all tokens.
const SINGLE: [(&str, &str, View); 4] = [
    ("attn.to_qkv_mlp_proj", "linear1", View::Whole),
    ("attn.to_out", "linear2", View::Whole),
    ("attn.norm_q", "norm.query_norm", View::Whole),
    ("attn.norm_k", "norm.key_norm", View::Whole),
];

/// The names in a file. `has` tells whether a tensor exists. `None` if it is not a transformer of FLUX.2.
pub(super) fn layout(has: &dyn Fn(&str) -> bool) -> Option<Layout> {
    if has("double_stream_modulation_img.linear.weight") {
        return Some(Layout::Diffusers);
    }
    let is_scale = has("double_blocks.0.img_attn.norm.query_norm.scale");
    has("double_stream_modulation_img.lin.weight").then_some(Layout::Original(match is_scale {
        true => |name| original(name, "scale"),
        false => |name| original(name, "weight"),
    }))
}

/// Where the original program has a tensor with this name in diffusers. `norm` is the name of the weights of a norm.
fn original(name: &str, norm: &str) -> Option<(String, View)> {
    let layer = name.strip_suffix(".weight")?;
    let (stored, view) = original_layer(layer)?;
    let weight = if layer.contains(".attn.norm_") { norm } else { "weight" };
    Some((format!("{stored}.{weight}"), view))
}

/// Where the original program has a layer with this name in diffusers.
pub(crate) fn original_layer(layer: &str) -> Option<(String, View)> {
    let find = |layers: &'static [(&str, &str, View)], layer: &str| {
        layers.iter().find(|(known, ..)| *known == layer).map(|(_, stored, view)| (*stored, *view))
    };
    if let Some((stored, view)) = find(&LAYERS, layer) {
        return Some((stored.to_owned(), view));
    }
    let (group, layer) = layer.split_once('.')?;
    let (index, layer) = layer.split_once('.')?;
    let (group, (stored, view)) = match group {
        "transformer_blocks" => ("double_blocks", find(&DOUBLE, layer)?),
        "single_transformer_blocks" => ("single_blocks", find(&SINGLE, layer)?),
        _ => return None,
    };
    Some((format!("{group}.{index}.{stored}"), view))
}
