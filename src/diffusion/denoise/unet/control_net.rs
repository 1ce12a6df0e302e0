//! ControlNets (Zhang et al. 2023, arXiv:2302.05543): a copy of the first half of the denoiser that reads a drawing.

mod union;

use std::{path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::json;

pub use self::union::ControlType;
use self::union::Union;
use super::{
    config::{self, UNet2DConditionConfig, UNetLayout},
    encoder::{Encoder, EncoderInput},
};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        adapter::{AdapterError, AdapterPlaces},
        config::ConfigFile,
        layers::Conv2d,
        weights::weights_in,
    },
    model::{FolderPackage, Package, TensorSource, package::config_file},
};

/// The class names in `config.json`. Some folders of union networks have the first one.
const CLASS_NAME: &str = "ControlNetModel";
const UNION_CLASS_NAME: &str = "ControlNetUnionModel";

/// diffusers' default channels of the embedding of a drawing, in a network of each class.
const DRAWING_CHANNELS: [usize; 4] = [16, 32, 96, 256];
const UNION_DRAWING_CHANNELS: [usize; 4] = [48, 96, 192, 384];

/// The most levels. Published networks have 3 or 4.
const MAX_LEVELS: usize = 16;

/// The fields of `config.json` that a UNet does not have, with diffusers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Config {
    conditioning_channels: usize,
    conditioning_embedding_out_channels: Option<Vec<usize>>,
    controlnet_conditioning_channel_order: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            conditioning_channels: 3,
            conditioning_embedding_out_channels: None,
            controlnet_conditioning_channel_order: "rgb".to_owned(),
        }
    }
}

/// diffusers' `ControlNetModel` or `ControlNetUnionModel`. It predicts residuals from latents, a prompt and a drawing. They are added to the feature
/// maps that skip the middle of the denoiser, and to the output of its middle block.
#[derive(Clone, Debug)]
pub struct ControlNet {
    name: String,
    encoder: Encoder,
    /// The width of a token of the prompt in each level with attention, and in the middle block.
    contexts: Vec<usize>,
    drawing: DrawingEmbedding,
    is_bgr: bool,
    union: Option<Union>,
    /// The convolutions of the skipped feature maps, which training starts from zero.
    residuals: Vec<Conv2d>,
    middle: Conv2d,
}

/// diffusers' `ControlNetConditioningEmbedding`.
#[derive(Clone, Debug)]
struct DrawingEmbedding {
    conv_in: Conv2d,
    /// Pairs of convolutions. The second one of each pair halves height and width.
    blocks: Vec<[Conv2d; 2]>,
    conv_out: Conv2d,
}

impl ControlNet {
    /// Opens a folder with `config.json` and `diffusion_pytorch_model.safetensors`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self, DiffusionError> {
        Self::load(&FolderPackage::at(folder), "", device)
    }

    /// Whether the configuration in a folder of a package is one of a ControlNet. Otherwise it is one of a T2I-Adapter.
    ///
    /// # Errors
    /// If it cannot be read, or is one of another network.
    pub(in crate::diffusion) fn is_at(
        package: &dyn Package,
        component: &str,
    ) -> Result<bool, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        match file.text("_class_name") {
            Some(CLASS_NAME | UNION_CLASS_NAME) => Ok(true),
            None | Some("T2IAdapter") => Ok(false),
            Some(_) => Err(file
                .unsupported("_class_name", "ControlNetModel, ControlNetUnionModel or T2IAdapter")),
        }
    }

    /// The class of a network with these tensors.
    pub(in crate::diffusion) fn class_name(tensors: &dyn TensorSource) -> &'static str {
        if tensors.contains(union::TASKS) { UNION_CLASS_NAME } else { CLASS_NAME }
    }

    /// Loads the network from the folder `component` of a package.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network does not support. The
    /// error names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        Self::load_in(package, component, DType::F32, device)
    }

    /// As [`Self::load`], for a network that computes in this type. Its inputs and drawings are f32 all the same.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_in(
        package: &dyn Package,
        component: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        let is_union = file.text("_class_name") == Some(UNION_CLASS_NAME);
        let (class_name, channels) = match is_union {
            true => (UNION_CLASS_NAME, UNION_DRAWING_CHANNELS),
            false => (CLASS_NAME, DRAWING_CHANNELS),
        };
        config::refuse_unsupported(&file, class_name)?;
        file.refuse_other_than(&[("global_pool_conditions", json!(false))])?;
        let own: Config = file.parse()?;
        let mut config: UNet2DConditionConfig = file.parse()?;
        // There are no blocks on the way up.
        let mirrored = config.down_block_types.iter().rev().map(|name| name.replace("Down", "Up"));
        config.up_block_types = mirrored.collect();
        let layout = UNetLayout::new(&config, &file)?;
        if layout.mid.is_none() {
            return Err(file.unsupported("mid_block_type", "UNetMidBlock2DCrossAttn"));
        }
        let is_bgr = match own.controlnet_conditioning_channel_order.as_str() {
            "rgb" => false,
            "bgr" => true,
            _ => {
                let field = "controlnet_conditioning_channel_order";
                return Err(file.unsupported(field, "\"rgb\" or \"bgr\""));
            }
        };
        if config.block_out_channels.len() > MAX_LEVELS {
            let supported = format!("a list of at most {MAX_LEVELS}");
            return Err(file.unsupported("block_out_channels", &supported));
        }
        if config.downsample_padding != 1 {
            // Others round the sizes of feature maps down, and masks have those that are rounded up.
            return Err(file.unsupported("downsample_padding", "1"));
        }
        if own.conditioning_channels != 3 {
            return Err(file.unsupported("conditioning_channels", "3"));
        }
        let own_channels = own.conditioning_embedding_out_channels;
        let channels = own_channels.unwrap_or_else(|| channels.to_vec());
        if channels.is_empty() || channels.len() > 8 || channels.contains(&0) {
            let field = "conditioning_embedding_out_channels";
            return Err(file.unsupported(field, "a list of 1 to 8 positive numbers"));
        }

        let weights = weights_in(package, component, dtype, device)?;
        let encoder = Encoder::load(&config, &layout, &file, &weights)?;
        let zero_conv =
            |channels, weights: VarBuilder| Conv2d::load(channels, channels, 1, &weights);
        let residuals = encoder.skip_channels().into_iter().enumerate();
        let residuals = residuals
            .map(|(at, channels)| zero_conv(channels, weights.pp("controlnet_down_blocks").pp(at)));
        let [first, last] = [config.block_out_channels.first(), config.block_out_channels.last()]
            .map(|channels| channels.copied().unwrap_or_default());
        let embedding = weights.pp("controlnet_cond_embedding");
        let crossing = layout.contexts.iter().zip(&layout.down_depths);
        let crossing = crossing.filter_map(|(width, depths)| depths.as_ref().map(|_| *width));
        let mut contexts: Vec<usize> = crossing.chain(layout.contexts.last().copied()).collect();
        contexts.dedup();
        Ok(Self {
            name: package.location(&config_file(component)),
            contexts,
            drawing: DrawingEmbedding::load(&channels, first, &embedding)?,
            is_bgr,
            union: Union::load(package, component, &config, encoder.time_width(), &file, device)?,
            residuals: residuals.collect::<candle_core::Result<_>>()?,
            middle: zero_conv(last, weights.pp("controlnet_mid_block"))?,
            encoder,
        })
    }

    /// The same network for drawings of this type. It only matters to a union network, whose drawings are
    /// [lines](ControlType::Lines) by default.
    #[must_use]
    pub fn for_type(mut self, control_type: ControlType) -> Self {
        if let Some(union) = &mut self.union {
            union.control_type = control_type;
        }
        self
    }

    /// Pixels of a drawing along each side of a latent. The sides of a drawing must be multiples of it.
    #[must_use]
    pub fn downscale_factor(&self) -> usize {
        1 << self.drawing.blocks.len()
    }

    /// Pixels of a drawing along each side of a cell of each of the residuals.
    pub fn cells(&self) -> impl Iterator<Item = usize> {
        let levels = self.encoder.skip_levels();
        levels.iter().chain(levels.last()).map(|level| self.downscale_factor() << level)
    }

    /// Checks that the residuals match the feature maps of a denoiser.
    ///
    /// # Errors
    /// [`AdapterError::OtherModel`] if they do not.
    pub fn check(&self, places: &AdapterPlaces) -> Result<(), AdapterError> {
        let config = self.encoder.config();
        let compared = [
            ("latents", vec![config.in_channels], vec![places.latents]),
            ("tokens", self.contexts.clone(), vec![places.tokens]),
            ("skipped feature maps", self.encoder.skip_channels(), places.skips.clone()),
        ];
        for (what, found, expected) in compared {
            if found != expected {
                let adapter = self.name.clone();
                return Err(AdapterError::OtherModel { adapter, what, found, expected });
            }
        }
        Ok(())
    }

    /// The embedding of a drawing, `(1, 3, height, width)` in 0..=1. It has the size of the latents.
    ///
    /// # Errors
    /// If the shape does not match.
    pub fn embed(&self, drawing: &Tensor) -> candle_core::Result<Tensor> {
        let embedding = if self.is_bgr {
            let channel = |at| drawing.narrow(1, at, 1);
            self.drawing.forward(&Tensor::cat(&[channel(2)?, channel(1)?, channel(0)?], 1)?)?
        } else {
            self.drawing.forward(drawing)?
        };
        match &self.union {
            Some(union) => union.add_to(&embedding),
            None => Ok(embedding),
        }
    }

    /// The residuals: one for each skipped feature map of the denoiser, then one for the output of its middle block.
    /// `latents`, `(batch, channels, height, width)`, `timestep` and `conditioning` are those of the
    /// denoiser, and `drawing` is an embedding. They have the type that the network computes in.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after an interrupt. Otherwise if the shapes do not match.
    pub fn residuals(
        &self,
        latents: &Tensor,
        timestep: f64,
        conditioning: &Conditioning,
        drawing: &Tensor,
        interrupt: &Interrupt,
    ) -> Result<Vec<Tensor>, DiffusionError> {
        let more_time = self.union.as_ref().map(Union::time).transpose()?;
        let input = EncoderInput {
            sample: latents,
            timestep,
            more_time: more_time.as_ref(),
            drawing: Some(drawing),
            conditioning,
            images: &Arc::default(),
            adapters: None,
            interrupt,
        };
        let encoded = self.encoder.forward(&input, &mut |_, _| {})?;
        let residuals = self.residuals.iter().zip(&encoded.skipped);
        let mut residuals = residuals
            .map(|(conv, map)| conv.forward(map))
            .collect::<candle_core::Result<Vec<_>>>()?;
        residuals.push(self.middle.forward(&encoded.middle)?);
        Ok(residuals)
    }
}

impl DrawingEmbedding {
    fn load(channels: &[usize], output: usize, weights: &VarBuilder) -> candle_core::Result<Self> {
        let conv = |input, output, name: &str| Conv2d::load(input, output, 3, &weights.pp(name));
        let block = |(at, pair): (usize, &[usize])| {
            let conv =
                |output, at: usize| Conv2d::load(pair[0], output, 3, &weights.pp("blocks").pp(at));
            Ok([conv(pair[0], 2 * at)?, conv(pair[1], 2 * at + 1)?.halving(1)])
        };
        let [first, last] = [channels.first(), channels.last()].map(|it| it.copied().unwrap_or(1));
        Ok(Self {
            conv_in: conv(3, first, "conv_in")?,
            blocks: channels
                .windows(2)
                .enumerate()
                .map(block)
                .collect::<candle_core::Result<_>>()?,
            conv_out: conv(last, output, "conv_out")?,
        })
    }

    fn forward(&self, drawing: &Tensor) -> candle_core::Result<Tensor> {
        let hidden = self.conv_in.forward(drawing)?.silu()?;
        let hidden = self
            .blocks
            .iter()
            .flatten()
            .try_fold(hidden, |hidden, conv| conv.forward(&hidden)?.silu())?;
        self.conv_out.forward(&hidden)
    }
}
