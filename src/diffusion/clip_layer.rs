//! The transformer layer of CLIP's text encoder and vision encoder.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{
    DiffusionError,
    config::ConfigFile,
    layers::{LayerNorm, Linear},
};
use crate::ops::{self, Activation, AttentionMask};

/// The options of all layers of an encoder.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClipLayerConfig {
    pub(super) width: usize,
    /// The width between the two dense layers.
    pub(super) inner: usize,
    pub(super) heads: usize,
    pub(super) eps: f64,
    pub(super) activation: Activation,
}

impl ClipLayerConfig {
    /// Returns an error if the number of heads in `file` does not divide the width.
    pub(super) fn check(self, file: &ConfigFile) -> std::result::Result<(), DiffusionError> {
        let Self { width, heads, .. } = self;
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(file.unsupported("num_attention_heads", &format!("a divisor of {width}")));
        }
        Ok(())
    }
}

/// transformers' `CLIPEncoderLayer`.
#[derive(Clone, Debug)]
pub(super) struct ClipLayer {
    config: ClipLayerConfig,
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl ClipLayer {
    pub(super) fn load(config: ClipLayerConfig, weights: &VarBuilder) -> Result<Self> {
        let ClipLayerConfig { width, inner, eps, .. } = config;
        let attention = weights.pp("self_attn");
        let project = |name: &str| Linear::load(width, width, &attention.pp(name));
        let norm = |name: &str| LayerNorm::load(width, eps, &weights.pp(name));
        Ok(Self {
            config,
            layer_norm1: norm("layer_norm1")?,
            q_proj: project("q_proj")?,
            k_proj: project("k_proj")?,
            v_proj: project("v_proj")?,
            out_proj: project("out_proj")?,
            layer_norm2: norm("layer_norm2")?,
            fc1: Linear::load(width, inner, &weights.pp("mlp").pp("fc1"))?,
            fc2: Linear::load(inner, width, &weights.pp("mlp").pp("fc2"))?,
        })
    }

    /// `x` is `(batch, tokens, width)`.
    pub(super) fn forward(&self, x: &Tensor, mask: AttentionMask<'_>) -> Result<Tensor> {
        let normed = self.layer_norm1.forward(x)?;
        let attended = ops::attention(
            &self.q_proj.forward(&normed)?,
            &self.k_proj.forward(&normed)?,
            &self.v_proj.forward(&normed)?,
            self.config.heads,
            mask,
        )?;
        let x = ops::add(x, &self.out_proj.forward(&attended)?)?;
        let inner = self.fc1.forward(&self.layer_norm2.forward(&x)?)?;
        ops::add(&x, &self.fc2.forward(&self.config.activation.forward(&inner)?)?)
    }
}
