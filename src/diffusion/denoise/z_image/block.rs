//! The blocks of Z-Image: attention between all tokens, and a gated dense layer, each between two norms.

use candle_core::{Result, Tensor};

use crate::{
    diffusion::{
        denoise::blocks::Block,
        layers::{Linear, RmsNorm},
        weights::StoredWeights,
    },
    ops::{self, AttentionMask, RotaryAngles, RotaryPairs},
};

/// The epsilon of the norms of queries and keys.
const HEAD_EPS: f64 = 1e-5;

/// The norms before and after the attention, then before and after the dense layer.
const NORMS: [&str; 4] = ["attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2"];

/// Options that all blocks share.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) width: usize,
    /// Channels between the dense layers.
    pub(super) inner: usize,
    pub(super) heads: usize,
    /// Channels of the embedded timestep.
    pub(super) time: usize,
    pub(super) eps: f64,
}

/// What a prediction has in common for all blocks of a group.
#[derive(Debug)]
pub(super) struct Pass {
    /// The embedded timestep, `(1, time)`.
    pub(super) time: Tensor,
    pub(super) angles: RotaryAngles,
}

/// A block.
#[derive(Clone, Debug)]
pub(super) struct ZImageBlock {
    config: BlockConfig,
    /// In the order of [`NORMS`].
    norms: [RmsNorm; 4],
    /// From the timestep to a factor of each norm (Peebles and Xie 2022, arXiv:2212.09748), if it changes the block.
    modulation: Option<Linear>,
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl ZImageBlock {
    pub(super) fn load(
        config: BlockConfig,
        is_modulated: bool,
        weights: &StoredWeights,
    ) -> Result<Self> {
        let BlockConfig { width, inner, heads, time, eps } = config;
        let (attention, dense) = (weights.pp("attention"), weights.pp("feed_forward"));
        let wide = weights.converted();
        let [before, after, before_dense, after_dense] =
            NORMS.map(|name| RmsNorm::load(width, eps, &wide.pp(name)));
        let modulation = || Linear::load(time, 4 * width, &wide.pp("adaLN_modulation").pp(0));
        let project = |weights: StoredWeights| Linear::load_stored(width, width, &weights);
        let head =
            |name: &str| RmsNorm::load(width / heads, HEAD_EPS, &attention.converted().pp(name));
        let dense = |input: usize, output: usize, name: &str| {
            Linear::load_stored(input, output, &dense.pp(name))
        };
        Ok(Self {
            config,
            norms: [before?, after?, before_dense?, after_dense?],
            modulation: is_modulated.then(modulation).transpose()?,
            query: project(attention.pp("to_q"))?,
            key: project(attention.pp("to_k"))?,
            value: project(attention.pp("to_v"))?,
            query_norm: head("norm_q")?,
            key_norm: head("norm_k")?,
            output: project(attention.pp("to_out").pp(0))?,
            gate: dense(width, inner, "w1")?,
            up: dense(width, inner, "w3")?,
            down: dense(inner, width, "w2")?,
        })
    }

    /// All dense layers.
    pub(super) fn layers(&mut self) -> impl Iterator<Item = &mut Linear> {
        let Self { modulation, query, key, value, output, gate, up, down, .. } = self;
        [query, key, value, output, gate, up, down].into_iter().chain(modulation)
    }

    /// The norms with the factors of the timestep: a scale around 1 before the attention and the dense layer, and a gate in
    /// -1..=1 after each.
    fn modulated_norms(&self, time: &Tensor) -> Result<[RmsNorm; 4]> {
        let Some(modulation) = &self.modulation else { return Ok(self.norms.clone()) };
        let factors = modulation.forward(time)?.squeeze(0)?;
        let part = |index: usize| {
            factors.narrow(0, index * self.config.width, self.config.width)?.contiguous()
        };
        let [before, after, before_dense, after_dense] = &self.norms;
        Ok([
            before.times(&(part(0)? + 1.0)?)?,
            after.times(&part(1)?.tanh()?)?,
            before_dense.times(&(part(2)? + 1.0)?)?,
            after_dense.times(&part(3)?.tanh()?)?,
        ])
    }

    /// Attention between all tokens, whose queries and keys are turned by their positions.
    fn attention(&self, x: &Tensor, angles: &RotaryAngles) -> Result<Tensor> {
        let turned = |x: &Tensor, norm: &RmsNorm| {
            ops::rotary(&norm.forward_heads(x)?, angles, RotaryPairs::Neighbours)
        };
        let query = turned(&self.query.forward(x)?, &self.query_norm)?;
        let key = turned(&self.key.forward(x)?, &self.key_norm)?;
        let (value, mask) = (self.value.forward(x)?, AttentionMask::default());
        self.output.forward(&ops::attention(&query, &key, &value, self.config.heads, mask)?)
    }
}

impl Block for ZImageBlock {
    type Pass = Pass;

    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let [before, after, before_dense, after_dense] = &self.modulated_norms(&pass.time)?;
        let attended = self.attention(&before.forward(x)?, &pass.angles)?;
        let x = ops::add(&after.forward(&attended)?, x)?;
        let normed = before_dense.forward(&x)?;
        let inner = (ops::silu(&self.gate.forward(&normed)?)? * self.up.forward(&normed)?)?;
        ops::add(&after_dense.forward(&self.down.forward(&inner)?)?, &x)
    }
}
