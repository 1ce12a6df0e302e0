//! diffusers' `AutoencoderKL` (Kingma and Welling 2014, Rombach et al. 2022).

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

use super::{Autoencoder, LatentScaling, LatentSpec};
use crate::{
    diffusion::{
        DiffusionError, Interrupt,
        config::ConfigFile,
        layers::{Conv2d, GroupNorm, Linear},
        resnet::{Downsample2D, ResnetBlock2D, ResnetConfig, Upsample2D},
        weights::weights,
    },
    model::Package,
    ops::{self, Activation},
};

/// The epsilon of all norms.
const EPS: f64 = 1e-6;

/// The fields of `vae/config.json` that this network uses, with diffusers' defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    in_channels: usize,
    out_channels: usize,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    act_fn: String,
    latent_channels: usize,
    norm_num_groups: usize,
    scaling_factor: f64,
    use_quant_conv: bool,
    use_post_quant_conv: bool,
    mid_block_add_attention: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            down_block_types: vec!["DownEncoderBlock2D".to_owned()],
            up_block_types: vec!["UpDecoderBlock2D".to_owned()],
            block_out_channels: vec![64],
            layers_per_block: 1,
            act_fn: "silu".to_owned(),
            latent_channels: 4,
            norm_num_groups: 32,
            scaling_factor: 0.18215,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
        }
    }
}

/// A convolutional autoencoder. Its encoder predicts a normal distribution of latents.
#[derive(Clone, Debug)]
pub struct AutoencoderKL {
    scaling: LatentScaling,
    latent_channels: usize,
    levels: usize,
    encoder: Encoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Decoder,
}

impl AutoencoderKL {
    /// Loads the autoencoder in the folder `component` of a model, usually `vae`.
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
        let config: Config = file.parse()?;
        let levels = config.block_out_channels.len();
        if levels == 0 || config.block_out_channels.contains(&0) {
            return Err(file.unsupported("block_out_channels", "a list of positive numbers"));
        }
        for (field, types, block) in [
            ("down_block_types", &config.down_block_types, "DownEncoderBlock2D"),
            ("up_block_types", &config.up_block_types, "UpDecoderBlock2D"),
        ] {
            if types.len() != levels || types.iter().any(|name| name != block) {
                return Err(file.unsupported(field, &format!("a list of {levels} {block}")));
            }
        }
        let latents = config.latent_channels;
        let activation = Activation::from_name(&config.act_fn)
            .ok_or_else(|| file.unsupported("act_fn", Activation::NAMES))?;
        let resnet = ResnetConfig {
            time_width: None,
            scale_shift: false,
            groups: config.norm_num_groups,
            eps: EPS,
            activation,
            output_scale: 1.0,
        };
        let weights = weights(package, component, device)?;
        let pointwise = |used: bool, channels: usize, name: &str| {
            used.then(|| Conv2d::load(channels, channels, 1, &weights.pp(name))).transpose()
        };
        Ok(Self {
            scaling: LatentScaling(config.scaling_factor),
            latent_channels: latents,
            levels,
            encoder: Encoder::load(&config, resnet, &weights.pp("encoder"))?,
            quant_conv: pointwise(config.use_quant_conv, 2 * latents, "quant_conv")?,
            post_quant_conv: pointwise(config.use_post_quant_conv, latents, "post_quant_conv")?,
            decoder: Decoder::load(&config, resnet, &weights.pp("decoder"))?,
        })
    }

    /// Encodes pictures in -1..=1, (batch, 3, height, width), as the mean and the logarithm of the
    /// variance of raw latents, each (batch, channels, height / scale, width / scale).
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn moments(
        &self,
        image: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<(Tensor, Tensor), DiffusionError> {
        let mut moments = self.encoder.forward(image, interrupt)?;
        if let Some(conv) = &self.quant_conv {
            moments = conv.forward(&moments)?;
        }
        let mean = moments.narrow(1, 0, self.latent_channels)?.contiguous()?;
        let log_variance = moments.narrow(1, self.latent_channels, self.latent_channels)?;
        // diffusers clamps to the same range.
        Ok((mean, log_variance.contiguous()?.clamp(-30.0, 20.0)?))
    }

    /// Decodes raw latents. They are not in the denoiser's scale.
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn decode_raw(
        &self,
        raw: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        match &self.post_quant_conv {
            Some(conv) => self.decoder.forward(&conv.forward(raw)?, interrupt),
            None => self.decoder.forward(raw, interrupt),
        }
    }
}

impl Autoencoder for AutoencoderKL {
    fn encode(&self, image: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        let (mean, _) = self.moments(image, interrupt)?;
        self.scaling.scaled(&mean)
    }

    fn decode(&self, latents: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        self.decode_raw(&self.scaling.raw(latents)?, interrupt)
    }

    fn spec(&self) -> LatentSpec {
        LatentSpec { channels: self.latent_channels, scale: 1 << (self.levels - 1) }
    }
}

#[derive(Clone, Debug)]
struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<(Vec<ResnetBlock2D>, Option<Downsample2D>)>,
    mid_block: MidBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    fn load(
        config: &Config,
        resnet: ResnetConfig,
        weights: &VarBuilder,
    ) -> Result<Self, DiffusionError> {
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let mut down_blocks = Vec::new();
        for (level, output) in channels.iter().copied().enumerate() {
            let input = channels[level.saturating_sub(1)];
            let weights = weights.pp("down_blocks").pp(level);
            let resnets =
                resnets(config.layers_per_block, (input, output), resnet, &weights.pp("resnets"))?;
            let halves = (level + 1 < channels.len())
                .then(|| Downsample2D::load(output, 0, &weights.pp("downsamplers").pp(0)));
            down_blocks.push((resnets, halves.transpose()?));
        }
        let moments = 2 * config.latent_channels;
        let norm = weights.pp("conv_norm_out");
        Ok(Self {
            conv_in: Conv2d::load(config.in_channels, first, 3, &weights.pp("conv_in"))?,
            down_blocks,
            mid_block: MidBlock::load(last, config, resnet, &weights.pp("mid_block"))?,
            conv_norm_out: GroupNorm::load(config.norm_num_groups, last, EPS, &norm)?,
            conv_out: Conv2d::load(last, moments, 3, &weights.pp("conv_out"))?,
        })
    }

    fn forward(&self, x: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        let mut hidden = self.conv_in.forward(x)?;
        for (resnets, downsampler) in &self.down_blocks {
            for resnet in resnets {
                interrupt.check()?;
                hidden = resnet.forward(&hidden, None)?;
            }
            if let Some(downsampler) = downsampler {
                hidden = downsampler.forward(&hidden)?;
            }
        }
        hidden = self.mid_block.forward(&hidden, interrupt)?;
        let hidden = self.conv_norm_out.forward_with(Activation::Silu, &hidden)?;
        Ok(self.conv_out.forward(&hidden)?)
    }
}

#[derive(Clone, Debug)]
struct Decoder {
    conv_in: Conv2d,
    mid_block: MidBlock,
    up_blocks: Vec<(Vec<ResnetBlock2D>, Option<Upsample2D>)>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    fn load(
        config: &Config,
        resnet: ResnetConfig,
        weights: &VarBuilder,
    ) -> Result<Self, DiffusionError> {
        let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
        let (smallest, largest) = (channels[0], channels[channels.len() - 1]);
        let mut up_blocks = Vec::new();
        for (index, output) in channels.iter().copied().enumerate() {
            let input = channels[index.saturating_sub(1)];
            let weights = weights.pp("up_blocks").pp(index);
            let count = config.layers_per_block + 1;
            let resnets = resnets(count, (input, output), resnet, &weights.pp("resnets"))?;
            let doubles = (index + 1 < channels.len())
                .then(|| Upsample2D::load(output, &weights.pp("upsamplers").pp(0)));
            up_blocks.push((resnets, doubles.transpose()?));
        }
        let norm = weights.pp("conv_norm_out");
        Ok(Self {
            conv_in: Conv2d::load(config.latent_channels, smallest, 3, &weights.pp("conv_in"))?,
            mid_block: MidBlock::load(smallest, config, resnet, &weights.pp("mid_block"))?,
            up_blocks,
            conv_norm_out: GroupNorm::load(config.norm_num_groups, largest, EPS, &norm)?,
            conv_out: Conv2d::load(largest, config.out_channels, 3, &weights.pp("conv_out"))?,
        })
    }

    /// In the backward pass, each block is computed again.
    fn forward(&self, x: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        let mut hidden = self.conv_in.forward(x)?;
        hidden = self.mid_block.forward(&hidden, interrupt)?;
        for (resnets, upsampler) in &self.up_blocks {
            for resnet in resnets {
                interrupt.check()?;
                let resnet = resnet.clone();
                hidden = ops::checkpoint(&hidden, move |x| resnet.forward(x, None))?;
            }
            if let Some(upsampler) = upsampler.clone() {
                interrupt.check()?;
                hidden = ops::checkpoint(&hidden, move |x| upsampler.forward(x, None))?;
            }
        }
        interrupt.check()?;
        let hidden = self.conv_norm_out.forward_with(Activation::Silu, &hidden)?;
        Ok(self.conv_out.forward(&hidden)?)
    }
}

fn resnets(
    count: usize,
    (input, output): (usize, usize),
    config: ResnetConfig,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<ResnetBlock2D>> {
    (0..count)
        .map(|index| {
            let input = if index == 0 { input } else { output };
            ResnetBlock2D::load(input, output, config, &weights.pp(index))
        })
        .collect()
}

#[derive(Clone, Debug)]
struct MidBlock {
    first: ResnetBlock2D,
    attention: Option<Attention>,
    second: ResnetBlock2D,
}

impl MidBlock {
    fn load(
        channels: usize,
        config: &Config,
        resnet: ResnetConfig,
        weights: &VarBuilder,
    ) -> candle_core::Result<Self> {
        let load = |index: usize| {
            ResnetBlock2D::load(channels, channels, resnet, &weights.pp("resnets").pp(index))
        };
        let attention = config
            .mid_block_add_attention
            .then(|| Attention::load(channels, resnet.groups, &weights.pp("attentions").pp(0)));
        Ok(Self { first: load(0)?, attention: attention.transpose()?, second: load(1)? })
    }

    fn forward(&self, x: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        interrupt.check()?;
        let mut hidden = self.first.forward(x, None)?;
        if let Some(attention) = &self.attention {
            interrupt.check()?;
            hidden = attention.forward(&hidden)?;
        }
        interrupt.check()?;
        Ok(self.second.forward(&hidden, None)?)
    }
}

/// Single-head attention of each pixel to all others.
#[derive(Clone, Debug)]
struct Attention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
}

impl Attention {
    fn load(channels: usize, groups: usize, weights: &VarBuilder) -> candle_core::Result<Self> {
        // The names in old published weights, and the names that diffusers uses now.
        let old = weights.contains_tensor("query.weight");
        let project = |now: &str, before: &str| {
            Linear::load(channels, channels, &weights.pp(if old { before } else { now }))
        };
        Ok(Self {
            group_norm: GroupNorm::load(groups, channels, EPS, &weights.pp("group_norm"))?,
            to_q: project("to_q", "query")?,
            to_k: project("to_k", "key")?,
            to_v: project("to_v", "value")?,
            to_out: project("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let pixels = self.group_norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let (query, key) = (self.to_q.forward(&pixels)?, self.to_k.forward(&pixels)?);
        let attended = ops::attention(&query, &key, &self.to_v.forward(&pixels)?, 1, false)?;
        let picture = self.to_out.forward(&attended)?.transpose(1, 2)?.contiguous()?;
        ops::add(&picture.reshape(x.shape())?, x)
    }
}
