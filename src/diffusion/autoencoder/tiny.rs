//! diffusers' `AutoencoderTiny`: a small autoencoder of plain convolutions.

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::json;

use super::{Autoencoder, LatentScaling, LatentSpec, memory_of_results, run};
use crate::{
    diffusion::{DiffusionError, Interrupt, config::ConfigFile, layers::Conv2d, weights::weights},
    model::Package,
    ops::{self, Activation, Differentiable},
};

/// The fields of `vae/config.json` that this network uses, with diffusers' defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Config {
    in_channels: usize,
    out_channels: usize,
    encoder_block_out_channels: Vec<usize>,
    decoder_block_out_channels: Vec<usize>,
    act_fn: String,
    latent_channels: usize,
    upsampling_scaling_factor: usize,
    num_encoder_blocks: Vec<usize>,
    num_decoder_blocks: Vec<usize>,
    scaling_factor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            encoder_block_out_channels: vec![64; 4],
            decoder_block_out_channels: vec![64; 4],
            act_fn: "relu".to_owned(),
            latent_channels: 4,
            upsampling_scaling_factor: 2,
            num_encoder_blocks: vec![1, 3, 3, 3],
            num_decoder_blocks: vec![3, 3, 3, 1],
            scaling_factor: 1.0,
        }
    }
}

/// The most levels that halve the size: a latent of 64 pixels.
const MAX_HALVINGS: usize = 6;

/// An autoencoder without norms and without attention.
#[derive(Clone, Debug)]
pub struct AutoencoderTiny {
    scaling: LatentScaling,
    latent_channels: usize,
    scale: usize,
    /// The channels of all results of the decoder.
    widest: usize,
    encoder: Vec<Layer>,
    decoder: Vec<Layer>,
}

#[derive(Clone, Debug)]
enum Layer {
    Conv(Conv2d),
    Activation(Activation),
    Block(Block),
    /// Enlarges each side by a factor.
    Upsample(usize),
}

impl AutoencoderTiny {
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
        file.refuse_other_than(&[("upsample_fn", json!("nearest"))])?;
        let config: Config = file.parse()?;
        let activation = Activation::from_name(&config.act_fn)
            .ok_or_else(|| file.unsupported("act_fn", Activation::NAMES))?;
        for (field, channels, blocks) in [
            (
                "encoder_block_out_channels",
                &config.encoder_block_out_channels,
                &config.num_encoder_blocks,
            ),
            (
                "decoder_block_out_channels",
                &config.decoder_block_out_channels,
                &config.num_decoder_blocks,
            ),
        ] {
            if channels.len() != blocks.len() || channels.windows(2).any(|two| two[0] != two[1]) {
                let supported = format!("a list of {} equal numbers", blocks.len());
                return Err(file.unsupported(field, &supported));
            }
        }
        let Some(halvings) = config.num_decoder_blocks.len().checked_sub(1) else {
            return Err(file.unsupported("num_decoder_blocks", "a list with at least one number"));
        };
        if config.num_encoder_blocks.is_empty() {
            return Err(file.unsupported("num_encoder_blocks", "a list with at least one number"));
        }
        // The encoder always halves.
        if config.upsampling_scaling_factor != 2 {
            return Err(file.unsupported("upsampling_scaling_factor", "2"));
        }
        let encodings = config.num_encoder_blocks.len();
        if encodings != halvings + 1 || halvings > MAX_HALVINGS {
            let supported =
                format!("a list of {encodings} numbers, and of at most {}", MAX_HALVINGS + 1);
            return Err(file.unsupported("num_decoder_blocks", &supported));
        }
        let scale = 1 << halvings;
        for (field, channels) in
            [("in_channels", config.in_channels), ("out_channels", config.out_channels)]
        {
            if channels != 3 {
                return Err(file.unsupported(field, "3"));
            }
        }
        let weights = weights(package, component, device)?;
        Ok(Self {
            scaling: LatentScaling { factor: config.scaling_factor, shift: 0.0 },
            latent_channels: config.latent_channels,
            scale,
            widest: config.decoder_block_out_channels.first().copied().unwrap_or(1),
            encoder: encoder(&config, activation, &weights.pp("encoder").pp("layers"))?,
            decoder: decoder(&config, activation, &weights.pp("decoder").pp("layers"))?,
        })
    }

    /// Encodes pictures in -1..=1, (batch, 3, height, width), as raw latents.
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn encode_raw(
        &self,
        image: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        run(&self.encoder, &((image + 1.0)? / 2.0)?, interrupt)
    }

    /// Decodes raw latents as pictures in about -1..=1.
    ///
    /// # Errors
    /// If cancelled, or if the shapes do not match.
    pub fn decode_raw(
        &self,
        raw: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        let clamped = ((raw / 3.0)?.tanh()? * 3.0)?;
        let picture = run(&self.decoder, &clamped, interrupt)?;
        Ok(((picture * 2.0)? - 1.0)?)
    }
}

impl Autoencoder for AutoencoderTiny {
    fn encode(&self, image: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        self.scaling.scaled(&self.encode_raw(image, interrupt)?)
    }

    fn decode(&self, latents: &Tensor, interrupt: &Interrupt) -> Result<Tensor, DiffusionError> {
        self.decode_raw(&self.scaling.raw(latents)?, interrupt)
    }

    fn spec(&self) -> LatentSpec {
        LatentSpec { channels: self.latent_channels, scale: self.scale }
    }

    fn decode_memory(&self, height: usize, width: usize) -> u64 {
        memory_of_results(self.widest, height * self.scale, width * self.scale)
    }
}

/// The layers of the encoder, in the order of their numbers in diffusers.
fn encoder(
    config: &Config,
    activation: Activation,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let width = config.encoder_block_out_channels[0];
    let mut layers = Vec::new();
    for (level, blocks) in config.num_encoder_blocks.iter().enumerate() {
        let weights = |layers: &Vec<Layer>| weights.pp(layers.len());
        let conv = if level == 0 {
            Conv2d::load(config.in_channels, width, 3, &weights(&layers))?
        } else {
            Conv2d::load_without_bias(width, width, 3, &weights(&layers))?.halving(1)
        };
        layers.push(Layer::Conv(conv));
        for _ in 0..*blocks {
            layers.push(Layer::Block(Block::load(width, activation, &weights(&layers))?));
        }
    }
    let last = Conv2d::load(width, config.latent_channels, 3, &weights.pp(layers.len()))?;
    layers.push(Layer::Conv(last));
    Ok(layers)
}

fn decoder(
    config: &Config,
    activation: Activation,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<Layer>> {
    let width = config.decoder_block_out_channels[0];
    let first = Conv2d::load(config.latent_channels, width, 3, &weights.pp(0))?;
    let mut layers = vec![Layer::Conv(first), Layer::Activation(activation)];
    let levels = config.num_decoder_blocks.len();
    for (level, blocks) in config.num_decoder_blocks.iter().enumerate() {
        for _ in 0..*blocks {
            let weights = weights.pp(layers.len());
            layers.push(Layer::Block(Block::load(width, activation, &weights)?));
        }
        let conv = if level + 1 < levels {
            layers.push(Layer::Upsample(config.upsampling_scaling_factor));
            Conv2d::load_without_bias(width, width, 3, &weights.pp(layers.len()))?
        } else {
            Conv2d::load(width, config.out_channels, 3, &weights.pp(layers.len()))?
        };
        layers.push(Layer::Conv(conv));
    }
    Ok(layers)
}

impl Differentiable for Layer {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Activation(activation) => activation.forward(x),
            Self::Block(block) => block.forward(x),
            Self::Upsample(factor) => {
                let (_, _, height, width) = x.dims4()?;
                ops::upsample_nearest(x, factor * height, factor * width)
            }
        }
    }
}

/// Three convolutions with a skip connection.
#[derive(Clone, Debug)]
struct Block {
    convs: [Conv2d; 3],
    activation: Activation,
}

impl Block {
    fn load(
        width: usize,
        activation: Activation,
        weights: &VarBuilder,
    ) -> candle_core::Result<Self> {
        let conv = |index: usize| Conv2d::load(width, width, 3, &weights.pp("conv").pp(index));
        Ok(Self { convs: [conv(0)?, conv(2)?, conv(4)?], activation })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let [first, second, third] = &self.convs;
        let hidden = self.activation.forward(&first.forward(x)?)?;
        let hidden = self.activation.forward(&second.forward(&hidden)?)?;
        // The last activation is always ReLU.
        Activation::Relu.forward(&ops::add(&third.forward(&hidden)?, x)?)
    }
}
