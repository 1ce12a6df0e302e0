//! The first half of a UNet, which a ControlNet has, too: the embedded timestep, the first convolution, the blocks on the
//! way down, and the middle block.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::VarBuilder;

use super::{
    added::AddedEmbedding,
    block::{BlockConfig, DownBlock, MidBlock},
    config::{UNet2DConditionConfig, UNetLayout},
    guidance::GuidanceEmbedding,
    pass::{Feature, Pass, SeenImage},
};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        adapter::ActiveAdapters,
        config::ConfigFile,
        denoise::predicting_type,
        layers::{Conv2d, LayerMut, Linear},
        resnet::ResnetConfig,
    },
    ops::{self, Activation},
};

/// The first half of a UNet.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    config: UNet2DConditionConfig,
    /// The type that the network computes in.
    dtype: DType,
    pub(super) activation: Activation,
    time_embedding: [Linear; 2],
    /// Embeds the guidance scale, in a distilled network.
    guidance: Option<GuidanceEmbedding>,
    time_post_activation: Option<Activation>,
    time_embed_activation: Option<Activation>,
    added: Option<AddedEmbedding>,
    conv_in: Conv2d,
    down_blocks: Vec<DownBlock>,
    mid_block: Option<MidBlock>,
    /// The level of each skipped feature map, which is 2 to its power smaller than the latents.
    skip_levels: Vec<usize>,
}

/// The input of an [`Encoder`].
#[derive(Clone, Copy)]
pub(super) struct EncoderInput<'a> {
    /// Latents, `(batch, in_channels, height, width)`.
    pub(super) sample: &'a Tensor,
    pub(super) timestep: f64,
    /// Added to the embedded timestep, `(1, width)`.
    pub(super) more_time: Option<&'a Tensor>,
    /// Added to the output of the first convolution.
    pub(super) drawing: Option<&'a Tensor>,
    pub(super) conditioning: &'a Conditioning,
    /// The images beside the prompt.
    pub(super) images: &'a Arc<[SeenImage]>,
    pub(super) adapters: Option<&'a ActiveAdapters>,
    pub(super) interrupt: &'a Interrupt,
}

/// The output of an [`Encoder`].
pub(super) struct Encoded {
    /// The inputs of the blocks.
    pub(super) pass: Pass,
    /// The feature maps that skip the middle, the largest ones first.
    pub(super) skipped: Vec<Tensor>,
    /// The output of the middle block.
    pub(super) middle: Tensor,
}

/// The options of the blocks at a level. The first cross attention has the index `first_attention`.
pub(super) fn block_config(
    config: &UNet2DConditionConfig,
    layout: &UNetLayout,
    activation: Activation,
    level: usize,
    first_attention: usize,
) -> BlockConfig {
    let resnet = ResnetConfig {
        time_width: Some(time_width(config)),
        scale_shift: layout.scale_shift,
        groups: config.norm_num_groups,
        eps: config.norm_eps,
        activation,
        output_scale: 1.0,
    };
    BlockConfig {
        resnet,
        heads: layout.heads[level],
        context: layout.contexts[level],
        linear_projection: config.use_linear_projection,
        only_cross_attention: layout.only_cross[level],
        first_attention,
    }
}

fn time_width(config: &UNet2DConditionConfig) -> usize {
    config.time_embedding_dim.unwrap_or(4 * config.block_out_channels[0])
}

/// The number of cross attentions of some blocks.
pub(super) fn attentions(depths: &[Option<Vec<usize>>]) -> usize {
    depths.iter().flatten().flatten().sum()
}

impl Encoder {
    /// Loads the first half of a network with this configuration.
    pub(super) fn load(
        config: &UNet2DConditionConfig,
        layout: &UNetLayout,
        file: &ConfigFile,
        weights: &VarBuilder,
    ) -> Result<Self, DiffusionError> {
        let activation = |field: &str, name: &str| {
            Activation::from_name(name).ok_or_else(|| file.unsupported(field, Activation::NAMES))
        };
        let optional = |field: &str, name: &Option<String>| {
            name.as_deref().map(|name| activation(field, name)).transpose()
        };
        let main = activation("act_fn", &config.act_fn)?;
        let block = |level, first| block_config(config, layout, main, level, first);
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;

        let mut down_blocks = Vec::new();
        let mut skip_levels = vec![0];
        for level in 0..=last {
            let first_attention = attentions(&layout.down_depths[..level]);
            let layers = layout.layers[level];
            down_blocks.push(DownBlock::load(
                (channels[level.saturating_sub(1)], channels[level]),
                layers,
                layout.down_depths[level].as_deref(),
                (level < last).then_some(config.downsample_padding),
                &block(level, first_attention),
                &weights.pp("down_blocks").pp(level),
            )?);
            skip_levels.extend(vec![level; layers]);
            skip_levels.extend((level < last).then_some(level + 1));
        }
        let mid_block = layout.mid.map(|depth| {
            // In the order of IP-Adapter, the middle block is the last one.
            let first = attentions(&layout.down_depths) + attentions(&layout.up_depths);
            let block = block(last, first);
            let output_scale = config.mid_block_scale_factor;
            let resnet = ResnetConfig { output_scale, ..block.resnet };
            let block = BlockConfig { resnet, only_cross_attention: false, ..block };
            MidBlock::load(channels[last], depth, &block, &weights.pp("mid_block"))
        });
        let (first, time_width) = (channels[0], time_width(config));
        let time = weights.pp("time_embedding");
        let conv_in = weights.pp("conv_in");
        Ok(Self {
            activation: main,
            time_embedding: [
                Linear::load(first, time_width, &time.pp("linear_1"))?,
                Linear::load(time_width, time_width, &time.pp("linear_2"))?,
            ],
            guidance: GuidanceEmbedding::load(config, file, &time)?,
            time_post_activation: optional("timestep_post_act", &config.timestep_post_act)?,
            time_embed_activation: optional(
                "time_embedding_act_fn",
                &config.time_embedding_act_fn,
            )?,
            added: AddedEmbedding::load(config, main, time_width, file, weights)?,
            conv_in: Conv2d::load(config.in_channels, first, config.conv_in_kernel, &conv_in)?,
            down_blocks,
            mid_block: mid_block.transpose()?,
            skip_levels,
            dtype: weights.dtype(),
            config: config.clone(),
        })
    }

    /// All dense layers and convolutions.
    pub(super) fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = vec![LayerMut::Conv2d(&mut self.conv_in)];
        layers.extend(self.time_embedding.each_mut().map(LayerMut::Linear));
        layers.extend(self.guidance.as_mut().map(GuidanceEmbedding::layer));
        layers.extend(self.added.iter_mut().flat_map(AddedEmbedding::layers));
        layers.extend(self.down_blocks.iter_mut().flat_map(DownBlock::layers));
        layers.extend(self.mid_block.iter_mut().flat_map(MidBlock::layers));
        layers
    }

    /// The configuration.
    pub(super) fn config(&self) -> &UNet2DConditionConfig {
        &self.config
    }

    /// The width of the embedded timestep.
    pub(super) fn time_width(&self) -> usize {
        time_width(&self.config)
    }

    /// The channels of the pooled prompt that it needs, if it needs one.
    pub(super) fn pooled_width(&self) -> Option<usize> {
        self.added.as_ref().map(AddedEmbedding::pooled_width)
    }

    /// The type that the network computes in.
    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    /// The type that it computes a prediction in: f32 instead of 16 bits if a gradient is needed.
    pub(super) fn dtype_for(&self, latents: &Tensor, conditioning: &Conditioning) -> DType {
        predicting_type(self.dtype, latents.track_op() || conditioning.needs_gradients())
    }

    /// Whether there is a middle block.
    pub(super) fn has_middle(&self) -> bool {
        self.mid_block.is_some()
    }

    /// The level of each skipped feature map, which is 2 to its power smaller than the latents.
    pub(super) fn skip_levels(&self) -> &[usize] {
        &self.skip_levels
    }

    /// The channels of each skipped feature map.
    pub(super) fn skip_channels(&self) -> Vec<usize> {
        let channels = &self.config.block_out_channels;
        // A downsampled map has the channels of the level before.
        let of_map = |(at, &level): (usize, &usize)| match at.checked_sub(1) {
            Some(before) if self.skip_levels[before] < level => channels[level - 1],
            _ => channels[level],
        };
        self.skip_levels.iter().enumerate().map(of_map).collect()
    }

    /// Calls `observe` with the output of each block and the block's name in diffusers, such as `down_blocks.0`.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after an interrupt. Otherwise if the shapes do not match.
    pub(super) fn forward(
        &self,
        input: &EncoderInput<'_>,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Encoded, DiffusionError> {
        let EncoderInput { sample, timestep, drawing, conditioning, .. } = *input;
        let EncoderInput { images, adapters, interrupt, .. } = *input;
        let mut features = Feature::all(adapters);
        let dtype = self.dtype_for(sample, conditioning);
        let sample = &sample.to_dtype(dtype)?;
        let mut time = self.embed_time(timestep, conditioning, sample)?;
        observe("time_embedding", &time);
        if let Some(more) = input.more_time {
            time = time.broadcast_add(&more.to_dtype(dtype)?)?;
        }
        if let Some(added) = &self.added {
            let (_, _, height, width) = sample.dims4()?;
            let added = added.forward(conditioning, (height, width), sample)?;
            time = time.broadcast_add(&added)?;
        }
        let time = match self.time_embed_activation {
            Some(activation) => activation.forward(&time)?,
            None => time,
        };
        let mut hidden = if self.config.center_input_sample {
            self.conv_in.forward(&((sample * 2.0)? - 1.0)?)?
        } else {
            self.conv_in.forward(sample)?
        };
        if let Some(drawing) = drawing {
            hidden = hidden.broadcast_add(&drawing.to_dtype(dtype)?)?;
        }
        let pass = Pass {
            time,
            context: conditioning.tokens.to_dtype(dtype)?,
            context_id: conditioning.tokens.id(),
            images: Arc::clone(images),
            interrupt: interrupt.clone(),
        };
        let mut skipped = vec![hidden.clone()];
        for (index, block) in self.down_blocks.iter().enumerate() {
            hidden = block.forward(&hidden, features.next(), &pass, &mut skipped)?;
            observe(&format!("down_blocks.{index}"), &hidden);
        }
        if let Some(block) = &self.mid_block {
            hidden = block.forward(&hidden, &pass)?;
            if let Some(feature) = features.next() {
                hidden = feature.add_to(&hidden)?;
            }
            observe("mid_block", &hidden);
        }
        Ok(Encoded { pass, skipped, middle: hidden })
    }

    /// The embedded timestep, in the type of `like`. The waves are f32: one of 16 bits cannot hold the timestep 981.
    fn embed_time(
        &self,
        timestep: f64,
        conditioning: &Conditioning,
        like: &Tensor,
    ) -> Result<Tensor, DiffusionError> {
        let device = like.device();
        let config = &self.config;
        let width = config.block_out_channels[0];
        let (flip, shift) = (config.flip_sin_to_cos, config.freq_shift);
        let waves = ops::time_embedding(timestep, width, flip, shift, device)?;
        let waves = match &self.guidance {
            Some(guidance) => (waves + guidance.forward(conditioning, device)?)?,
            None => waves,
        };
        let waves = waves.to_dtype(like.dtype())?;
        let [first, second] = &self.time_embedding;
        let time = second.forward(&self.activation.forward(&first.forward(&waves)?)?)?;
        Ok(match self.time_post_activation {
            Some(activation) => activation.forward(&time)?,
            None => time,
        })
    }
}
