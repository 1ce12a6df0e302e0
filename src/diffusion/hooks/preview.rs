//! Previews of a picture while it is drawn.

use candle_core::{Device, Tensor};
use image::{RgbImage, RgbaImage, imageops};

use crate::{
    control::{Control, Interrupt, Step},
    diffusion::{
        Autoencoder, DiffusionError, State, StepHook, least_squares::least_squares, noise::noise,
        pixels,
    },
    mask::{Area, over_grey},
};

/// Patches along each side of the latents used for the fit.
const PATCHES: usize = 8;
/// Latents along each side of a patch.
const PATCH: usize = 2;

/// Reports each step to a [`Control`], with a preview of one pixel per latent.
pub struct Preview<'a> {
    /// The colours of the latents.
    pub colours: &'a LatentColours,
    /// Receives the steps.
    pub control: &'a dyn Control,
    /// The picture around the sampled crop; `None` when the whole picture is sampled.
    pub base: Option<PreviewBase>,
}

/// A preview of the picture that a crop belongs to.
#[derive(Clone, Debug)]
pub struct PreviewBase {
    small: RgbImage,
    /// The pixels that may change.
    changed: Area,
    /// Column and row of the crop's first latent.
    origin: (u32, u32),
}

impl PreviewBase {
    /// Shrinks `picture`, over grey where it is transparent, to one pixel per latent of `scale` by `scale` pixels. `crop` is the sampled area of the
    /// picture, and `changed` the area in it that may change, both in pixels.
    #[must_use]
    pub fn new(picture: &RgbaImage, crop: Area, changed: Area, scale: u32) -> Self {
        let ((width, height), picture) = (picture.dimensions(), over_grey(picture));
        let small = imageops::thumbnail(&*picture, width.div_ceil(scale), height.div_ceil(scale));
        let small = image::DynamicImage::ImageRgba8(small).into_rgb8();
        Self { small, changed, origin: (crop.x / scale, crop.y / scale) }
    }

    fn with(&self, crop: &RgbImage) -> RgbImage {
        let (mut preview, (x, y)) = (self.small.clone(), self.origin);
        imageops::replace(&mut preview, crop, x.into(), y.into());
        preview
    }
}

impl StepHook for Preview<'_> {
    fn after(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        let Some(latents) = &state.predicted_original else { return Ok(()) };
        let preview = self.colours.preview(latents)?;
        let preview = match &self.base {
            Some(base) => base.with(&preview),
            None => preview,
        };
        self.control.step(Step {
            done: (state.step - state.first_step) as u32 + 1,
            of: (state.timesteps().len() - state.first_step) as u32,
            preview: Some(preview),
            changed: self.base.as_ref().map(|base| base.changed),
            losses: state.losses.clone(),
        });
        Ok(())
    }
}

/// A linear map from latents to colours.
///
/// It is fitted to an autoencoder when a model is loaded: the decoder decodes patches of noise once,
/// and least squares explains each patch's mean colour by its latents. A preview then costs one
/// small matrix product with any model.
#[derive(Clone, Debug)]
pub struct LatentColours {
    /// (3, channels, 1, 1).
    weights: Tensor,
    /// (1, 3, 1, 1).
    bias: Tensor,
}

impl LatentColours {
    /// Fits the map to an autoencoder.
    ///
    /// # Errors
    /// If decoding fails or is interrupted.
    pub fn fit(
        autoencoder: &dyn Autoencoder,
        device: &Device,
        interrupt: &Interrupt,
    ) -> Result<Self, DiffusionError> {
        let spec = autoencoder.spec();
        let channels = spec.channels;
        let patches = noise(0, channels, PATCHES, PATCHES);
        let patches = Tensor::from_vec(patches, (1, channels, PATCHES, PATCHES), device)?;
        let side = PATCHES * PATCH;
        let image = autoencoder.decode(&patches.upsample_nearest2d(side, side)?, interrupt)?;
        let colours = image.avg_pool2d(PATCH * spec.scale)?;
        let rows = |x: &Tensor| x.squeeze(0)?.flatten_from(1)?.t()?.contiguous();
        let maps = least_squares(&rows(&patches)?, &rows(&colours)?)?;
        let part = |start, count| maps.narrow(0, start, count)?.t()?.contiguous();
        Ok(Self {
            weights: part(0, channels)?.reshape((3, channels, 1, 1))?,
            bias: part(channels, 1)?.reshape((1, 3, 1, 1))?,
        })
    }

    /// The colours of latents, (1, channels, height, width), one pixel per latent.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub fn preview(&self, latents: &Tensor) -> candle_core::Result<RgbImage> {
        let colours = latents.conv2d(&self.weights, 0, 1, 1, 1)?.broadcast_add(&self.bias)?;
        pixels::rgb(&colours)
    }
}
