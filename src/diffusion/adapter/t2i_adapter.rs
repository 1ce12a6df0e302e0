//! T2I-Adapters (Mou et al. 2023, arXiv:2302.08453): features of a picture that are added to those of the denoiser.

use std::path::Path;

use candle_core::{Device, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;
use serde_json::json;

use super::{AdapterError, AdapterPlaces};
use crate::{
    diffusion::{DiffusionError, config::ConfigFile, layers::Conv2d, weights::weights},
    model::{FolderPackage, Package, package::config_file},
    ops::{self, Activation},
};

/// The fields of `config.json`, with diffusers' defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
struct Config {
    in_channels: usize,
    channels: Vec<usize>,
    num_res_blocks: usize,
    downscale_factor: usize,
    adapter_type: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            in_channels: 3,
            channels: vec![320, 640, 1280, 1280],
            num_res_blocks: 2,
            downscale_factor: 8,
            adapter_type: "full_adapter".to_owned(),
        }
    }
}

/// diffusers' `T2IAdapter`: `full_adapter`, `full_adapter_xl` or `light_adapter`.
#[derive(Clone, Debug)]
pub struct T2iAdapter {
    name: String,
    in_channels: usize,
    downscale_factor: usize,
    conv_in: Option<Conv2d>,
    body: Vec<Block>,
}

/// diffusers' `AdapterBlock` and `LightAdapterBlock`.
#[derive(Clone, Debug)]
struct Block {
    /// Whether the block halves height and width.
    halves: bool,
    in_conv: Option<Conv2d>,
    resnets: Vec<[Conv2d; 2]>,
    out_conv: Option<Conv2d>,
    channels: usize,
}

impl T2iAdapter {
    /// Opens a folder with `config.json` and `diffusion_pytorch_model.safetensors`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn open(folder: &Path, device: &Device) -> Result<Self, DiffusionError> {
        Self::load(&FolderPackage::at(folder), "", device)
    }

    /// Loads the adapter from the folder `component` of a package.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network does not support. The
    /// error names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        file.refuse_other_than(&[("_class_name", json!("T2IAdapter"))])?;
        let config: Config = file.parse()?;
        let channels = &config.channels;
        if channels.is_empty() || channels.contains(&0) {
            return Err(file.unsupported("channels", "a list of positive numbers"));
        }
        let input = config.downscale_factor.checked_pow(2).filter(|area| *area > 0);
        let input = input.and_then(|area| area.checked_mul(config.in_channels));
        let input = input.ok_or_else(|| {
            file.unsupported("downscale_factor", "a positive number, usually 8 or 16")
        })?;

        let weights = weights(package, component, device)?.pp("adapter");
        let body = weights.pp("body");
        let count = config.num_res_blocks;
        let full = |index: usize, input: usize, halves: bool| {
            Block::full((input, channels[index]), count, halves, &body.pp(index))
        };
        let before = |index: usize| channels[index.saturating_sub(1)];
        let (conv_in, body) = match config.adapter_type.as_str() {
            "full_adapter" => {
                let blocks = (0..channels.len()).map(|at| full(at, before(at), at > 0));
                (Some(input), blocks.collect::<candle_core::Result<Vec<_>>>()?)
            }
            "full_adapter_xl" => {
                if (3..channels.len()).any(|at| channels[at] != before(at)) {
                    return Err(file.unsupported("channels", "equal numbers from the third on"));
                }
                let blocks = (0..channels.len()).map(|at| full(at, before(at), at == 2));
                (Some(input), blocks.collect::<candle_core::Result<Vec<_>>>()?)
            }
            "light_adapter" => {
                if channels.iter().any(|channels| *channels < 4) {
                    return Err(file.unsupported("channels", "numbers of at least 4"));
                }
                // The last block has the same number of channels as the one before.
                let outputs = channels.iter().chain(channels.last()).copied();
                let inputs = std::iter::once(input).chain(channels.iter().copied());
                let blocks = inputs.zip(outputs).enumerate();
                let blocks =
                    blocks.map(|(at, sides)| Block::light(sides, count, at > 0, &body.pp(at)));
                (None, blocks.collect::<candle_core::Result<Vec<_>>>()?)
            }
            _ => {
                let supported = "full_adapter, full_adapter_xl or light_adapter";
                return Err(file.unsupported("adapter_type", supported));
            }
        };
        let conv_in =
            conv_in.map(|input| Conv2d::load(input, channels[0], 3, &weights.pp("conv_in")));
        Ok(Self {
            name: package.location(&config_file(component)),
            in_channels: config.in_channels,
            downscale_factor: config.downscale_factor,
            conv_in: conv_in.transpose()?,
            body,
        })
    }

    /// The configuration file, for error messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The channels of the input.
    #[must_use]
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Pixels of the input along each side of a cell of the first features. The sides of an input must be multiples of it.
    #[must_use]
    pub fn downscale_factor(&self) -> usize {
        self.downscale_factor
    }

    /// Pixels of the input along each side of a cell of each of the features.
    pub fn cells(&self) -> impl Iterator<Item = usize> {
        self.body.iter().scan(self.downscale_factor, |cell, block| {
            *cell *= if block.halves { 2 } else { 1 };
            Some(*cell)
        })
    }

    /// Checks that the features match those of a denoiser. Those of Stable Diffusion 1 and XL have equal channels, but not
    /// equal sizes.
    ///
    /// # Errors
    /// [`AdapterError::Features`] or [`AdapterError::OtherModel`] if they do not.
    pub fn check(&self, places: &AdapterPlaces) -> Result<(), AdapterError> {
        let adapter = self.name.clone();
        let found: Vec<usize> = self.body.iter().map(|block| block.channels).collect();
        if !places.features.starts_with(&found) {
            let expected = places.features.clone();
            return Err(AdapterError::Features { adapter, found, expected });
        }
        // Pixels and latents, so that only their ratios can be compared.
        let in_first = |cells: &[usize]| -> Vec<usize> {
            cells.iter().map(|cell| cell / cells.first().copied().unwrap_or(1).max(1)).collect()
        };
        let found = in_first(&self.cells().collect::<Vec<_>>());
        let expected = in_first(&places.cells);
        if !expected.starts_with(&found) {
            let what = "cells, in those of the first features,";
            return Err(AdapterError::OtherModel { adapter, what, found, expected });
        }
        Ok(())
    }

    /// The features of `input`, `(batch, in_channels, height, width)`: one for each level of the denoiser.
    ///
    /// # Errors
    /// If the shape does not match.
    pub fn forward(&self, input: &Tensor) -> Result<Vec<Tensor>, DiffusionError> {
        let mut hidden = pixel_unshuffle(input, self.downscale_factor)?;
        if let Some(conv_in) = &self.conv_in {
            hidden = conv_in.forward(&hidden)?;
        }
        let mut features = Vec::new();
        for block in &self.body {
            hidden = block.forward(&hidden)?;
            features.push(hidden.clone());
        }
        Ok(features)
    }
}

impl Block {
    fn full(
        (input, output): (usize, usize),
        count: usize,
        halves: bool,
        weights: &VarBuilder,
    ) -> candle_core::Result<Self> {
        let in_conv =
            (input != output).then(|| Conv2d::load(input, output, 1, &weights.pp("in_conv")));
        let resnets = resnets(output, [3, 1], count, weights)?;
        let in_conv = in_conv.transpose()?;
        Ok(Self { halves, in_conv, resnets, out_conv: None, channels: output })
    }

    fn light(
        (input, output): (usize, usize),
        count: usize,
        halves: bool,
        weights: &VarBuilder,
    ) -> candle_core::Result<Self> {
        let middle = output / 4;
        Ok(Self {
            halves,
            in_conv: Some(Conv2d::load(input, middle, 1, &weights.pp("in_conv"))?),
            resnets: resnets(middle, [3, 3], count, weights)?,
            out_conv: Some(Conv2d::load(middle, output, 1, &weights.pp("out_conv"))?),
            channels: output,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let mut hidden = if self.halves { halved(x)? } else { x.clone() };
        if let Some(conv) = &self.in_conv {
            hidden = conv.forward(&hidden)?;
        }
        for [first, second] in &self.resnets {
            let inner = Activation::Relu.forward(&first.forward(&hidden)?)?;
            hidden = ops::add(&second.forward(&inner)?, &hidden)?;
        }
        match &self.out_conv {
            Some(conv) => conv.forward(&hidden),
            None => Ok(hidden),
        }
    }
}

fn resnets(
    channels: usize,
    kernels: [usize; 2],
    count: usize,
    weights: &VarBuilder,
) -> candle_core::Result<Vec<[Conv2d; 2]>> {
    let load = |index: usize| {
        let weights = weights.pp("resnets").pp(index);
        let conv = |kernel, name: &str| Conv2d::load(channels, channels, kernel, &weights.pp(name));
        Ok([conv(kernels[0], "block1")?, conv(kernels[1], "block2")?])
    };
    (0..count).map(load).collect()
}

/// PyTorch's `PixelUnshuffle`: the pixels of each square become channels.
fn pixel_unshuffle(x: &Tensor, side: usize) -> candle_core::Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    if !height.is_multiple_of(side) || !width.is_multiple_of(side) {
        candle_core::bail!(
            "an input of {width}x{height} pixels cannot be split into squares of {side}: pad it to whole squares"
        );
    }
    let (rows, columns) = (height / side, width / side);
    x.reshape(&[batch, channels, rows, side, columns, side])?
        .permute(vec![0, 1, 3, 5, 2, 4])?
        .reshape((batch, channels * side * side, rows, columns))
}

/// The means of 2 x 2 cells. At the right and at the bottom, a cell of half the size has the mean of its pixels.
fn halved(x: &Tensor) -> candle_core::Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    x.pad_with_same(2, 0, height % 2)?.pad_with_same(3, 0, width % 2)?.avg_pool2d(2)
}
