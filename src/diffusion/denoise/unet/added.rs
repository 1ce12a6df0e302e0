//! The conditions of Stable Diffusion XL beside the tokens of the prompt (Podell et al. 2023, arXiv:2307.01952): the pooled
//! prompt, and the sizes of the picture.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::config::UNet2DConditionConfig;
use crate::{
    diffusion::{
        Conditioning, DiffusionError,
        config::ConfigFile,
        layers::{LayerMut, Linear},
    },
    ops::{self, Activation},
};

/// Pixels along each side of a latent. All autoencoders of Stable Diffusion XL have 8.
pub(in crate::diffusion) const PIXELS_PER_LATENT: usize = 8;

/// Height and width of the original picture, the corner of the crop, and height and width of the crop.
const SIZES: usize = 6;

/// Embeds the conditions, as `text_time` in diffusers' `UNet2DConditionModel`.
#[derive(Clone, Debug)]
pub(super) struct AddedEmbedding {
    /// The channels of each embedded size.
    size_width: usize,
    /// The channels of the pooled prompt.
    pooled_width: usize,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    activation: Activation,
    linear: [Linear; 2],
}

impl AddedEmbedding {
    /// Loads the embedding, if the network has one. `width` is that of the embedded timestep.
    pub(super) fn load(
        config: &UNet2DConditionConfig,
        activation: Activation,
        width: usize,
        file: &ConfigFile,
        weights: &VarBuilder,
    ) -> Result<Option<Self>, DiffusionError> {
        match config.addition_embed_type.as_deref() {
            None => return Ok(None),
            Some("text_time") => {}
            Some(_) => return Err(file.unsupported("addition_embed_type", "\"text_time\" or null")),
        }
        let size_width = config.addition_time_embed_dim.filter(|width| (1..=4096).contains(width));
        let size_width = size_width.ok_or_else(|| {
            file.unsupported("addition_time_embed_dim", "a number from 1 to 4096")
        })?;
        let field = "projection_class_embeddings_input_dim";
        let input = config.projection_class_embeddings_input_dim.unwrap_or_default();
        let pooled_width = input.checked_sub(SIZES * size_width).filter(|width| *width > 0);
        let supported = format!("more than {SIZES} x addition_time_embed_dim");
        let pooled_width = pooled_width.ok_or_else(|| file.unsupported(field, &supported))?;
        let weights = weights.pp("add_embedding");
        Ok(Some(Self {
            size_width,
            pooled_width,
            flip_sin_to_cos: config.flip_sin_to_cos,
            freq_shift: config.freq_shift,
            activation,
            linear: [
                Linear::load(input, width, &weights.pp("linear_1"))?,
                Linear::load(width, width, &weights.pp("linear_2"))?,
            ],
        }))
    }

    /// All dense layers.
    pub(super) fn layers(&mut self) -> [LayerMut<'_>; 2] {
        self.linear.each_mut().map(LayerMut::Linear)
    }

    /// The channels of the pooled prompt.
    pub(super) fn pooled_width(&self) -> usize {
        self.pooled_width
    }

    /// The embedding, `(batch, width)`, for latents of this height and width. As by default in diffusers, the picture has
    /// their size and is not cropped. It has the type of `like`.
    pub(super) fn forward(
        &self,
        conditioning: &Conditioning,
        (height, width): (usize, usize),
        like: &Tensor,
    ) -> Result<Tensor, DiffusionError> {
        let pooled = conditioning.pooled.as_ref().filter(
            |pooled| matches!(pooled.dims(), [_, channels] if *channels == self.pooled_width),
        );
        let pooled = pooled.ok_or_else(|| {
            let found = conditioning.pooled.as_ref().map(|pooled| pooled.dims().to_vec());
            candle_core::Error::msg(format!(
                "the denoiser needs a pooled prompt of {} channels, not of the shape {found:?}",
                self.pooled_width
            ))
        })?;
        let [height, width] = [height, width].map(|side| (side * PIXELS_PER_LATENT) as f64);
        let sizes = [height, width, 0.0, 0.0, height, width].map(|size| {
            ops::time_embedding(
                size,
                self.size_width,
                self.flip_sin_to_cos,
                self.freq_shift,
                like.device(),
            )
        });
        let sizes = sizes.into_iter().collect::<candle_core::Result<Vec<_>>>()?;
        let pooled = &pooled.to_dtype(like.dtype())?;
        let sizes = Tensor::cat(&sizes, 1)?.to_dtype(pooled.dtype())?;
        let sizes = sizes.broadcast_as((pooled.dim(0)?, sizes.dim(1)?))?;
        let [first, second] = &self.linear;
        let hidden = first.forward(&Tensor::cat(&[pooled, &sizes], 1)?)?;
        Ok(second.forward(&self.activation.forward(&hidden)?)?)
    }
}
