//! The autoencoder in LDM: its names, and its configuration.

use serde_json::{Value, json};

use super::AUTOENCODER;
use crate::model::{
    ModelError, TensorSource,
    tensors::{Stored, TensorHeader, View, count, dims},
};

/// Where the file has a tensor with a name of diffusers. `levels` is the number of levels.
pub(in crate::model) fn stored(name: &str, prefix: &str, levels: usize) -> Stored {
    let parts: Vec<&str> = name.split('.').collect();
    let (name, view) = match renamed(&parts, levels) {
        Some(renamed) => renamed,
        // The name of an unknown tensor does not change.
        None => (name.to_owned(), View::Whole),
    };
    Stored { name: format!("{prefix}{name}"), view }
}

fn renamed(parts: &[&str], levels: usize) -> Option<(String, View)> {
    let whole = |name: String| Some((name, View::Whole));
    let resnet = |rest: &[&str]| rest.join(".").replace("conv_shortcut", "nin_shortcut");
    let (half, rest) = match parts {
        [half @ ("encoder" | "decoder"), rest @ ..] => (half, rest),
        rest => return whole(rest.join(".")),
    };
    match rest {
        ["conv_norm_out", rest] => whole(format!("{half}.norm_out.{rest}")),
        ["mid_block", "resnets", at, rest @ ..] => {
            let at = at.parse::<usize>().ok()? + 1;
            whole(format!("{half}.mid.block_{at}.{}", rest.join(".")))
        }
        ["mid_block", "attentions", "0", layer, rest @ ..] => {
            // The projections are convolutions with a kernel of one pixel.
            let (layer, rest, view) = match (*layer, rest) {
                ("group_norm", [rest]) => ("norm", rest, View::Whole),
                ("to_q", [rest]) => ("q", rest, View::Squeezed),
                ("to_k", [rest]) => ("k", rest, View::Squeezed),
                ("to_v", [rest]) => ("v", rest, View::Squeezed),
                ("to_out", ["0", rest]) => ("proj_out", rest, View::Squeezed),
                _ => return None,
            };
            Some((format!("{half}.mid.attn_1.{layer}.{rest}"), view))
        }
        ["down_blocks", level, "resnets", at, rest @ ..] => {
            whole(format!("{half}.down.{level}.block.{at}.{}", resnet(rest)))
        }
        ["down_blocks", level, "downsamplers", "0", rest @ ..] => {
            whole(format!("{half}.down.{level}.downsample.{}", rest.join(".")))
        }
        ["up_blocks", level, kind, at, rest @ ..] => {
            // Level 0 is the largest in LDM, and the smallest in diffusers.
            let level = levels.checked_sub(level.parse::<usize>().ok()? + 1)?;
            match (*kind, *at) {
                ("resnets", at) => whole(format!("{half}.up.{level}.block.{at}.{}", resnet(rest))),
                ("upsamplers", "0") => {
                    whole(format!("{half}.up.{level}.upsample.{}", rest.join(".")))
                }
                _ => None,
            }
        }
        rest => whole(format!("{half}.{}", rest.join("."))),
    }
}

/// The number of levels. 0 if the tensors are not those of an autoencoder.
pub(in crate::model) fn levels(tensors: &dyn TensorSource, prefix: &str) -> usize {
    count(tensors, |at| level(prefix, at))
}

/// Whether the file of a whole model has an autoencoder.
pub(in crate::model) fn is_in(header: &TensorHeader) -> bool {
    header.shape(&level(AUTOENCODER, 0)).is_some()
}

/// A tensor of a level.
fn level(prefix: &str, at: usize) -> String {
    format!("{prefix}encoder.down.{at}.block.0.norm1.weight")
}

/// The configuration of an autoencoder whose `tensors` have the names of diffusers, with this scale of latents.
///
/// # Errors
/// If a tensor is missing, or has an unexpected number of dimensions.
pub(in crate::model) fn config(
    tensors: &dyn TensorSource,
    levels: usize,
    scaling_factor: f64,
) -> Result<Value, ModelError> {
    let channels = |at: usize| {
        let name = format!("encoder.down_blocks.{at}.resnets.0.conv1.weight");
        let [channels, ..]: [usize; 4] = dims(tensors, &name)?;
        Ok(channels)
    };
    let channels = (0..levels).map(channels).collect::<Result<Vec<_>, ModelError>>()?;
    let layers = count(tensors, |at| format!("encoder.down_blocks.0.resnets.{at}.norm1.weight"));
    let [_, latents, _, _] = dims(tensors, "decoder.conv_in.weight")?;
    Ok(json!({
        "_class_name": "AutoencoderKL",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": latents,
        "block_out_channels": channels,
        "down_block_types": vec!["DownEncoderBlock2D"; levels],
        "up_block_types": vec!["UpDecoderBlock2D"; levels],
        "layers_per_block": layers,
        "norm_num_groups": 32,
        "act_fn": "silu",
        "mid_block_add_attention": tensors.contains("encoder.mid_block.attentions.0.group_norm.weight"),
        "use_quant_conv": tensors.contains("quant_conv.weight"),
        "use_post_quant_conv": tensors.contains("post_quant_conv.weight"),
        "scaling_factor": scaling_factor,
    }))
}
