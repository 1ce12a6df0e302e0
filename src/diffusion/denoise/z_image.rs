//! The denoising network of Z-Image (Alibaba 2025, arXiv:2511.22699): diffusers' `ZImageTransformer2DModel`.
//!
//! A transformer over 2 x 2 patches of latents and the tokens of the prompt. A few blocks see only the patches, and a few only
//! the tokens. Then the same blocks process both. The timestep scales and gates all blocks that see patches.

mod block;
mod config;
mod position;

use candle_core::{DType, Device, Tensor};

use self::{
    block::{BlockConfig, Pass, ZImageBlock},
    config::ZImageConfig,
    position::{Positions, padded},
};
use super::{Denoiser, DenoiserInput, blocks::Blocks, position::axial_angles, predicting_type};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        config::ConfigFile,
        layers::{Linear, RmsNorm},
        lora::{self, LoraFile},
        weights::StoredWeights,
    },
    model::Package,
    ops,
};

/// Latents along each side of a patch.
const PATCH: usize = 2;

/// Height and width of the latents of a picture of 1024 x 1024 pixels.
const SAMPLE_SIZE: usize = 128;

/// The widths of the embedding of the timestep. diffusers fixes them.
const FREQUENCIES: usize = 256;
const TIME_INNER: usize = 1024;
const MAX_TIME: usize = 256;

/// The epsilon of the last norm.
const EPS: f64 = 1e-6;

/// Predicts the flow from latents to noise, under a context.
#[derive(Clone, Debug)]
pub struct ZImageTransformer2DModel {
    config: ZImageConfig,
    dtype: DType,
    time: [Linear; 2],
    latents_in: Linear,
    /// The padding of patches, `(1, dim)`.
    latents_pad: Tensor,
    text_norm: RmsNorm,
    text_in: Linear,
    /// The padding of tokens, of the same shape.
    text_pad: Tensor,
    noise_refiner: Blocks<ZImageBlock>,
    context_refiner: Blocks<ZImageBlock>,
    layers: Blocks<ZImageBlock>,
    scale_out: Linear,
    latents_out: Linear,
}

/// The inputs of a prediction.
struct ZImageInput<'a> {
    /// `(batch, channels, height, width)`.
    latents: &'a Tensor,
    timestep: f64,
    /// `(batch, tokens, width)`.
    context: &'a Tensor,
    interrupt: &'a Interrupt,
}

impl Denoiser for ZImageTransformer2DModel {
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError> {
        let DenoiserInput { latents, timestep, conditioning, interrupt, .. } = *input;
        let Conditioning { tokens: context, .. } = conditioning;
        self.run(&ZImageInput { latents, timestep, context, interrupt }, &mut |_, _| {})
    }

    fn latent_channels(&self) -> usize {
        self.config.in_channels
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn sample_size(&self) -> Option<(usize, usize)> {
        Some((SAMPLE_SIZE, SAMPLE_SIZE))
    }

    fn patch_size(&self) -> usize {
        PATCH
    }

    fn neutral_guidance_scale(&self) -> f32 {
        0.0
    }

    fn with_loras(
        &self,
        loras: &[LoraFile],
        device: &Device,
    ) -> Result<Option<Box<dyn Denoiser>>, DiffusionError> {
        let mut changed = self.clone();
        for layer in changed.layers() {
            layer.set_loras(loras, lora::of_z_image, device)?;
        }
        Ok(Some(Box::new(changed)))
    }
}

impl ZImageTransformer2DModel {
    /// Loads the transformer from the folder `component` of a model, usually `transformer`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network does not support. The error
    /// names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        Self::load_in(package, component, DType::F32, device)
    }

    /// As [`Self::load`], for a network that [computes](Denoiser::dtype) in another type, usually bf16.
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
        let config = ZImageConfig::read(&file)?;
        let stored = StoredWeights::in_type(package, component, dtype, device)?;
        let weights = stored.converted();
        let (width, patch) = (config.dim, PATCH * PATCH * config.in_channels);
        let block = BlockConfig {
            width,
            inner: config.inner(),
            heads: config.n_heads,
            time: width.min(MAX_TIME),
            eps: config.norm_eps,
        };
        let blocks = |group: &str, count: usize, is_modulated: bool| {
            Blocks::load(group, count, &stored, |stored| {
                ZImageBlock::load(block, is_modulated, stored)
            })
        };
        let patches = format!("{PATCH}-1");
        let (time, text) = (weights.pp("t_embedder").pp("mlp"), weights.pp("cap_embedder"));
        let last = weights.pp("all_final_layer").pp(&patches);
        let refiners = config.n_refiner_layers;
        Ok(Self {
            time: [
                Linear::load(FREQUENCIES, TIME_INNER, &time.pp(0))?,
                Linear::load(TIME_INNER, block.time, &time.pp(2))?,
            ],
            latents_in: Linear::load(patch, width, &weights.pp("all_x_embedder").pp(&patches))?,
            latents_pad: weights.get((1, width), "x_pad_token")?,
            text_norm: RmsNorm::load(config.cap_feat_dim, config.norm_eps, &text.pp(0))?,
            text_in: Linear::load(config.cap_feat_dim, width, &text.pp(1))?,
            text_pad: weights.get((1, width), "cap_pad_token")?,
            noise_refiner: blocks("noise_refiner", refiners, true)?,
            context_refiner: blocks("context_refiner", refiners, false)?,
            layers: blocks("layers", config.n_layers, true)?,
            scale_out: Linear::load(block.time, width, &last.pp("adaLN_modulation").pp(1))?,
            latents_out: Linear::load(width, patch, &last.pp("linear"))?,
            config,
            dtype,
        })
    }

    /// All dense layers.
    fn layers(&mut self) -> Vec<&mut Linear> {
        let [first, second] = &mut self.time;
        let own = [
            first,
            second,
            &mut self.latents_in,
            &mut self.text_in,
            &mut self.scale_out,
            &mut self.latents_out,
        ];
        let groups = [&mut self.noise_refiner, &mut self.context_refiner, &mut self.layers];
        let blocks = groups.into_iter().flat_map(Blocks::iter_mut);
        own.into_iter().chain(blocks.flat_map(ZImageBlock::layers)).collect()
    }

    /// The channels of a token of the context.
    pub fn context_width(&self) -> usize {
        self.config.cap_feat_dim
    }

    /// Predicts the flow for `latents`, `(batch, in_channels, height, width)` with even sides, at `timestep` (0 to 1000, which
    /// may be fractional), under a `context`, `(batch, tokens, width)`. Returns the shape of the latents. Calls `observe` with
    /// the output of each block, `(batch, tokens, width)` with the tokens of the picture first and with the padding, and the
    /// block's name in diffusers, such as `layers.0`.
    ///
    /// This is what diffusers' pipeline gives its scheduler: the network is asked for `1000 - timestep`, and its output is
    /// negated.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one block after a call to [`Interrupt::cancel`]. Otherwise if the shapes do not
    /// match.
    pub fn forward_observed(
        &self,
        latents: &Tensor,
        timestep: f64,
        context: &Tensor,
        interrupt: &Interrupt,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        self.run(&ZImageInput { latents, timestep, context, interrupt }, observe)
    }

    fn run(
        &self,
        input: &ZImageInput<'_>,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let ZImageInput { latents, timestep, context, interrupt } = *input;
        let (_, _, height, width) = latents.dims4()?;
        let needs_gradient = latents.track_op() || context.track_op();
        let dtype = predicting_type(self.dtype, needs_gradient);
        let context = &context.to_dtype(dtype)?;
        let patches = self.latents_in.forward(&patches(&latents.to_dtype(dtype)?)?)?;
        let count = patches.dim(1)?;
        let picture = padded(&patches, &self.latents_pad.to_dtype(dtype)?)?;
        let text = self.text_in.forward(&self.text_norm.forward(context)?)?;
        let text = padded(&text, &self.text_pad.to_dtype(dtype)?)?;
        let time = self.embedded_time(timestep, latents.device(), &picture)?;
        let positions = Positions::new(text.dim(1)?, height / PATCH, width / PATCH);
        let mut through = |blocks: &Blocks<ZImageBlock>, x: &Tensor, positions: &[[usize; 3]]| {
            let ZImageConfig { axes_dims, rope_theta, .. } = &self.config;
            let angles = axial_angles(positions, axes_dims, *rope_theta, x)?;
            blocks.run(x, Pass { time: time.clone(), angles }, interrupt, observe)
        };
        let picture = through(&self.noise_refiner, &picture, &positions.picture)?;
        let text = through(&self.context_refiner, &text, &positions.text)?;
        let both = Tensor::cat(&[&picture, &text], 1)?;
        let both = through(&self.layers, &both, &positions.both())?;
        interrupt.check()?;
        let scale = (self.scale_out.forward(&ops::silu(&time)?)? + 1.0)?.squeeze(0)?;
        let hidden = both.narrow(1, 0, count)?;
        let hidden = ops::layer_norm(&hidden, &scale, &scale.zeros_like()?, EPS)?;
        let output = self.latents_out.forward(&hidden)?.neg()?;
        Ok(without_patches(&output, height, width)?.to_dtype(latents.dtype())?)
    }

    /// The embedding of a timestep, `(1, time)`.
    fn embedded_time(
        &self,
        timestep: f64,
        device: &Device,
        like: &Tensor,
    ) -> candle_core::Result<Tensor> {
        // The pipeline divides by 1000, and the network multiplies, in f32. The rounding errors are part of the result.
        let time = (1000.0 - timestep as f32) / 1000.0 * self.config.t_scale as f32;
        let time = ops::time_embedding(f64::from(time), FREQUENCIES, true, 0.0, device)?;
        let [first, second] = &self.time;
        second.forward(&ops::silu(&first.forward(&time.to_dtype(like.dtype())?)?)?)
    }
}

/// The patches of latents, row by row, `(batch, patches, channels)`. The channels of the latents vary fastest.
fn patches(latents: &Tensor) -> candle_core::Result<Tensor> {
    let (batch, channels, height, width) = latents.dims4()?;
    if !height.is_multiple_of(PATCH) || !width.is_multiple_of(PATCH) {
        candle_core::bail!(
            "latents of {height} x {width} have no whole patches of {PATCH} x {PATCH}"
        );
    }
    let (rows, columns) = (height / PATCH, width / PATCH);
    let split = latents.reshape(&[batch, channels, rows, PATCH, columns, PATCH][..])?;
    let split = split.permute([0, 2, 4, 3, 5, 1])?.contiguous()?;
    split.reshape((batch, rows * columns, PATCH * PATCH * channels))
}

/// The inverse of [`patches`].
fn without_patches(patches: &Tensor, height: usize, width: usize) -> candle_core::Result<Tensor> {
    let (batch, _, channels) = patches.dims3()?;
    let (rows, columns, channels) = (height / PATCH, width / PATCH, channels / (PATCH * PATCH));
    let split = patches.reshape(&[batch, rows, columns, PATCH, PATCH, channels][..])?;
    let split = split.permute([0, 5, 1, 3, 2, 4])?.contiguous()?;
    split.reshape((batch, channels, height, width))
}
