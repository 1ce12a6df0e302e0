//! The resampler of IP-Adapter Plus (diffusers' `IPAdapterPlusImageProjection`): learned tokens attend to the hidden
//! states of an image.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{LAYER_NORM_EPS, MAX_TOKENS};
use crate::{
    diffusion::{
        DiffusionError,
        layers::{LayerNorm, Linear},
    },
    model::{
        TensorSource,
        tensors::{dims, unsupported},
    },
    ops::{self, Activation, AttentionMask},
};

/// The width of a head in all files.
const HEAD: usize = 64;

/// The most heads. Published adapters have 12 or 20.
const MAX_HEADS: usize = 64;

/// The sizes of a resampler.
#[derive(Clone, Copy, Debug)]
pub(in crate::diffusion::adapter) struct ResamplerShape {
    /// The width of the hidden states of an image.
    pub(in crate::diffusion::adapter) input: usize,
    /// The width of a token of the result.
    pub(in crate::diffusion::adapter) output: usize,
    /// The number of tokens, and their width inside.
    tokens: usize,
    width: usize,
    depth: usize,
    heads: usize,
    /// The width between the two dense layers.
    inner: usize,
}

impl ResamplerShape {
    /// The shape of the resampler in a file of IP-Adapter. `None` if it has none.
    pub(super) fn detect(
        tensors: &dyn TensorSource,
    ) -> std::result::Result<Option<Self>, DiffusionError> {
        const LATENTS: &str = "image_proj.latents";
        const QUERY: &str = "image_proj.layers.0.0.to_q.weight";
        if !tensors.contains(LATENTS) {
            return Ok(None);
        }
        let [_, tokens, width] = dims(tensors, LATENTS)?;
        let [_, input] = dims(tensors, "image_proj.proj_in.weight")?;
        let [output, _] = dims(tensors, "image_proj.proj_out.weight")?;
        let [attended, _] = dims(tensors, QUERY)?;
        let [inner, _] = dims(tensors, "image_proj.layers.0.1.1.weight")?;
        if !(1..=MAX_TOKENS).contains(&tokens) {
            return Err(unsupported(tensors, LATENTS, &format!("1 to {MAX_TOKENS} tokens")).into());
        }
        if !(1..=MAX_HEADS).contains(&(attended / HEAD)) || !attended.is_multiple_of(HEAD) {
            let expected = format!("a multiple of {HEAD} rows, at most {}", MAX_HEADS * HEAD);
            return Err(unsupported(tensors, QUERY, &expected).into());
        }
        let exists =
            |layer: &usize| tensors.contains(&format!("image_proj.layers.{layer}.0.to_q.weight"));
        let depth = (0..).take_while(exists).count();
        Ok(Some(Self { input, output, tokens, width, depth, heads: attended / HEAD, inner }))
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(in crate::diffusion::adapter) struct Resampler {
    /// The learned tokens, `(1, tokens, width)`.
    latents: Tensor,
    proj_in: Linear,
    layers: Vec<Layer>,
    proj_out: Linear,
    norm_out: LayerNorm,
}

/// diffusers' `IPAdapterPlusImageProjectionBlock`, with the names in files of IP-Adapter.
#[derive(Clone, Debug)]
struct Layer {
    heads: usize,
    norm1: LayerNorm,
    norm2: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    feed_norm: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
}

impl Resampler {
    pub(super) fn load(shape: ResamplerShape, weights: &VarBuilder) -> Result<Self> {
        let ResamplerShape { input, output, tokens, width, depth, .. } = shape;
        let layers = weights.pp("layers");
        Ok(Self {
            latents: weights.get((1, tokens, width), "latents")?,
            proj_in: Linear::load(input, width, &weights.pp("proj_in"))?,
            layers: (0..depth)
                .map(|index| Layer::load(shape, &layers.pp(index)))
                .collect::<Result<_>>()?,
            proj_out: Linear::load(width, output, &weights.pp("proj_out"))?,
            norm_out: LayerNorm::load(output, LAYER_NORM_EPS, &weights.pp("norm_out"))?,
        })
    }

    /// `hidden_states` are `(batch, patches, width)`.
    pub(super) fn forward(&self, hidden_states: &Tensor) -> Result<Tensor> {
        let (batch, _, _) = hidden_states.dims3()?;
        let image = self.proj_in.forward(hidden_states)?;
        let tokens = self.latents.repeat((batch, 1, 1))?;
        let resample = |tokens, layer: &Layer| layer.forward(&image, &tokens);
        let tokens = self.layers.iter().try_fold(tokens, resample)?;
        self.norm_out.forward(&self.proj_out.forward(&tokens)?)
    }
}

impl Layer {
    fn load(shape: ResamplerShape, weights: &VarBuilder) -> Result<Self> {
        let ResamplerShape { width, heads, inner, .. } = shape;
        let (attention, feed) = (weights.pp(0), weights.pp(1));
        let norm = |weights: VarBuilder| LayerNorm::load(width, LAYER_NORM_EPS, &weights);
        let dense = Linear::load_without_bias;
        Ok(Self {
            heads,
            norm1: norm(attention.pp("norm1"))?,
            norm2: norm(attention.pp("norm2"))?,
            to_q: dense(width, heads * HEAD, &attention.pp("to_q"))?,
            to_kv: dense(width, 2 * heads * HEAD, &attention.pp("to_kv"))?,
            to_out: dense(heads * HEAD, width, &attention.pp("to_out"))?,
            feed_norm: norm(feed.pp(0))?,
            feed_in: dense(width, inner, &feed.pp(1))?,
            feed_out: dense(inner, width, &feed.pp(3))?,
        })
    }

    fn forward(&self, image: &Tensor, tokens: &Tensor) -> Result<Tensor> {
        let normed = self.norm2.forward(tokens)?;
        let source = Tensor::cat(&[&self.norm1.forward(image)?, &normed], 1)?;
        let key_value = self.to_kv.forward(&source)?;
        let width = self.heads * HEAD;
        let [key, value] = [0, width].map(|start| key_value.narrow(2, start, width));
        let (key, value) = (key?.contiguous()?, value?.contiguous()?);
        let query = self.to_q.forward(&normed)?;
        let attended = ops::attention(&query, &key, &value, self.heads, AttentionMask::default())?;
        let tokens = ops::add(&self.to_out.forward(&attended)?, tokens)?;
        let inner = self.feed_in.forward(&self.feed_norm.forward(&tokens)?)?;
        ops::add(&self.feed_out.forward(&Activation::Gelu.forward(&inner)?)?, &tokens)
    }
}
