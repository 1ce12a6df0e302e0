//! The layers of [`Qwen3TextModel`](super::Qwen3TextModel).

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::{
    diffusion::layers::{Linear, RmsNorm},
    ops::{self, Activation, AttentionMask, RotaryAngles, RotaryPairs},
};

/// Options that all layers share.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerConfig {
    pub(super) width: usize,
    /// Channels between the dense layers.
    pub(super) inner: usize,
    pub(super) heads: usize,
    /// Heads of keys and values. Several heads of queries share one (Ainslie et al. 2023, arXiv:2305.13245).
    pub(super) key_heads: usize,
    /// Channels of a head.
    pub(super) head: usize,
    pub(super) eps: f64,
    pub(super) has_bias: bool,
    pub(super) activation: Activation,
}

/// Attention to the tokens before, and a gated dense layer (Shazeer 2020, arXiv:2002.05202), each with a skip connection.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    config: LayerConfig,
    input_norm: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    inner_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Layer {
    pub(super) fn load(config: LayerConfig, weights: &VarBuilder) -> Result<Self> {
        let LayerConfig { width, inner, heads, key_heads, head, eps, has_bias, .. } = config;
        let (attention, dense) = (weights.pp("self_attn"), weights.pp("mlp"));
        let project = |input: usize, output: usize, name: &str| match has_bias {
            true => Linear::load(input, output, &attention.pp(name)),
            false => Linear::load_without_bias(input, output, &attention.pp(name)),
        };
        let norm = |size: usize, weights: &VarBuilder, name: &str| {
            RmsNorm::load(size, eps, &weights.pp(name))
        };
        let dense = |input: usize, output: usize, name: &str| {
            Linear::load_without_bias(input, output, &dense.pp(name))
        };
        Ok(Self {
            config,
            input_norm: norm(width, weights, "input_layernorm")?,
            query: project(width, heads * head, "q_proj")?,
            key: project(width, key_heads * head, "k_proj")?,
            value: project(width, key_heads * head, "v_proj")?,
            output: project(heads * head, width, "o_proj")?,
            query_norm: norm(head, &attention, "q_norm")?,
            key_norm: norm(head, &attention, "k_norm")?,
            inner_norm: norm(width, weights, "post_attention_layernorm")?,
            gate: dense(width, inner, "gate_proj")?,
            up: dense(width, inner, "up_proj")?,
            down: dense(inner, width, "down_proj")?,
        })
    }

    /// `x` is `(batch, tokens, width)`.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        angles: &RotaryAngles,
        mask: AttentionMask<'_>,
    ) -> Result<Tensor> {
        let normed = self.input_norm.forward(x)?;
        let turned = |x: Tensor, norm: &RmsNorm| {
            ops::rotary(&norm.forward_heads(&x)?, angles, RotaryPairs::Halves)
        };
        let query = turned(self.query.forward(&normed)?, &self.query_norm)?;
        let key = self.shared(&turned(self.key.forward(&normed)?, &self.key_norm)?)?;
        let value = self.shared(&self.value.forward(&normed)?)?;
        let attended = ops::attention(&query, &key, &value, self.config.heads, mask)?;
        let x = ops::add(&self.output.forward(&attended)?, x)?;
        let normed = self.inner_norm.forward(&x)?;
        let gate = self.config.activation.forward(&self.gate.forward(&normed)?)?;
        let inner = (gate * self.up.forward(&normed)?)?;
        ops::add(&self.down.forward(&inner)?, &x)
    }

    /// Copies each head of keys or values for the heads of queries that share it.
    fn shared(&self, x: &Tensor) -> Result<Tensor> {
        let LayerConfig { heads, key_heads, head, .. } = self.config;
        if heads == key_heads {
            return Ok(x.clone());
        }
        let (batch, tokens, _) = x.dims3()?;
        let copies = heads / key_heads;
        let each = x.reshape((batch, tokens, key_heads, 1, head))?;
        let copied = each.broadcast_as((batch, tokens, key_heads, copies, head))?.contiguous()?;
        copied.reshape((batch, tokens, heads * head))
    }
}
