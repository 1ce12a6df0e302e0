//! Starting a picture from its scribbles instead of from noise.

use candle_core::{Device, Tensor};
use image::{RgbaImage, imageops};

use super::{DiffusionError, DrawRequest, Interrupt, Model, hooks::Differential, pixels};
use crate::{
    loss::Frame,
    mask::over_grey,
    recipe::{ImageUse, scribbles},
};

/// The denoising strength where a scribble of weight 1 is opaque. Where none is, the picture starts from noise.
const STRENGTH: f32 = 0.8;

/// The scribbles of a picture, over grey.
pub(super) struct ScribbleLatents {
    /// How opaque the scribbles are at each pixel, (1, 1, height, width) in 0..=1.
    pub opacity: Tensor,
    /// The latents.
    pub latents: Tensor,
}

impl Model {
    /// A hook that starts a picture from its scribbles. `None` without any, and if they act through an adapter.
    pub(super) fn start_from_scribbles(
        &self,
        request: &DrawRequest,
        frame: Frame,
        interrupt: &Interrupt,
    ) -> Result<Option<Differential>, DiffusionError> {
        if self.has_adapter(ImageUse::Scribble) {
            return Ok(None);
        }
        let scribble = scribble_of(request, frame);
        if scribble.pixels().all(|pixel| pixel.0[3] == 0) {
            return Ok(None);
        }
        let ScribbleLatents { opacity, latents } = self.encode_scribble(&scribble, interrupt)?;
        let opacity = opacity.avg_pool2d(frame.scale as usize)?;
        let denoise_mask = opacity.affine(f64::from(STRENGTH) - 1.0, 1.0)?;
        let surroundings = self.parts.surroundings;
        Ok(Some(Differential::new(denoise_mask, latents.clone(), latents, surroundings)?))
    }

    /// Encodes the scribble of a picture.
    pub(super) fn encode_scribble(
        &self,
        scribble: &RgbaImage,
        interrupt: &Interrupt,
    ) -> Result<ScribbleLatents, DiffusionError> {
        let (width, height) = scribble.dimensions();
        let opacity: Vec<f32> =
            scribble.pixels().map(|pixel| f32::from(pixel.0[3]) / 255.0).collect();
        let shape = (1, 1, height as usize, width as usize);
        let opacity = Tensor::from_vec(opacity, shape, &Device::Cpu)?;
        let image = pixels::tensor_from_rgba(&over_grey(scribble), &self.parts.device)?;
        Ok(ScribbleLatents { opacity, latents: self.encode(&image, interrupt)? })
    }
}

/// All scribbles of a picture in one, each as opaque as its weight says. Transparent without any.
pub(super) fn scribble_of(request: &DrawRequest, frame: Frame) -> RgbaImage {
    let (width, height) = frame.size;
    let mut scribble = RgbaImage::new(width, height);
    for (image, weight) in scribbles(&request.inspirations, &request.images) {
        let mut image = frame.cut(image);
        for pixel in image.pixels_mut() {
            pixel.0[3] = (f32::from(pixel.0[3]) * weight.min(1.0)).round() as u8;
        }
        imageops::overlay(&mut scribble, &image, 0, 0);
    }
    scribble
}
