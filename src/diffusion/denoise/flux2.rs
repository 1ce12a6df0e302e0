//! The denoising network of FLUX.2 (Black Forest Labs 2025): diffusers' `Flux2Transformer2DModel`.
//!
//! A transformer over the tokens of the prompt and those of the latents. In the first blocks both have their own weights, in
//! the others they share them. The timestep shifts, scales and gates all blocks of a kind alike.

mod block;
mod config;
mod position;

use candle_core::{DType, Device, Tensor};

use self::{
    block::{BlockConfig, Flux2Block, Modulation, Pass, normed},
    config::Flux2Config,
    position::Positions,
};
use super::{Denoiser, DenoiserInput, blocks::Blocks, predicting_type};
use crate::{
    diffusion::{
        Conditioning, DiffusionError, Interrupt,
        config::ConfigFile,
        layers::Linear,
        lora::{self, LoraFile},
        weights::StoredWeights,
    },
    model::Package,
    ops,
};

/// Height and width of the latents of a picture of 1024 x 1024 pixels.
const SAMPLE_SIZE: usize = 64;

/// Predicts the flow from latents to noise, under a context.
#[derive(Clone, Debug)]
pub struct Flux2Transformer2DModel {
    config: Flux2Config,
    dtype: DType,
    time: [Linear; 2],
    modulation_of_latents: Linear,
    modulation_of_text: Linear,
    modulation_of_both: Linear,
    latents_in: Linear,
    text_in: Linear,
    blocks: Blocks<Flux2Block>,
    norm_out: Linear,
    latents_out: Linear,
    /// Whether it was distilled for few steps without guidance.
    is_distilled: bool,
}

/// The inputs of a prediction.
struct Flux2Input<'a> {
    /// `(batch, channels, height, width)`.
    latents: &'a Tensor,
    timestep: f64,
    /// `(batch, tokens, width)`.
    context: &'a Tensor,
    /// Latents of pictures that the prediction refers to, each `(batch, channels, height, width)`.
    references: &'a [Tensor],
    interrupt: &'a Interrupt,
}

impl Denoiser for Flux2Transformer2DModel {
    fn predict(&self, input: &DenoiserInput<'_>) -> Result<Tensor, DiffusionError> {
        let DenoiserInput { latents, timestep, conditioning, interrupt, .. } = *input;
        let Conditioning { tokens: context, references, .. } = conditioning;
        let input = Flux2Input { latents, timestep, context, references, interrupt };
        self.run(&input, &mut |_, _| {})
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

    fn sees_references(&self) -> bool {
        true
    }

    fn is_distilled(&self) -> bool {
        self.is_distilled
    }

    fn with_loras(
        &self,
        loras: &[LoraFile],
        device: &Device,
    ) -> Result<Option<Box<dyn Denoiser>>, DiffusionError> {
        let mut changed = self.clone();
        for layer in changed.layers() {
            layer.set_loras(loras, lora::of_flux2, device)?;
        }
        Ok(Some(Box::new(changed)))
    }
}

impl Flux2Transformer2DModel {
    /// Loads the transformer from the folder `component` of a model, usually `transformer`. `is_distilled` is that of
    /// [`Denoiser::is_distilled`].
    ///
    /// # Errors
    /// If a file is missing or damaged, or if the configuration has an option that this network does not support. The error
    /// names the field.
    pub fn load(
        package: &dyn Package,
        component: &str,
        is_distilled: bool,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        Self::load_in(package, component, is_distilled, DType::F32, device)
    }

    /// As [`Self::load`], for a network that [computes](Denoiser::dtype) in another type, usually bf16.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_in(
        package: &dyn Package,
        component: &str,
        is_distilled: bool,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, DiffusionError> {
        let file = ConfigFile::read(package, component)?;
        let config = Flux2Config::read(&file)?;
        let weights = StoredWeights::in_type(package, component, dtype, device)?;
        let width = config.width();
        let linear = |input: usize, output: usize, name: &str| {
            Linear::load_stored(input, output, &weights.pp(name))
        };
        let times = config.timestep_guidance_channels;
        let time = "time_guidance_embed.timestep_embedder";
        let modulation = |sets: usize, name: &str| linear(width, 3 * sets * width, name);
        Ok(Self {
            time: [
                linear(times, width, &format!("{time}.linear_1"))?,
                linear(width, width, &format!("{time}.linear_2"))?,
            ],
            modulation_of_latents: modulation(2, "double_stream_modulation_img.linear")?,
            modulation_of_text: modulation(2, "double_stream_modulation_txt.linear")?,
            modulation_of_both: modulation(1, "single_stream_modulation.linear")?,
            latents_in: linear(config.in_channels, width, "x_embedder")?,
            text_in: linear(config.joint_attention_dim, width, "context_embedder")?,
            blocks: blocks(&config, &weights)?,
            norm_out: linear(width, 2 * width, "norm_out.linear")?,
            latents_out: linear(width, config.in_channels, "proj_out")?,
            config,
            dtype,
            is_distilled,
        })
    }

    /// All dense layers.
    fn layers(&mut self) -> Vec<&mut Linear> {
        let [first, second] = &mut self.time;
        let mut layers = vec![
            first,
            second,
            &mut self.modulation_of_latents,
            &mut self.modulation_of_text,
            &mut self.modulation_of_both,
            &mut self.latents_in,
            &mut self.text_in,
            &mut self.norm_out,
            &mut self.latents_out,
        ];
        layers.extend(self.blocks.iter_mut().flat_map(Flux2Block::layers));
        layers
    }

    /// The channels of a token of the context.
    pub fn context_width(&self) -> usize {
        self.config.joint_attention_dim
    }

    /// Predicts for `latents`, `(batch, in_channels, height, width)`, at `timestep` (which may be fractional), under a
    /// `context`, `(batch, tokens, width)`. Returns the shape of the latents. Each of `references` is latents of a picture
    /// that the prediction refers to, of any size: `(batch, in_channels, height, width)`. Calls `observe` with the output of
    /// each block, `(batch, tokens, width)` with the tokens of the context first, and the block's name in diffusers, such as
    /// `transformer_blocks.0`.
    ///
    /// # Errors
    /// [`DiffusionError::Cancelled`] at most one block after a call to [`Interrupt::cancel`]. Otherwise if the shapes do not
    /// match.
    pub fn forward_observed(
        &self,
        latents: &Tensor,
        timestep: f64,
        context: &Tensor,
        references: &[Tensor],
        interrupt: &Interrupt,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let input = Flux2Input { latents, timestep, context, references, interrupt };
        self.run(&input, observe)
    }

    fn run(
        &self,
        input: &Flux2Input<'_>,
        observe: &mut dyn FnMut(&str, &Tensor),
    ) -> Result<Tensor, DiffusionError> {
        let Flux2Input { latents, timestep, context, references, interrupt } = *input;
        let (_, channels, height, width) = latents.dims4()?;
        let mut positions = Positions::default();
        positions.text(context.dim(1)?);
        positions.picture(0, height, width);
        let mut tokens = vec![packed(latents)?];
        for (index, reference) in references.iter().enumerate() {
            let (_, _, height, width) = reference.dims4()?;
            positions.reference(index, height, width);
            tokens.push(packed(reference)?);
        }
        let tokens = Tensor::cat(&tokens, 1)?;
        let needs_gradient = tokens.track_op() || context.track_op();
        let dtype = predicting_type(self.dtype, needs_gradient);
        let tokens = self.latents_in.forward(&tokens.to_dtype(dtype)?)?;
        let text = self.text_in.forward(&context.to_dtype(dtype)?)?;
        let start = Tensor::cat(&[&text, &tokens], 1)?;
        let time = self.embedded_time(timestep, latents.device(), &start)?;
        let pass = Pass {
            text: text.dim(1)?,
            latents: Modulation::all(&self.modulation_of_latents.forward(&time)?, 2)?,
            context: Modulation::all(&self.modulation_of_text.forward(&time)?, 2)?,
            both: Modulation::all(&self.modulation_of_both.forward(&time)?, 1)?,
            angles: positions.angles(
                &self.config.axes_dims_rope,
                self.config.rope_theta,
                &start,
            )?,
        };
        let hidden = self.blocks.run(&start, pass, interrupt, observe)?;
        interrupt.check()?;
        let hidden = hidden.narrow(1, text.dim(1)?, height * width)?;
        let modulation = self.norm_out.forward(&time)?.chunk(2, 1)?;
        let hidden = normed(&hidden, &(&modulation[0] + 1.0)?, &modulation[1], self.config.eps)?;
        let output = self.latents_out.forward(&hidden)?.transpose(1, 2)?.contiguous()?;
        Ok(output.reshape(((), channels, height, width))?.to_dtype(latents.dtype())?)
    }

    /// The embedding of a timestep after its activation, `(1, width)`.
    fn embedded_time(
        &self,
        timestep: f64,
        device: &Device,
        like: &Tensor,
    ) -> candle_core::Result<Tensor> {
        // The pipeline divides by 1000, and the network multiplies, in f32. The rounding errors are part of the result.
        let timestep = f64::from(timestep as f32 / 1000.0 * 1000.0);
        let width = self.config.timestep_guidance_channels;
        let time =
            ops::time_embedding(timestep, width, true, 0.0, device)?.to_dtype(like.dtype())?;
        let [first, second] = &self.time;
        ops::silu(&second.forward(&ops::silu(&first.forward(&time)?)?)?)
    }
}

/// The tokens of latents, `(batch, height * width, channels)`.
fn packed(latents: &Tensor) -> candle_core::Result<Tensor> {
    latents.flatten_from(2)?.transpose(1, 2)?.contiguous()
}

/// Loads a block.
type LoadBlock = fn(BlockConfig, &StoredWeights) -> candle_core::Result<Flux2Block>;

/// All blocks.
fn blocks(
    config: &Flux2Config,
    weights: &StoredWeights,
) -> candle_core::Result<Blocks<Flux2Block>> {
    let block = BlockConfig {
        width: config.width(),
        inner: config.inner(),
        heads: config.num_attention_heads,
        eps: config.eps,
    };
    let load = |group: &str, count: usize, load: LoadBlock| {
        Blocks::load(group, count, weights, |weights| load(block, weights))
    };
    let double = load("transformer_blocks", config.num_layers, Flux2Block::double)?;
    let single = load("single_transformer_blocks", config.num_single_layers, Flux2Block::single)?;
    Ok(double.then(single))
}
