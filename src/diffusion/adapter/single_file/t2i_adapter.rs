//! T2I-Adapters as single files, by the names of `TencentARC`'s `T2I-Adapter` or of diffusers.

use std::sync::Arc;

use serde_json::json;

use super::{Names, Network};
use crate::{
    diffusion::{
        DiffusionError,
        adapter::{AdapterError, AdapterPlaces},
    },
    model::{
        ModelError, TensorSource,
        tensors::{count, dims, unsupported},
    },
};

/// Pixels along each side of a square that becomes channels, for Stable Diffusion 1 and 2.
const DOWNSCALE_FACTOR: usize = 8;

/// The same for Stable Diffusion XL.
const DOWNSCALE_FACTOR_XL: usize = 16;

/// The configuration and the names of a T2I-Adapter. `None` if the file is none.
pub(super) fn detect(
    tensors: &dyn TensorSource,
    places: &AdapterPlaces,
) -> Result<Option<Network>, DiffusionError> {
    for prefix in ["adapter.", ""] {
        let has = |name: &str| tensors.contains(&format!("{prefix}{name}"));
        if has("body.0.out_conv.weight") {
            return light(tensors, prefix).map(Some);
        }
        if has("conv_in.weight")
            && (has("body.0.block1.weight") || has("body.0.resnets.0.block1.weight"))
        {
            return full(tensors, prefix, places).map(Some);
        }
    }
    Ok(None)
}

/// A light adapter: each level is a block of the body.
fn light(tensors: &dyn TensorSource, prefix: &'static str) -> Result<Network, DiffusionError> {
    let output = |level: usize| format!("{prefix}body.{level}.out_conv.weight");
    let levels = count(tensors, output);
    let channels = (0..levels).map(|level| rows(tensors, &output(level)));
    let mut channels = channels.collect::<Result<Vec<_>, _>>()?;
    if channels.len() > 1 && channels.pop().as_ref() != channels.last() {
        let expected = "the channels of the level before";
        return Err(unsupported(tensors, &output(levels - 1), expected).into());
    }
    let is_original = tensors.contains(&format!("{prefix}body.0.body.0.block1.weight"));
    let list = if is_original { "body" } else { "resnets" };
    let blocks = count(tensors, |at| format!("{prefix}body.0.{list}.{at}.block1.weight"));
    let [_, input, _, _] = dims(tensors, &format!("{prefix}body.0.in_conv.weight"))?;
    let (in_channels, side) = squares(tensors, input)?;
    if side == DOWNSCALE_FACTOR_XL {
        let kind = "a light T2I-Adapter of Stable Diffusion XL".to_owned();
        return Err(AdapterError::Kind { file: tensors.files(), kind }.into());
    }
    let config = json!({
        "_class_name": "T2IAdapter",
        "adapter_type": "light_adapter",
        "in_channels": in_channels,
        "channels": channels,
        "num_res_blocks": blocks,
        "downscale_factor": side,
    });
    let stored: Names = Arc::new(move |name: &str| {
        let name = name.strip_prefix("adapter.").unwrap_or(name);
        format!("{prefix}{}", name.replace(".resnets.", &format!(".{list}.")))
    });
    Ok(Network { config, stored })
}

/// A full adapter. In the original names, the residual blocks of all levels are in one list, and as many levels as the
/// denoiser has share them.
fn full(
    tensors: &dyn TensorSource,
    prefix: &'static str,
    places: &AdapterPlaces,
) -> Result<Network, DiffusionError> {
    let input = format!("{prefix}conv_in.weight");
    let (in_channels, side) = squares(tensors, dims::<4>(tensors, &input)?[1])?;
    let is_xl = side == DOWNSCALE_FACTOR_XL;
    let is_original = tensors.contains(&format!("{prefix}body.0.block1.weight"));
    let (levels, blocks) = if is_original {
        let all = count(tensors, |at| format!("{prefix}body.{at}.block1.weight"));
        // The last one of the denoiser's places is its middle block, for which adapters of XL have a level, too.
        let levels = places.features.len().saturating_sub(usize::from(!is_xl)).max(1);
        if !all.is_multiple_of(levels) {
            return Err(DiffusionError::Model(ModelError::Unsupported {
                file: tensors.files(),
                field: format!("{prefix}body"),
                value: format!("a list of {all} blocks"),
                supported: format!("a multiple of {levels}, the number of levels of the denoiser"),
            }));
        }
        (levels, all / levels)
    } else {
        let levels = count(tensors, |at| format!("{prefix}body.{at}.resnets.0.block1.weight"));
        let blocks = count(tensors, |at| format!("{prefix}body.0.resnets.{at}.block1.weight"));
        (levels, blocks)
    };
    let first_block = |level: usize| match is_original {
        true => format!("{prefix}body.{}.block1.weight", level * blocks),
        false => format!("{prefix}body.{level}.resnets.0.block1.weight"),
    };
    let channels = (0..levels).map(|level| rows(tensors, &first_block(level)));
    let config = json!({
        "_class_name": "T2IAdapter",
        "adapter_type": if is_xl { "full_adapter_xl" } else { "full_adapter" },
        "in_channels": in_channels,
        "channels": channels.collect::<Result<Vec<_>, _>>()?,
        "num_res_blocks": blocks,
        "downscale_factor": side,
    });
    let stored: Names = Arc::new(move |name: &str| {
        let name = name.strip_prefix("adapter.").unwrap_or(name);
        let original = if is_original { in_one_list(name, blocks) } else { None };
        format!("{prefix}{}", original.unwrap_or_else(|| name.to_owned()))
    });
    Ok(Network { config, stored })
}

/// The original name for a name of diffusers without `adapter.`. `None` if it is the same.
fn in_one_list(name: &str, blocks: usize) -> Option<String> {
    let (level, rest) = name.strip_prefix("body.")?.split_once('.')?;
    let first = level.parse::<usize>().ok()?.checked_mul(blocks)?;
    let Some(rest) = rest.strip_prefix("resnets.") else {
        return Some(format!("body.{first}.{rest}"));
    };
    let (block, rest) = rest.split_once('.')?;
    Some(format!("body.{}.{rest}", first.checked_add(block.parse().ok()?)?))
}

/// The channels of the input, and the side of the squares of its pixels, from the channels of these squares.
fn squares(tensors: &dyn TensorSource, input: usize) -> Result<(usize, usize), DiffusionError> {
    let of = |side: usize| (input.is_multiple_of(side * side)).then_some(input / (side * side));
    if let Some(channels @ (1 | 3)) = of(DOWNSCALE_FACTOR_XL) {
        return Ok((channels, DOWNSCALE_FACTOR_XL));
    }
    of(DOWNSCALE_FACTOR).map(|channels| (channels, DOWNSCALE_FACTOR)).ok_or_else(|| {
        DiffusionError::Model(ModelError::Unsupported {
            file: tensors.files(),
            field: "conv_in".to_owned(),
            value: format!("of {input} channels"),
            supported: format!("a multiple of {}", DOWNSCALE_FACTOR * DOWNSCALE_FACTOR),
        })
    })
}

/// The output channels of a convolution.
fn rows(tensors: &dyn TensorSource, name: &str) -> Result<usize, DiffusionError> {
    Ok(dims::<4>(tensors, name)?[0])
}
