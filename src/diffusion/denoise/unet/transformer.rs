//! The transformer with attention between pixels and to the context (diffusers'
//! `Transformer2DModel` with `BasicTransformerBlock`s).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use candle_core::{Result, Tensor, TensorId};
use candle_nn::VarBuilder;

use super::{
    block::BlockConfig,
    pass::{ConditionedLayer, ImageInAttention, Pass},
};
use crate::{
    diffusion::layers::{Conv2d, GroupNorm, LayerMut, LayerNorm, Linear},
    ops::{self, AttentionMask},
};

/// The number of contexts whose keys and values are cached. An edit has two prompts per part.
const CACHED_CONTEXTS: usize = 16;

/// The epsilon of all norms here. It does not depend on the UNet's `norm_eps`.
const GROUP_NORM_EPS: f64 = 1e-6;
const LAYER_NORM_EPS: f64 = 1e-5;

/// A stack of transformer layers over the pixels of a feature map, with a skip connection.
#[derive(Clone, Debug)]
pub(super) struct Transformer2D {
    norm: GroupNorm,
    projection: Projection,
    layers: Vec<TransformerLayer>,
}

/// The projection to the transformer's channels and back.
#[derive(Clone, Debug)]
enum Projection {
    /// Stable Diffusion 1.
    Conv(Conv2d, Conv2d),
    /// Stable Diffusion 2.
    Linear(Linear, Linear),
}

impl Transformer2D {
    /// `first_attention` is the number of the first cross attention, in the order of IP-Adapter.
    pub(super) fn load(
        channels: usize,
        depth: usize,
        first_attention: usize,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let inner = config.attention_width(channels);
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
                .map(|index| {
                    let attention = first_attention + index;
                    TransformerLayer::load(inner, attention, config, &layers.pp(index))
                })
                .collect::<Result<_>>()?,
        })
    }
}

impl ConditionedLayer for Transformer2D {
    fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
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
            hidden = layer.forward(&hidden, (height, width), pass)?;
        }
        let hidden = match &self.projection {
            Projection::Conv(_, back) => back.forward(&picture(&hidden)?)?,
            Projection::Linear(_, back) => picture(&back.forward(&hidden)?)?,
        };
        ops::add(&hidden, x)
    }
}

impl Transformer2D {
    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = match &mut self.projection {
            Projection::Conv(into, back) => vec![LayerMut::Conv2d(into), LayerMut::Conv2d(back)],
            Projection::Linear(into, back) => vec![LayerMut::Linear(into), LayerMut::Linear(back)],
        };
        layers.extend(self.layers.iter_mut().flat_map(TransformerLayer::layers));
        layers
    }
}

/// Attention to the pixels, attention to the context, and a gated feed-forward layer, each with a
/// skip connection.
#[derive(Clone, Debug)]
struct TransformerLayer {
    /// The number of the cross attention, in the order of IP-Adapter.
    attention: usize,
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
    fn load(
        width: usize,
        number: usize,
        config: &BlockConfig,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let norm = |name: &str| LayerNorm::load(width, LAYER_NORM_EPS, &weights.pp(name));
        let attention = |context: Option<usize>, name: &str| {
            Attention::load(width, context, config.heads, &weights.pp(name))
        };
        let only_cross_attention = config.only_cross_attention;
        let feed = weights.pp("ff").pp("net");
        Ok(Self {
            attention: number,
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

    fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let Self { attn1, attn2, feed_in, feed_out, .. } = self;
        let mut layers = vec![LayerMut::Linear(feed_in), LayerMut::Linear(feed_out)];
        layers.extend(attn1.layers().into_iter().chain(attn2.layers()));
        layers
    }

    /// `x` is `(batch, positions, width)`. `size` is the number of rows and of columns of the positions.
    fn forward(&self, x: &Tensor, size: (usize, usize), pass: &Pass) -> Result<Tensor> {
        let images = pass.images.iter().filter_map(|it| it.in_attention(self.attention, size));
        let images = images.collect::<Result<Vec<_>>>()?;
        let normed = self.norm1.forward(x)?;
        let source =
            if self.only_cross_attention { Source::of(pass) } else { Source::own(&normed) };
        let x = ops::add(&self.attn1.forward(&normed, source, &[])?, x)?;
        let normed = self.norm2.forward(&x)?;
        let x = ops::add(&self.attn2.forward(&normed, Source::of(pass), &images)?, &x)?;
        let inner = ops::geglu(&self.feed_in.forward(&self.norm3.forward(&x)?)?)?;
        ops::add(&self.feed_out.forward(&inner)?, &x)
    }
}

/// diffusers' `Attention` without biases in the input projections.
#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    /// Keys and values of recent contexts, for cross-attention.
    cache: Option<Arc<Mutex<VecDeque<KeyValue>>>>,
}

/// What queries attend to.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// `(batch, tokens, width)`.
    tokens: &'a Tensor,
    /// The same for all steps that have the same tokens.
    id: TensorId,
}

impl<'a> Source<'a> {
    /// The context of a pass.
    fn of(pass: &'a Pass) -> Self {
        Self { tokens: &pass.context, id: pass.context_id }
    }

    /// The positions themselves.
    fn own(tokens: &'a Tensor) -> Self {
        Self { tokens, id: tokens.id() }
    }
}

/// Key and value of a context. They are the same in every step.
#[derive(Clone, Debug)]
struct KeyValue {
    context: TensorId,
    key: Tensor,
    value: Tensor,
}

impl Attention {
    /// Cross-attention to a context of this width, or self-attention if `None`.
    fn load(
        width: usize,
        context: Option<usize>,
        heads: usize,
        weights: &VarBuilder,
    ) -> Result<Self> {
        let cache = context.map(|_| Arc::default());
        let context = context.unwrap_or(width);
        let project =
            |input: usize, name: &str| Linear::load_without_bias(input, width, &weights.pp(name));
        Ok(Self {
            heads,
            to_q: project(width, "to_q")?,
            to_k: project(context, "to_k")?,
            to_v: project(context, "to_v")?,
            to_out: Linear::load(width, width, &weights.pp("to_out").pp(0))?,
            cache,
        })
    }

    /// The dense layers. Forgets keys and values, because other layers have others.
    fn layers(&mut self) -> [LayerMut<'_>; 4] {
        let Self { to_q, to_k, to_v, to_out, cache, .. } = self;
        *cache = cache.as_ref().map(|_| Arc::default());
        [to_q, to_k, to_v, to_out].map(LayerMut::Linear)
    }

    /// Attends to `source` and to each of the images, with the same queries.
    fn forward(
        &self,
        x: &Tensor,
        source: Source<'_>,
        images: &[ImageInAttention<'_>],
    ) -> Result<Tensor> {
        let KeyValue { key, value, .. } = self.key_value(source)?;
        let query = self.to_q.forward(x)?;
        let mut attended =
            ops::attention(&query, &key, &value, self.heads, AttentionMask::default())?;
        for image in images {
            let mut seen = ops::attention(
                &query,
                image.key,
                image.value,
                self.heads,
                AttentionMask::default(),
            )?;
            if let Some(mask) = &image.mask {
                seen = seen.broadcast_mul(mask)?;
            }
            attended = ops::add(&attended, &(seen * image.weight)?)?;
        }
        self.to_out.forward(&attended)
    }

    fn key_value(&self, source: Source<'_>) -> Result<KeyValue> {
        let Source { tokens, id } = source;
        let compute = || {
            let (key, value) = (self.to_k.forward(tokens)?, self.to_v.forward(tokens)?);
            Ok(KeyValue { context: id, key, value })
        };
        let Some(cache) = &self.cache else { return compute() };
        // Do not hold the lock while computing: a waiting thread may start its own forward pass.
        let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        // A pass with a gradient may compute in another type.
        let is_same =
            |cached: &&KeyValue| cached.context == id && cached.key.dtype() == tokens.dtype();
        if let Some(cached) = lock().iter().find(is_same) {
            return Ok(cached.clone());
        }
        let key_value = compute()?;
        // Do not cache tensors with gradients, which belong to a single pass.
        if !key_value.key.track_op() {
            let mut cache = lock();
            cache.truncate(CACHED_CONTEXTS - 1);
            cache.push_front(key_value.clone());
        }
        Ok(key_value)
    }
}
