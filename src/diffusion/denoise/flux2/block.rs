//! The blocks of FLUX.2: attention between all tokens, and a gated dense layer.

use candle_core::{D, Result, Tensor};

use crate::{
    diffusion::{
        denoise::blocks::Block,
        layers::{Linear, RmsNorm},
        weights::StoredWeights,
    },
    ops::{self, AttentionMask, RotaryAngles, RotaryPairs},
};

/// Options that all blocks share.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) width: usize,
    /// Channels between the dense layers.
    pub(super) inner: usize,
    pub(super) heads: usize,
    pub(super) eps: f64,
}

/// What a prediction has in common for all blocks.
#[derive(Debug)]
pub(super) struct Pass {
    /// The number of tokens of the text, which are the first ones.
    pub(super) text: usize,
    /// How blocks with weights for each kind of tokens change those of latents, before attention and before the dense layer.
    pub(super) latents: Vec<Modulation>,
    /// The same for those of the text.
    pub(super) context: Vec<Modulation>,
    /// How the other blocks change all tokens.
    pub(super) both: Vec<Modulation>,
    pub(super) angles: RotaryAngles,
}

/// How the timestep changes a part of a block (Peebles and Xie 2022, arXiv:2212.09748): each is `(1, width)`.
#[derive(Debug)]
pub(super) struct Modulation {
    shift: Tensor,
    /// One more than the network predicts.
    scale: Tensor,
    gate: Tensor,
}

impl Modulation {
    /// Splits `(1, 3 * count * width)`.
    pub(super) fn all(joined: &Tensor, count: usize) -> Result<Vec<Self>> {
        let parts = joined.chunk(3 * count, 1)?;
        let each = parts.chunks_exact(3).map(|part| {
            let (shift, gate) = (part[0].clone(), part[2].clone());
            Ok(Self { shift, scale: (&part[1] + 1.0)?, gate })
        });
        each.collect()
    }

    /// The normed, scaled and shifted `x`, `(batch, tokens, width)`.
    fn normed(&self, x: &Tensor, eps: f64) -> Result<Tensor> {
        normed(x, &self.scale, &self.shift, eps)
    }

    /// `x` with a gated `change`.
    fn add(&self, x: &Tensor, change: &Tensor) -> Result<Tensor> {
        ops::add(&change.broadcast_mul(&self.gate)?, x)
    }
}

/// Normalises the last dimension of `x`, then scales and shifts it. `scale` and `shift` are `(1, width)`.
pub(super) fn normed(x: &Tensor, scale: &Tensor, shift: &Tensor, eps: f64) -> Result<Tensor> {
    ops::layer_norm(x, &scale.squeeze(0)?, &shift.squeeze(0)?, eps)
}

/// A block.
#[derive(Clone, Debug)]
pub(super) enum Flux2Block {
    /// With weights for latents and for text: `[text, latents]`.
    Double(Box<[Stream; 2]>, BlockConfig),
    /// With the same weights for all tokens, and attention beside the dense layer.
    Single(Box<Parallel>, BlockConfig),
}

/// The weights of a double block for one kind of tokens.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    query: Linear,
    key: Linear,
    value: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
    dense_in: Linear,
    dense_out: Linear,
}

/// The weights of a single block.
#[derive(Clone, Debug)]
pub(super) struct Parallel {
    /// Queries, keys, values and the input of the dense layer.
    input: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
}

impl Flux2Block {
    pub(super) fn double(config: BlockConfig, weights: &StoredWeights) -> Result<Self> {
        let attention = weights.pp("attn");
        let text = ["add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"];
        let latents = ["to_q", "to_k", "to_v", "to_out"];
        let out = attention.pp("to_out").pp(0);
        let streams = [
            Stream::load(
                config,
                (&attention, text, ["norm_added_q", "norm_added_k"]),
                &attention.pp(text[3]),
                &weights.pp("ff_context"),
            )?,
            Stream::load(
                config,
                (&attention, latents, ["norm_q", "norm_k"]),
                &out,
                &weights.pp("ff"),
            )?,
        ];
        Ok(Self::Double(Box::new(streams), config))
    }

    pub(super) fn single(config: BlockConfig, weights: &StoredWeights) -> Result<Self> {
        let BlockConfig { width, inner, heads, eps } = config;
        let weights = weights.pp("attn");
        let norm = |name: &str| RmsNorm::load(width / heads, eps, weights.pp(name).converted());
        let linear = |input: usize, output: usize, name: &str| {
            Linear::load_stored(input, output, &weights.pp(name))
        };
        let parallel = Parallel {
            input: linear(width, 3 * width + 2 * inner, "to_qkv_mlp_proj")?,
            query_norm: norm("norm_q")?,
            key_norm: norm("norm_k")?,
            output: linear(width + inner, width, "to_out")?,
        };
        Ok(Self::Single(Box::new(parallel), config))
    }

    /// All dense layers.
    pub(super) fn layers(&mut self) -> Vec<&mut Linear> {
        match self {
            Self::Double(streams, _) => streams.iter_mut().flat_map(Stream::layers).collect(),
            Self::Single(parallel, _) => vec![&mut parallel.input, &mut parallel.output],
        }
    }
}

impl Block for Flux2Block {
    type Pass = Pass;

    /// The tokens of the text are the first ones of `x`.
    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        match self {
            Self::Double(streams, config) => double(streams, *config, x, pass),
            Self::Single(parallel, config) => parallel.forward(*config, x, pass),
        }
    }
}

/// A block whose streams meet only in the attention.
fn double(streams: &[Stream; 2], config: BlockConfig, x: &Tensor, pass: &Pass) -> Result<Tensor> {
    let split = |x: &Tensor| -> Result<[Tensor; 2]> {
        let latents = x.dim(1)? - pass.text;
        Ok([x.narrow(1, 0, pass.text)?, x.narrow(1, pass.text, latents)?])
    };
    let modulations = [&pass.context, &pass.latents];
    let mut projected = [Vec::new(), Vec::new(), Vec::new()];
    let inputs = split(x)?;
    for ((stream, x), modulation) in streams.iter().zip(&inputs).zip(modulations) {
        let normed = modulation[0].normed(x, config.eps)?;
        projected[0].push(stream.query_norm.forward_heads(&stream.query.forward(&normed)?)?);
        projected[1].push(stream.key_norm.forward_heads(&stream.key.forward(&normed)?)?);
        projected[2].push(stream.value.forward(&normed)?);
    }
    let [query, key, value] = projected.map(|parts| Tensor::cat(&parts, 1));
    let attended = split(&attention(&query?, &key?, &value?, config, pass)?)?;
    let mut outputs = Vec::new();
    let streams = streams.iter().zip(inputs).zip(attended);
    for (((stream, x), attended), modulation) in streams.zip(modulations) {
        let x = modulation[0].add(&x, &stream.output.forward(&attended.contiguous()?)?)?;
        let normed = modulation[1].normed(&x, config.eps)?;
        let inner = gated(&stream.dense_in.forward(&normed)?)?;
        outputs.push(modulation[1].add(&x, &stream.dense_out.forward(&inner)?)?);
    }
    Tensor::cat(&outputs, 1)
}

impl Stream {
    /// The names are those of the projections and norms of the attention.
    fn load(
        config: BlockConfig,
        (attention, names, norms): (&StoredWeights, [&str; 4], [&str; 2]),
        output: &StoredWeights,
        dense: &StoredWeights,
    ) -> Result<Self> {
        let BlockConfig { width, inner, heads, eps } = config;
        let project = |name: &str| Linear::load_stored(width, width, &attention.pp(name));
        let norm = |name: &str| RmsNorm::load(width / heads, eps, attention.pp(name).converted());
        Ok(Self {
            query: project(names[0])?,
            key: project(names[1])?,
            value: project(names[2])?,
            query_norm: norm(norms[0])?,
            key_norm: norm(norms[1])?,
            output: Linear::load_stored(width, width, output)?,
            dense_in: Linear::load_stored(width, 2 * inner, &dense.pp("linear_in"))?,
            dense_out: Linear::load_stored(inner, width, &dense.pp("linear_out"))?,
        })
    }

    fn layers(&mut self) -> [&mut Linear; 6] {
        let Self { query, key, value, output, dense_in, dense_out, .. } = self;
        [query, key, value, output, dense_in, dense_out]
    }
}

impl Parallel {
    fn forward(&self, config: BlockConfig, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let BlockConfig { width, inner, eps, .. } = config;
        let [modulation] = &pass.both[..] else {
            candle_core::bail!("a single block has one modulation")
        };
        let input = self.input.forward(&modulation.normed(x, eps)?)?;
        let part = |start: usize, count: usize| input.narrow(D::Minus1, start, count)?.contiguous();
        let query = self.query_norm.forward_heads(&part(0, width)?)?;
        let key = self.key_norm.forward_heads(&part(width, width)?)?;
        let attended = attention(&query, &key, &part(2 * width, width)?, config, pass)?;
        let dense = gated(&part(3 * width, 2 * inner)?)?;
        let output = self.output.forward(&Tensor::cat(&[attended, dense], D::Minus1)?)?;
        modulation.add(x, &output)
    }
}

/// Attention between all tokens, whose queries and keys are turned by their positions.
fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    config: BlockConfig,
    pass: &Pass,
) -> Result<Tensor> {
    let turned = |x: &Tensor| ops::rotary(x, &pass.angles, RotaryPairs::Neighbours);
    ops::attention(&turned(query)?, &turned(key)?, value, config.heads, AttentionMask::default())
}

/// The second half of the last dimension, gated by the first half (Shazeer 2020, arXiv:2002.05202).
fn gated(x: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let part = |start: usize| x.narrow(D::Minus1, start, half)?.contiguous();
    ops::silu(&part(0)?)? * part(half)?
}
