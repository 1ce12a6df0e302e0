//! diffusers' `AutoencoderKL` (Kingma and Welling 2014, Rombach et al. 2022).

mod layer;
mod tiles;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

use self::layer::{Attention, Layer};
use self::tiles::Tiles;
pub use self::tiles::Tiling;
use super::{Autoencoder, LatentScaling, LatentSpec, memory_of_results, run};
use crate::{
    diffusion::{
        DiffusionError, Interrupt,
        config::ConfigFile,
        layers::{Conv2d, GroupNorm},
        resnet::{Downsample2D, ResnetBlock2D, ResnetConfig, Upsample2D},
        weights::weights,
    },
    model::{
        Package,
        detect::{Index, Z_IMAGE},
    },
    ops::Activation,
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
    shift_factor: Option<f64>,
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
            shift_factor: None,
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
    /// The channels of the largest results, which have the size of the picture.
    widest: usize,
    encoder: Vec<Layer>,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    decoder: Vec<Layer>,
    tiling: Tiling,
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
        let is_shifted = Index::read(package).is_ok_and(|index| index.class == Z_IMAGE);
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
            scaling: LatentScaling {
                factor: config.scaling_factor,
                shift: config.shift_factor.filter(|_| is_shifted).unwrap_or(0.0),
            },
            latent_channels: latents,
            levels,
            widest: config.block_out_channels.iter().take(2).copied().max().unwrap_or(1),
            encoder: encoder(&config, resnet, &weights.pp("encoder"))?,
            quant_conv: pointwise(config.use_quant_conv, 2 * latents, "quant_conv")?,
            post_quant_conv: pointwise(config.use_post_quant_conv, latents, "post_quant_conv")?,
            decoder: decoder(&config, resnet, &weights.pp("decoder"))?,
            tiling: Tiling::default(),
        })
    }

    /// This autoencoder, which divides pictures into tiles otherwise than by default.
    #[must_use]
    pub fn with_tiling(self, tiling: Tiling) -> Self {
        Self { tiling, ..self }
    }

    /// Encodes pictures in -1..=1, (batch, 3, height, width), as the mean and the logarithm of the
    /// variance of raw latents, each (batch, channels, height / scale, width / scale). Large pictures are encoded in
    /// [tiles](Tiling).
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn moments(
        &self,
        image: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<(Tensor, Tensor), DiffusionError> {
        let encode = |image: &Tensor| {
            let moments = run(&self.encoder, image, interrupt)?;
            Ok(match &self.quant_conv {
                Some(conv) => conv.forward(&moments)?,
                None => moments,
            })
        };
        let ((_, _, height, width), scale) = (image.dims4()?, self.spec().scale);
        let moments = match self.tiling.tiles(height / scale, width / scale, scale) {
            Some(tiles) => tiles.encode(image, scale, encode)?,
            None => encode(image)?,
        };
        let mean = moments.narrow(1, 0, self.latent_channels)?.contiguous()?;
        let log_variance = moments.narrow(1, self.latent_channels, self.latent_channels)?;
        // diffusers clamps to the same range.
        Ok((mean, log_variance.contiguous()?.clamp(-30.0, 20.0)?))
    }

    /// Decodes raw latents. They are not in the denoiser's scale. Large pictures are decoded in [tiles](Tiling).
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn decode_raw(
        &self,
        raw: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let decode = |raw: &Tensor| match &self.post_quant_conv {
            Some(conv) => run(&self.decoder, &conv.forward(raw)?, interrupt),
            None => run(&self.decoder, raw, interrupt),
        };
        let ((_, _, height, width), scale) = (raw.dims4()?, self.spec().scale);
        match self.tiling.tiles(height, width, scale) {
            Some(tiles) => tiles.decode(raw, scale, decode),
            None => decode(raw),
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

    fn decode_memory(&self, height: usize, width: usize) -> u64 {
        let scale = self.spec().scale;
        let tiles = self.tiling.tiles(height, width, scale);
        let (height, width) = tiles.map_or((height, width), Tiles::largest);
        memory_of_results(self.widest, height * scale, width * scale)
    }
}

/// The layers of the encoder.
fn encoder(
    config: &Config,
    resnet: ResnetConfig,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let channels = &config.block_out_channels;
    let (first, last) = (channels[0], channels[channels.len() - 1]);
    let conv_in = Conv2d::load(config.in_channels, first, 3, &weights.pp("conv_in"))?;
    let mut layers = vec![Layer::Conv(conv_in)];
    for (level, output) in channels.iter().copied().enumerate() {
        let input = channels[level.saturating_sub(1)];
        let weights = weights.pp("down_blocks").pp(level);
        layers.extend(resnets(config.layers_per_block, (input, output), resnet, &weights)?);
        if level + 1 < channels.len() {
            let weights = weights.pp("downsamplers").pp(0);
            layers.push(Layer::Downsample(Downsample2D::load(output, 0, &weights)?));
        }
    }
    layers.extend(mid_block(last, config, resnet, &weights.pp("mid_block"))?);
    layers.push(output(last, 2 * config.latent_channels, config, weights)?);
    Ok(layers)
}

/// The layers of the decoder.
fn decoder(
    config: &Config,
    resnet: ResnetConfig,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let channels: Vec<usize> = config.block_out_channels.iter().rev().copied().collect();
    let (first, last) = (channels[0], channels[channels.len() - 1]);
    let conv_in = Conv2d::load(config.latent_channels, first, 3, &weights.pp("conv_in"))?;
    let mut layers = vec![Layer::Conv(conv_in)];
    layers.extend(mid_block(first, config, resnet, &weights.pp("mid_block"))?);
    for (index, output) in channels.iter().copied().enumerate() {
        let input = channels[index.saturating_sub(1)];
        let weights = weights.pp("up_blocks").pp(index);
        layers.extend(resnets(config.layers_per_block + 1, (input, output), resnet, &weights)?);
        if index + 1 < channels.len() {
            let weights = weights.pp("upsamplers").pp(0);
            layers.push(Layer::Upsample(Upsample2D::load(output, &weights)?));
        }
    }
    layers.push(output(last, config.out_channels, config, weights)?);
    Ok(layers)
}

/// The residual blocks of a level.
fn resnets(
    count: usize,
    (input, output): (usize, usize),
    config: ResnetConfig,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let load = |index: usize| {
        let input = if index == 0 { input } else { output };
        let weights = weights.pp("resnets").pp(index);
        ResnetBlock2D::load(input, output, config, &weights).map(Layer::Resnet)
    };
    (0..count).map(load).collect()
}

fn mid_block(
    channels: usize,
    config: &Config,
    resnet: ResnetConfig,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let mut layers = resnets(2, (channels, channels), resnet, weights)?;
    if config.mid_block_add_attention {
        let attention = Attention::load(channels, resnet.groups, &weights.pp("attentions").pp(0))?;
        layers.insert(1, Layer::Attention(attention));
    }
    Ok(layers)
}

fn output(
    input: usize,
    output: usize,
    config: &Config,
    weights: &VarBuilder,
) -> candle_core::Result<Layer> {
    let norm = GroupNorm::load(config.norm_num_groups, input, EPS, &weights.pp("conv_norm_out"))?;
    Ok(Layer::Output(norm, Conv2d::load(input, output, 3, &weights.pp("conv_out"))?))
}
