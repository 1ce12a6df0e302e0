//! The transformer that lets each pixel look at the others and at the context (diffusers'
//! `Transformer2DModel` with `BasicTransformerBlock`s).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{Result, Tensor, TensorId};
use candle_nn::VarBuilder;

use super::block::BlockConfig;
use crate::{
    diffusion::layers::{Conv2d, GroupNorm, LayerNorm, Linear},
    ops,
};

/// How many contexts' keys and values are kept: an edit has two texts for each of its parts.
const KEPT_CONTEXTS: usize = 16;

/// The eps of all norms in here, whatever the UNet's own is.
const GROUP_NORM_EPS: f64 = 1e-6;
const LAYER_NORM_EPS: f64 = 1e-5;

/// A stack of transformer layers over the pixels of a feature map, with a shortcut around it.
#[derive(Clone, Debug)]
pub(super) struct Transformer2D {
    norm: GroupNorm,
    projection: Projection,
    layers: Vec<TransformerLayer>,
}

/// How channels are mapped to the transformer's and back.
#[derive(Clone, Debug)]
enum Projection {
    /// Stable Diffusion 1.
    Conv(Conv2d, Conv2d),
    /// Stable Diffusion 2.
    Linear(Linear, Linear),
}

impl Transformer2D {
    pub(super) fn load(
        channels: usize,
        depth: usize,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let inner = channels / config.heads * config.heads;
        let (into, back) = (weights.pp("proj_in"), weights.pp("proj_out"));
        let projection = if config.linear_projection {
            Projection::Linear(
                Linear::load(channels, inner, &into)?,
                Linear::load(inner, channels, &back)?,
            )
        } else {
            Projection::Conv(
                Conv2d::load(channels, inner, 1, &into)?,
                Conv2d::load(inner, channels, 1, &back)?,
            )
        };
        let groups = config.resnet.groups;
        let layers = weights.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::load(groups, channels, GROUP_NORM_EPS, &weights.pp("norm"))?,
            projection,
            layers: (0..depth)
                .map(|index| TransformerLayer::load(inner, config, &layers.pp(index)))
                .collect::<Result<_>>()?,
        })
    }

    /// `x` is `(batch, channels, height, width)`, `context` is `(batch, tokens, width)`.
    pub(super) fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let pixels = |x: &Tensor| x.flatten_from(2)?.transpose(1, 2)?.contiguous();
        let picture = |x: &Tensor| {
            let (batch, _, channels) = x.dims3()?;
            x.transpose(1, 2)?.contiguous()?.reshape((batch, channels, height, width))
        };
        let normed = self.norm.forward(x)?;
        let mut hidden = match &self.projection {
            Projection::Conv(into, _) => pixels(&into.forward(&normed)?)?,
            Projection::Linear(into, _) => into.forward(&pixels(&normed)?)?,
        };
        for layer in &self.layers {
            hidden = layer.forward(&hidden, context)?;
        }
        let hidden = match &self.projection {
            Projection::Conv(_, back) => back.forward(&picture(&hidden)?)?,
            Projection::Linear(_, back) => picture(&back.forward(&hidden)?)?,
        };
        ops::add(&hidden, x)
    }
}

/// Attention to the pixels, attention to the context, and a gated feed-forward layer, each with a
/// shortcut.
#[derive(Clone, Debug)]
struct TransformerLayer {
    norm1: LayerNorm,
    attn1: Attention,
    only_cross_attention: bool,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
}

impl TransformerLayer {
    fn load(width: usize, config: &BlockConfig, weights: &VarBuilder) -> Result<Self> {
        let norm = |name: &str| LayerNorm::load(width, LAYER_NORM_EPS, &weights.pp(name));
        let attention = |context: Option<usize>, name: &str| {
            Attention::load(width, context, config.heads, &weights.pp(name))
        };
        let only_cross_attention = config.only_cross_attention;
        let feed = weights.pp("ff").pp("net");
        Ok(Self {
            norm1: norm("norm1")?,
            attn1: attention(only_cross_attention.then_some(config.context), "attn1")?,
            only_cross_attention,
            norm2: norm("norm2")?,
            attn2: attention(Some(config.context), "attn2")?,
            norm3: norm("norm3")?,
            feed_in: Linear::load(width, 8 * width, &feed.pp(0).pp("proj"))?,
            feed_out: Linear::load(4 * width, width, &feed.pp(2))?,
        })
    }

    fn forward(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        let normed = self.norm1.forward(x)?;
        let seen = if self.only_cross_attention { context } else { &normed };
        let x = ops::add(&self.attn1.forward(&normed, seen)?, x)?;
        let x = ops::add(&self.attn2.forward(&self.norm2.forward(&x)?, context)?, &x)?;
        let inner = ops::geglu(&self.feed_in.forward(&self.norm3.forward(&x)?)?)?;
        ops::add(&self.feed_out.forward(&inner)?, &x)
    }
}

/// diffusers' `Attention` without biases at the way in.
#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    /// What was made of the last contexts, where it looks at one.
    read: Option<Arc<Mutex<VecDeque<Read>>>>,
}

/// Key and value of a context: the same in every step of a picture.
#[derive(Clone, Debug)]
struct Read {
    context: TensorId,
    key: Tensor,
    value: Tensor,
}

impl Attention {
    /// One that looks at a context of so many channels, or else at the pixels themselves.
    fn load(
        width: usize,
        context: Option<usize>,
        heads: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let read = context.map(|_| Arc::default());
        let context = context.unwrap_or(width);
        let project =
            |input: usize, name: &str| Linear::load_without_bias(input, width, &weights.pp(name));
        Ok(Self {
            heads,
            to_q: project(width, "to_q")?,
            to_k: project(context, "to_k")?,
            to_v: project(context, "to_v")?,
            to_out: Linear::load(width, width, &weights.pp("to_out").pp(0))?,
            read,
        })
    }

    fn forward(&self, x: &Tensor, seen: &Tensor) -> Result<Tensor> {
        let Read { key, value, .. } = self.read(seen)?;
        let query = self.to_q.forward(x)?;
        self.to_out.forward(&ops::attention(&query, &key, &value, self.heads, false)?)
    }

    fn read(&self, seen: &Tensor) -> Result<Read> {
        let anew = || {
            let (key, value) = (self.to_k.forward(seen)?, self.to_v.forward(seen)?);
            Ok(Read { context: seen.id(), key, value })
        };
        let Some(last) = &self.read else { return anew() };
        // Never held while anything is computed: a thread that waits for another may begin a pass of its own.
        let last = || last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(read) = last().iter().find(|read| read.context == seen.id()) {
            return Ok(read.clone());
        }
        let read = anew()?;
        // A gradient belongs to the one pass that it is taken through.
        if !read.key.track_op() {
            let mut last = last();
            last.truncate(KEPT_CONTEXTS - 1);
            last.push_front(read.clone());
        }
        Ok(read)
    }
}
