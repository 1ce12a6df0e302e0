//! What a loss sees.

use std::cell::OnceCell;

use candle_core::{Result, Tensor};

use super::View;

/// The picture that a loss measures: the current prediction of the finished latents.
pub struct LossInput<'a> {
    latents: &'a Tensor,
    colours: &'a Decoded<'a>,
    pixels: &'a Decoded<'a>,
    masks: &'a PartMasks,
}

/// A picture that is decoded when a loss first needs it.
pub(crate) struct Decoded<'a> {
    decode: &'a dyn Fn() -> Result<Tensor>,
    picture: OnceCell<Tensor>,
}

/// The share of each value that belongs to a part, in 0..=1.
#[derive(Clone, Debug)]
pub struct PartMasks {
    /// For each latent, (1, 1, height, width).
    pub latents: Tensor,
    /// For each pixel of [`LossInput::colours`].
    pub colours: Tensor,
    /// For each pixel of [`LossInput::pixels`].
    pub pixels: Tensor,
}

impl<'a> Decoded<'a> {
    /// A picture that `decode` computes.
    pub(crate) fn new(decode: &'a dyn Fn() -> Result<Tensor>) -> Self {
        Self { decode, picture: OnceCell::new() }
    }

    /// The picture, if a loss has read it.
    pub(crate) fn read(&self) -> Option<&Tensor> {
        self.picture.get()
    }

    fn get(&self) -> Result<&Tensor> {
        if let Some(picture) = self.picture.get() {
            return Ok(picture);
        }
        let picture = (self.decode)()?;
        Ok(self.picture.get_or_init(|| picture))
    }
}

impl<'a> LossInput<'a> {
    /// The input of a loss. Gradients are taken with respect to `latents` and to `colours`.
    pub(crate) fn new(
        latents: &'a Tensor,
        colours: &'a Decoded<'a>,
        pixels: &'a Decoded<'a>,
        masks: &'a PartMasks,
    ) -> Self {
        Self { latents, colours, pixels, masks }
    }

    /// The latents, (1, channels, height, width), in the scale of the denoiser.
    #[must_use]
    pub fn latents(&self) -> &Tensor {
        self.latents
    }

    /// The picture at a quarter of its width and height, (1, 3, height, width) in sRGB, in about 0..=1. It costs next to
    /// nothing.
    ///
    /// # Errors
    /// If candle fails.
    pub fn colours(&self) -> Result<&Tensor> {
        self.colours.get()
    }

    /// The picture, (1, 3, height, width) in sRGB, in about 0..=1. An autoencoder decodes it, which takes time.
    ///
    /// # Errors
    /// If candle fails.
    pub fn pixels(&self) -> Result<&Tensor> {
        self.pixels.get()
    }

    /// What an encoder or a loss reads.
    ///
    /// # Errors
    /// If candle fails.
    pub fn seen(&self, view: View) -> Result<&Tensor> {
        match view {
            View::Latents => Ok(self.latents()),
            View::Colours => self.colours(),
            View::Pixels => self.pixels(),
        }
    }

    /// The share of each value that belongs to the part.
    #[must_use]
    pub fn masks(&self) -> &PartMasks {
        self.masks
    }
}

impl PartMasks {
    /// Those of what an encoder or a loss reads.
    #[must_use]
    pub fn of(&self, view: View) -> &Tensor {
        match view {
            View::Latents => &self.latents,
            View::Colours => &self.colours,
            View::Pixels => &self.pixels,
        }
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
