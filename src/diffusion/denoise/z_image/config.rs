//! The fields of `transformer/config.json` that the network of Z-Image uses.

use serde::Deserialize;
use serde_json::{Value, json};

use super::PATCH;
use crate::diffusion::{DiffusionError, config::ConfigFile};

/// The fields, with diffusers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct ZImageConfig {
    pub(super) in_channels: usize,
    pub(super) dim: usize,
    pub(super) n_layers: usize,
    pub(super) n_refiner_layers: usize,
    pub(super) n_heads: usize,
    pub(super) norm_eps: f64,
    pub(super) cap_feat_dim: usize,
    pub(super) rope_theta: f64,
    pub(super) t_scale: f64,
    pub(super) axes_dims: Vec<usize>,
}

impl Default for ZImageConfig {
    fn default() -> Self {
        Self {
            in_channels: 16,
            dim: 3840,
            n_layers: 30,
            n_refiner_layers: 2,
            n_heads: 30,
            norm_eps: 1e-5,
            cap_feat_dim: 2560,
            rope_theta: 256.0,
            t_scale: 1000.0,
            axes_dims: vec![32, 48, 48],
        }
    }
}

/// The largest width and the largest number of blocks.
const MAX_WIDTH: usize = 1 << 16;
const MAX_BLOCKS: usize = 1 << 10;

impl ZImageConfig {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// If the network does not support a value. The error names the field.
    pub(super) fn read(file: &ConfigFile) -> Result<Self, DiffusionError> {
        file.refuse_other_than(&[
            ("_class_name", json!("ZImageTransformer2DModel")),
            ("all_patch_size", json!([PATCH])),
            ("all_f_patch_size", json!([1])),
            ("qk_norm", json!(true)),
            // The network of Z-Image-Omni also reads pictures.
            ("siglip_feat_dim", Value::Null),
        ])?;
        let config: Self = file.parse()?;
        let ranges = [
            ("in_channels", config.in_channels, MAX_WIDTH),
            ("dim", config.dim, MAX_WIDTH),
            ("n_heads", config.n_heads, MAX_WIDTH),
            ("cap_feat_dim", config.cap_feat_dim, MAX_WIDTH),
            ("n_layers", config.n_layers, MAX_BLOCKS),
            ("n_refiner_layers", config.n_refiner_layers, MAX_BLOCKS),
        ];
        for (field, value, most) in ranges {
            if !(1..=most).contains(&value) {
                return Err(file.unsupported(field, &format!("1 to {most}")));
            }
        }
        let axes = &config.axes_dims;
        let sum = axes.iter().fold(0_usize, |sum, axis| sum.saturating_add(*axis));
        if axes.len() != 3
            || axes.iter().any(|axis| !axis.is_multiple_of(2))
            || sum.checked_mul(config.n_heads) != Some(config.dim)
        {
            let supported = "three even numbers, whose sum times `n_heads` is `dim`";
            return Err(file.unsupported("axes_dims", supported));
        }
        for (field, value, least, most) in [
            ("rope_theta", config.rope_theta, 1.0, 1e12),
            ("t_scale", config.t_scale, 0.0, 1e6),
            ("norm_eps", config.norm_eps, 0.0, 1.0),
        ] {
            if !(value > least && value <= most) {
                let supported = format!("a number above {least}, up to {most}");
                return Err(file.unsupported(field, &supported));
            }
        }
        Ok(config)
    }

    /// Channels between the dense layers of a block.
    pub(super) fn inner(&self) -> usize {
        (self.dim as f64 / 3.0 * 8.0) as usize
    }
}
