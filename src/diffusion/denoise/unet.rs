//! The denoising network: diffusers' `UNet2DConditionModel` for Stable Diffusion 1 and 2
//! (Rombach et al. 2022) and XL (Podell et al. 2023).

mod added;
mod block;
mod config;
mod control_net;
mod encoder;
mod guidance;
mod pass;
mod transformer;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use self::{
    block::UpBlock,
    config::UNetLayout,
    encoder::{Encoded, Encoder, EncoderInput, attentions, block_config},
    pass::SeenImage,
};
use super::{Denoiser, DenoiserInput};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        adapter::AdapterPlaces,
        config::ConfigFile,
        layers::{Conv2d, GroupNorm, LayerMut},
        lora::{self, LoraFile},
        weights::{narrow_weights, weights_in},
    },
    model::{Package, ldm::UNetNames},
};

pub(in crate::diffusion) use self::added::PIXELS_PER_LATENT;
pub use self::config::{SampleSize, UNet2DConditionConfig};
pub use self::control_net::{ControlNet, ControlType};

/// Predicts the noise (or the velocity) in latents, under a context.
#[derive(Clone, Debug)]
pub struct UNet2DConditionModel {
    encoder: Encoder,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
    adapter_places: AdapterPlaces,
    /// The names of the layers in LDM, if low-rank adapters are kept beside the weights.
    beside: Option<UNetNames>,
}

impl Denoiser for UNet2DConditionModel {
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError> {
        self.run(input, &mut |_, _| {})
    }

    fn latent_channels(&self) -> usize {
        self.config().latent_channels()
    }

    fn dtype(&self) -> DType {
        self.encoder.dtype()
    }

    fn is_inpainting(&self) -> bool {
        self.config().is_inpainting()
    }

    fn sample_size(&self) -> Option<(usize, usize)> {
        self.config().sample_size.map(SampleSize::height_and_width)
    }

    fn is_distilled(&self) -> bool {
        self.config().embeds_guidance()
    }

    fn with_loras(
        &self,
        loras: &[LoraFile],
        device: &Device,
    ) -> Result<Option<Box<dyn Denoiser>>, DiffusionError> {
        let Some(ldm) = &self.beside else { return Ok(None) };
        let mut changed = self.clone();
        for layer in changed.layers() {
            layer.set_loras(loras, |layer| lora::of_unet(layer, ldm), device)?;
        }
        Ok(Some(Box::new(changed)))
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
        Self::load_in(package, component, DType::F32, device)
    }

    /// As [`Self::load`], for a network that [computes](Denoiser::dtype) in another type: f16 or bf16.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_in(
        package: &dyn Package,
        component: &str,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let weights = weights_in(package, component, dtype, device)?;
        Self::load_weights(package, component, &weights)
    }

    /// As [`Self::load`], but weights of 16 bits keep their numbers. A step takes a little longer, and its result is the same.
    /// [Low-rank adapters](Denoiser::with_loras) are kept beside the weights, and results with them differ by rounding errors.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_narrow(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let weights = narrow_weights(package, component, device)?;
        let unet = Self::load_weights(package, component, &weights)?;
        let beside = Some(UNetNames::of_config(&package.config(component)?));
        Ok(Self { beside, ..unet })
    }

    fn load_weights(
        package: &dyn Package,
        component: &str,
        weights: &VarBuilder,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        config::refuse_unsupported(&file, "UNet2DConditionModel")?;
        let config: UNet2DConditionConfig = file.parse()?;
        let layout = UNetLayout::new(&config, &file)?;
        let encoder = Encoder::load(&config, &layout, &file, weights)?;
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels.len() - 1);
        let block = |level, first| block_config(&config, &layout, encoder.activation, level, first);

        let mut up_blocks = Vec::new();
        for index in 0..=last {
            let level = last - index;
            let previous = channels[(level + 1).min(last)];
            let first_attention =
                attentions(&layout.down_depths) + attentions(&layout.up_depths[..index]);
            up_blocks.push(UpBlock::load(
                (previous, channels[level], channels[level.saturating_sub(1)]),
                layout.layers[level] + 1,
                layout.up_depths[index].as_deref(),
                level > 0,
                &block(level, first_attention),
                &weights.pp("up_blocks").pp(index),
            )?);
        }
        Ok(Self {
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
            adapter_places: adapter_places(&config, &layout, &encoder),
            beside: None,
            encoder,
        })
    }

    /// All dense layers and convolutions.
    fn layers(&mut self) -> Vec<LayerMut<'_>> {
        let mut layers = self.encoder.layers();
        layers.extend(self.up_blocks.iter_mut().flat_map(UpBlock::layers));
        layers.push(LayerMut::Conv2d(&mut self.conv_out));
        layers
    }

    /// The channels of the pooled prompt that it needs, if it needs one.
    pub fn pooled_width(&self) -> Option<usize> {
        self.encoder.pooled_width()
    }

    /// The configuration.
    pub fn config(&self) -> &UNet2DConditionConfig {
        self.encoder.config()
    }

    /// Predicts for `sample`, `(batch, in_channels, height, width)`, at `timestep` (which may be
    /// fractional), under a conditioning with the same batch size. Returns `(batch, out_channels,
    /// height, width)`. Any height and width are allowed.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one layer after a call to [`Interrupt::cancel`].
    /// Otherwise if the shapes do not match.
    pub fn forward(
        &self,
        sample: &Tensor,
        timestep: f64,
        conditioning: &Conditioning,
        interrupt: &Interrupt,
    ) -> Result<Tensor, DiffusionError> {
        self.forward_observed(sample, timestep, conditioning, interrupt, &mut |_, _| {})
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
        conditioning: &Conditioning,
        interrupt: &Interrupt,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        self.run(&DenoiserInput::new(sample, timestep, conditioning, interrupt), observe)
    }

    fn run(
        &self,
        input: &DenoiserInput<'_>,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let DenoiserInput { latents, inpainting, timestep, conditioning, .. } = *input;
        let DenoiserInput { adapters, interrupt, .. } = *input;
        let with_mask = |beside: &Tensor| {
            Tensor::cat(&[latents, &beside.repeat((latents.dim(0)?, 1, 1, 1))?], 1)
        };
        let with_mask = inpainting.map(with_mask).transpose()?;
        let attentions = self.adapter_places.attentions.len();
        let dtype = self.encoder.dtype_for(latents, conditioning);
        let seen = |adapters| SeenImage::all(conditioning, adapters, attentions, dtype);
        let images = adapters.map(seen);
        let images = images.transpose()?.unwrap_or_default();
        let input = EncoderInput {
            sample: with_mask.as_ref().unwrap_or(latents),
            timestep,
            more_time: None,
            drawing: None,
            conditioning,
            images: &images,
            adapters,
            interrupt,
        };
        let mut encoded = self.encoder.forward(&input, observe)?;
        for control in adapters.iter().flat_map(|adapters| &adapters.controls) {
            let network = &control.network;
            let drawing = &control.drawing;
            let residuals =
                network.residuals(latents, timestep, conditioning, drawing, interrupt)?;
            let maps = encoded.skipped.iter_mut().chain([&mut encoded.middle]);
            for ((index, map), residual) in maps.enumerate().zip(residuals) {
                let acting = control.acting(index, residual)?.to_dtype(map.dtype())?;
                *map = (&*map + acting)?;
            }
        }
        let Encoded { pass, mut skipped, middle: mut hidden } = encoded;
        for (index, block) in self.up_blocks.iter().enumerate() {
            hidden = block.forward(&hidden, &pass, &mut skipped)?;
            observe(&format!("up_blocks.{index}"), &hidden);
        }
        interrupt.check()?;
        let hidden = self.conv_norm_out.forward_with(self.encoder.activation, &hidden)?;
        Ok(self.conv_out.forward(&hidden)?.to_dtype(latents.dtype())?)
    }
}

/// The places in which adapters act.
fn adapter_places(
    config: &UNet2DConditionConfig,
    layout: &UNetLayout,
    encoder: &Encoder,
) -> AdapterPlaces {
    let channels = &config.block_out_channels;
    let last = channels.len() - 1;
    let mut features = channels.clone();
    features.extend(encoder.has_middle().then(|| channels[last]));
    // Features are added before the downsampler in a block with attention, after it in others.
    let level = |(level, depths): (usize, &Option<Vec<usize>>)| match depths {
        None if level < last => level + 1,
        _ => level,
    };
    let levels = layout.down_depths.iter().enumerate().map(level);
    let cells =
        levels.chain(encoder.has_middle().then_some(last)).map(|level| 1 << level).collect();
    // The width of attention to a feature map of each level.
    let widths: Vec<usize> = channels
        .iter()
        .zip(&layout.heads)
        .map(|(channels, heads)| channels / heads * heads)
        .collect();
    let of_blocks = |depths: &[Option<Vec<usize>>], widths: Vec<usize>| {
        let counts = depths.iter().map(|depths| depths.iter().flatten().sum::<usize>());
        counts.zip(widths).flat_map(|(count, width)| vec![width; count]).collect::<Vec<_>>()
    };
    let mut attentions = of_blocks(&layout.down_depths, widths.clone());
    attentions.extend(of_blocks(&layout.up_depths, widths.iter().rev().copied().collect()));
    attentions.extend(vec![widths[last]; layout.mid.flatten().unwrap_or(0)]);
    let (style, layout_only) = style_and_layout(layout, encoder.pooled_width().is_some());
    AdapterPlaces {
        features,
        cells,
        style,
        layout: layout_only,
        attentions,
        latents: config.latent_channels(),
        tokens: layout.contexts[0],
        skips: encoder.skip_channels(),
    }
}

/// The cross attentions in which an image acts by its style only, and those in which it acts by its layout only, as in the
/// scripts of the authors of `InstantStyle`.
fn style_and_layout(layout: &UNetLayout, is_xl: bool) -> (Vec<usize>, Vec<usize>) {
    let (down, up) = (attentions(&layout.down_depths), attentions(&layout.up_depths));
    // Of the blocks with attention, these have the smallest feature maps.
    let first_up = layout.up_depths.iter().flatten().next();
    let last_down = layout.down_depths.iter().flatten().next_back();
    let count = |block: Option<&Vec<usize>>| block.into_iter().flatten().sum::<usize>();
    let start_down = down - count(last_down);
    if is_xl {
        // `infer_style.py` names `up_blocks.0.attentions.1` for the style, and adds `down_blocks.2.attentions.1` for the
        // layout.
        let second = |block: Option<&Vec<usize>>, start: usize| {
            let depths = block.map_or(&[][..], Vec::as_slice);
            let at = 1.min(depths.len().saturating_sub(1));
            let before = start + depths[..at].iter().sum::<usize>();
            (before..before + depths.get(at).copied().unwrap_or(0)).collect()
        };
        return (second(first_up, down), second(last_down, start_down));
    }
    // `infer_style_sd15.py` names `up_blocks.1` for the style, and adds `down_blocks.2` and `mid_block` for the layout.
    let middle = layout.mid.flatten().unwrap_or(0);
    let style = (down..down + count(first_up)).collect();
    (style, (start_down..down).chain(down + up..down + up + middle).collect())
}
