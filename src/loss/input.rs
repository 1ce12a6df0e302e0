//! What a loss sees.

use std::cell::OnceCell;

use candle_core::{Result, Tensor};

/// The picture that a loss measures: the current prediction of the finished latents.
pub struct LossInput<'a> {
    latents: &'a Tensor,
    decode: &'a dyn Fn() -> Result<Tensor>,
    colours: &'a OnceCell<Tensor>,
    latent_mask: &'a Tensor,
    colour_mask: &'a Tensor,
}

impl<'a> LossInput<'a> {
    /// `decode` computes [`Self::colours`] when they are first needed; `colours` keeps them. Gradients are taken with
    /// respect to both tensors.
    pub(crate) fn new(
        latents: &'a Tensor,
        decode: &'a dyn Fn() -> Result<Tensor>,
        colours: &'a OnceCell<Tensor>,
        [latent_mask, colour_mask]: [&'a Tensor; 2],
    ) -> Self {
        Self { latents, decode, colours, latent_mask, colour_mask }
    }

    /// The latents, (1, channels, height, width), in the scale of the denoiser.
    #[must_use]
    pub fn latents(&self) -> &Tensor {
        self.latents
    }

    /// The picture at a quarter of its width and height, (1, 3, height, width) in sRGB, in about 0..=1.
    ///
    /// # Errors
    /// If candle fails.
    pub fn colours(&self) -> Result<&Tensor> {
        if let Some(colours) = self.colours.get() {
            return Ok(colours);
        }
        let colours = (self.decode)()?;
        Ok(self.colours.get_or_init(|| colours))
    }

    /// The share of each latent that belongs to the part, (1, 1, height, width) in 0..=1.
    #[must_use]
    pub fn latent_mask(&self) -> &Tensor {
        self.latent_mask
    }

    /// The same for each pixel of [`Self::colours`].
    #[must_use]
    pub fn colour_mask(&self) -> &Tensor {
        self.colour_mask
    }
}

/// The mean of `values`, (1, channels, height, width), over the pixels of a mask, (1, 1, height, width).
pub(super) fn mean(values: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let channels = values.dim(1)? as f64;
    let total = values.broadcast_mul(mask)?.sum_all()?;
    // An empty mask has no mean. Its gradient must still be finite.
    total / (mask.sum_all()? * channels)?.affine(1.0, 1e-6)?
}

/// The absolute value with a gradient that is continuous at 0.
pub(super) fn smooth_abs(x: &Tensor) -> Result<Tensor> {
    x.sqr()?.affine(1.0, 1e-6)?.sqrt()
}
