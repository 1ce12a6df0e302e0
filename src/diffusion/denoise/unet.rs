//! The denoising network: diffusers' `UNet2DConditionModel` for Stable Diffusion 1 and 2
//! (Rombach et al. 2022).

mod block;
mod config;
mod pass;
mod transformer;

use candle_core::{Device, Tensor};

use self::{
    block::{BlockConfig, DownBlock, MidBlock, UpBlock},
    config::UNetLayout,
    pass::{Feature, Pass, SeenImage},
};
use super::{Denoiser, DenoiserInput};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        adapter::AdapterPlaces,
        config::ConfigFile,
        layers::{Conv2d, GroupNorm, Linear},
        resnet::ResnetConfig,
        weights::weights,
    },
    model::Package,
    ops::{self, Activation},
};

pub use self::config::{SampleSize, UNet2DConditionConfig};

/// Predicts the noise (or the velocity) in latents, under a context.
#[derive(Clone, Debug)]
pub struct UNet2DConditionModel {
    config: UNet2DConditionConfig,
    activation: Activation,
    time_embedding: [Linear; 2],
    time_post_activation: Option<Activation>,
    time_embed_activation: Option<Activation>,
    conv_in: Conv2d,
    down_blocks: Vec<DownBlock>,
    mid_block: Option<MidBlock>,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    adapter_places: AdapterPlaces,
}

impl Denoiser for UNet2DConditionModel {
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError> {
        self.run(input, &mut |_, _| {})
    }

    fn latent_channels(&self) -> usize {
        self.config.in_channels
    }

    fn sample_size(&self) -> Option<(usize, usize)> {
        self.config.sample_size.map(SampleSize::height_and_width)
    }

    fn adapter_places(&self) -> Option<AdapterPlaces> {
        Some(self.adapter_places.clone())
    }
}

impl UNet2DConditionModel {
    /// Loads the UNet from the folder `component` of a model, usually `unet`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network
    /// does not support. The error names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        config::refuse_unsupported(&file)?;
        let config: UNet2DConditionConfig = file.parse()?;
        let layout = UNetLayout::new(&config, &file)?;
        let activation = |field: &str, name: &str| {
            Activation::from_name(name).ok_or_else(|| file.unsupported(field, Activation::NAMES))
        };
        let optional = |field: &str, name: &Option<String>| {
            name.as_deref().map(|name| activation(field, name)).transpose()
        };
        let main = activation("act_fn", &config.act_fn)?;

        let weights = weights(package, component, device)?;
        let first = config.block_out_channels[0];
        let time_width = config.time_embedding_dim.unwrap_or(4 * first);
        let resnet = ResnetConfig {
            time_width: Some(time_width),
            scale_shift: layout.scale_shift,
            groups: config.norm_num_groups,
            eps: config.norm_eps,
            activation: main,
            output_scale: 1.0,
        };
        let block = |index: usize, first_attention: usize| BlockConfig {
            resnet,
            heads: layout.heads[index],
            context: layout.contexts[index],
            linear_projection: config.use_linear_projection,
            only_cross_attention: layout.only_cross[index],
            first_attention,
        };
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        // The width of each cross attention, in the order of IP-Adapter.
        let mut attentions = Vec::new();
        let widths = |config: &BlockConfig, level: usize, depths: Option<&[usize]>| {
            let count = depths.unwrap_or_default().iter().sum();
            vec![config.attention_width(channels[level]); count]
        };

        let mut down_blocks = Vec::new();
        for index in 0..=last {
            let (input, output) = (channels[index.saturating_sub(1)], channels[index]);
            let depths = layout.down_depths[index].as_deref();
            let block = block(index, attentions.len());
            down_blocks.push(DownBlock::load(
                (input, output),
                layout.layers[index],
                depths,
                (index < last).then_some(config.downsample_padding),
                &block,
                &weights.pp("down_blocks").pp(index),
            )?);
            attentions.extend(widths(&block, index, depths));
        }
        let mut up_blocks = Vec::new();
        for index in 0..=last {
            let level = last - index;
            let previous = channels[(level + 1).min(last)];
            let depths = layout.up_depths[index].as_deref();
            let block = block(level, attentions.len());
            up_blocks.push(UpBlock::load(
                (previous, channels[level], channels[level.saturating_sub(1)]),
                layout.layers[level] + 1,
                depths,
                level > 0,
                &block,
                &weights.pp("up_blocks").pp(index),
            )?);
            attentions.extend(widths(&block, level, depths));
        }
        let mid_block = match &layout.mid {
            Some(depth) => {
                let resnet = ResnetConfig { output_scale: config.mid_block_scale_factor, ..resnet };
                let block = block(last, attentions.len());
                let block = BlockConfig { resnet, only_cross_attention: false, ..block };
                let weights = weights.pp("mid_block");
                let mid_block = MidBlock::load(channels[last], *depth, &block, &weights)?;
                attentions.extend(widths(&block, last, depth.as_ref().map(std::slice::from_ref)));
                Some(mid_block)
            }
            None => None,
        };
        let mut features = channels.clone();
        features.extend(mid_block.as_ref().map(|_| channels[last]));
        let time = weights.pp("time_embedding");
        Ok(Self {
            activation: main,
            time_embedding: [
                Linear::load(first, time_width, &time.pp("linear_1"))?,
                Linear::load(time_width, time_width, &time.pp("linear_2"))?,
            ],
            time_post_activation: optional("timestep_post_act", &config.timestep_post_act)?,
            time_embed_activation: optional(
                "time_embedding_act_fn",
                &config.time_embedding_act_fn,
            )?,
            conv_in: Conv2d::load(
                config.in_channels,
                first,
                config.conv_in_kernel,
                &weights.pp("conv_in"),
            )?,
            down_blocks,
            mid_block,
            up_blocks,
            conv_norm_out: GroupNorm::load(
                config.norm_num_groups,
                first,
                config.norm_eps,
                &weights.pp("conv_norm_out"),
            )?,
            conv_out: Conv2d::load(
                first,
                config.out_channels,
                config.conv_out_kernel,
                &weights.pp("conv_out"),
            )?,
            adapter_places: AdapterPlaces { features, attentions },
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &UNet2DConditionConfig {
        &self.config
    }

    /// Predicts for `sample`, `(batch, in_channels, height, width)`, at `timestep` (which may be
    /// fractional), under `context`, `(batch, tokens, width)`. Returns `(batch, out_channels,
    /// height, width)`. Any height and width are allowed.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after a call to [`Interrupt::cancel`].
    /// Otherwise if the shapes do not match.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        context: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        self.forward_observed(sample, timestep, context, interrupt, &mut |_, _| {})
    }

    /// As [`Self::forward`]. Also calls `observe` with the output of each block and the block's
    /// name in diffusers, such as `down_blocks.0`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_observed(
        &self,
        sample: &Tensor,
        timestep: f64,
        context: &Tensor,
        interrupt: &Interrupt,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let conditioning = Conditioning::new(context.clone());
        self.run(&DenoiserInput::new(sample, timestep, &conditioning, interrupt), observe)
    }

    fn run(
        &self,
        input: &DenoiserInput<'_>,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let DenoiserInput { latents: sample, timestep, conditioning, adapters, interrupt } = *input;
        let attentions = self.adapter_places.attentions.len();
        let images = adapters.map(|adapters| SeenImage::all(conditioning, adapters, attentions));
        let images = images.transpose()?.unwrap_or_default();
        let mut features = Feature::all(adapters);

        let time = self.embed_time(timestep, sample.device())?;
        observe("time_embedding", &time);
        let time = match self.time_embed_activation {
            Some(activation) => activation.forward(&time)?,
            None => time,
        };
        let mut hidden = if self.config.center_input_sample {
            self.conv_in.forward(&((sample * 2.0)? - 1.0)?)?
        } else {
            self.conv_in.forward(sample)?
        };

        let context = &conditioning.tokens;
        let pass = Pass { time: &time, context, images: &images, interrupt };
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
        for (index, block) in self.up_blocks.iter().enumerate() {
            hidden = block.forward(&hidden, &pass, &mut skipped)?;
            observe(&format!("up_blocks.{index}"), &hidden);
        }
        interrupt.check()?;
        let hidden = self.conv_norm_out.forward_with(self.activation, &hidden)?;
        Ok(self.conv_out.forward(&hidden)?)
    }

    fn embed_time(&self, timestep: f64, device: &Device) -> Result<Tensor, DiffusionError> {
        let config = &self.config;
        let width = config.block_out_channels[0];
        let (flip, shift) = (config.flip_sin_to_cos, config.freq_shift);
        let waves = ops::time_embedding(timestep, width, flip, shift, device)?;
        let [first, second] = &self.time_embedding;
        let time = second.forward(&self.activation.forward(&first.forward(&waves)?)?)?;
        Ok(match self.time_post_activation {
            Some(activation) => activation.forward(&time)?,
            None => time,
        })
    }
}
