//! The fields of `transformer/config.json` that the network of FLUX.2 uses.

use serde::Deserialize;
use serde_json::json;

use crate::diffusion::{DiffusionError, config::ConfigFile};

/// The fields, with diffusers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Flux2Config {
    pub(super) in_channels: usize,
    out_channels: Option<usize>,
    pub(super) num_layers: usize,
    pub(super) num_single_layers: usize,
    attention_head_dim: usize,
    pub(super) num_attention_heads: usize,
    pub(super) joint_attention_dim: usize,
    pub(super) timestep_guidance_channels: usize,
    mlp_ratio: f64,
    pub(super) axes_dims_rope: Vec<usize>,
    pub(super) rope_theta: f64,
    pub(super) eps: f64,
}

impl Default for Flux2Config {
    fn default() -> Self {
        Self {
            in_channels: 128,
            out_channels: None,
            num_layers: 8,
            num_single_layers: 48,
            attention_head_dim: 128,
            num_attention_heads: 48,
            joint_attention_dim: 15360,
            timestep_guidance_channels: 256,
            mlp_ratio: 3.0,
            axes_dims_rope: vec![32; 4],
            rope_theta: 2000.0,
            eps: 1e-6,
        }
    }
}

/// The largest width and the largest number of blocks.
const MAX_WIDTH: usize = 1 << 16;
const MAX_BLOCKS: usize = 1 << 10;

impl Flux2Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// If the network does not support a value. The error names the field.
    pub(super) fn read(file: &ConfigFile) -> Result<Self, DiffusionError> {
        file.refuse_other_than(&[
            ("_class_name", json!("Flux2Transformer2DModel")),
            ("patch_size", json!(1)),
        ])?;
        let config: Self = file.parse()?;
        let positive = [
            ("in_channels", config.in_channels),
            ("attention_head_dim", config.attention_head_dim),
            ("num_attention_heads", config.num_attention_heads),
            ("joint_attention_dim", config.joint_attention_dim),
            ("timestep_guidance_channels", config.timestep_guidance_channels),
        ];
        for (field, value) in positive {
            if !(1..=MAX_WIDTH).contains(&value) {
                return Err(file.unsupported(field, &format!("1 to {MAX_WIDTH}")));
            }
        }
        if config.width() > MAX_WIDTH {
            let supported = format!("{MAX_WIDTH} channels of all heads");
            return Err(file.unsupported("num_attention_heads", &supported));
        }
        if config.out_channels.is_some_and(|channels| channels != config.in_channels) {
            return Err(file.unsupported("out_channels", "that of `in_channels`, or null"));
        }
        for (field, count) in
            [("num_layers", config.num_layers), ("num_single_layers", config.num_single_layers)]
        {
            if count > MAX_BLOCKS {
                return Err(file.unsupported(field, &format!("up to {MAX_BLOCKS}")));
            }
        }
        let axes = &config.axes_dims_rope;
        let sum = axes.iter().fold(0_usize, |sum, axis| sum.saturating_add(*axis));
        if axes.len() != 4
            || axes.iter().any(|axis| !axis.is_multiple_of(2))
            || sum != config.attention_head_dim
        {
            let supported = "four even numbers, whose sum is `attention_head_dim`";
            return Err(file.unsupported("axes_dims_rope", supported));
        }
        for (field, value, most) in
            [("mlp_ratio", config.mlp_ratio, 64.0), ("rope_theta", config.rope_theta, 1e12)]
        {
            if !(value >= 1.0 / 64.0 && value <= most) {
                return Err(file.unsupported(field, &format!("a number above 0, up to {most}")));
            }
        }
        Ok(config)
    }

    /// Channels of a token.
    pub(super) fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Channels between the dense layers of a block.
    pub(super) fn inner(&self) -> usize {
        (self.width() as f64 * self.mlp_ratio) as usize
    }
}
