//! The images that losses compare a picture with.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use image::{GrayImage, Luma, RgbaImage};

use super::{LossEncoder, LossSetupError, PartMasks, View};
use crate::{
    control::Interrupt,
    diffusion::{Autoencoder, DiffusionError},
    mask::{Mask, over_grey},
    picture,
    recipe::{BlobId, Images, Size},
};

/// By how much the aspect ratio of an image may differ from that of the picture.
const MAX_ASPECT_ERROR: f32 = 0.03;

/// The sampled area of a picture. It may extend beyond the edges of the picture, where the outermost pixels are
/// repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The size of the picture.
    pub picture: Size,
    /// Left and top of the area, in pixels of the picture.
    pub origin: (i64, i64),
    /// Width and height of the area, in pixels.
    pub size: (u32, u32),
    /// Pixels along each side of a latent.
    pub scale: u32,
}

/// Everything that a loss is set up from.
pub struct LossTargets<'a> {
    /// The images.
    pub images: &'a Images,
    /// The sampled area.
    pub frame: Frame,
    /// The autoencoder of the model.
    pub autoencoder: &'a dyn Autoencoder,
    /// Loads the encoder that the model has, if any.
    pub encoder: &'a dyn Fn() -> Result<Option<Arc<dyn LossEncoder>>, DiffusionError>,
    /// The device of the networks.
    pub device: &'a Device,
    /// The shares of the picture that belong to the part.
    pub masks: &'a PartMasks,
    /// Stops the work.
    pub interrupt: &'a Interrupt,
}

impl Frame {
    /// The pixels along each side of a latent at a quarter of the size.
    #[must_use]
    pub fn colours_per_latent(scale: usize) -> usize {
        (scale / 4).max(1)
    }

    /// Cuts the area out of an image that is resized to the picture.
    pub(crate) fn cut(&self, image: &RgbaImage) -> RgbaImage {
        let Size { width, height } = self.picture;
        let resized = picture::resized(image, width, height);
        RgbaImage::from_fn(self.size.0, self.size.1, |x, y| {
            let (x, y) = self.nearest(x, y);
            *resized.get_pixel(x, y)
        })
    }

    /// Cuts the area out of a mask of the picture.
    pub(crate) fn cut_mask(&self, mask: &Mask) -> GrayImage {
        GrayImage::from_fn(self.size.0, self.size.1, |x, y| {
            let (x, y) = self.nearest(x, y);
            Luma([mask.at(x, y)])
        })
    }

    /// An image in the shape of the picture, cut to the area.
    ///
    /// # Errors
    /// If the image is missing, or has another aspect ratio than the picture. `kind` names the loss or the inspiration.
    pub(crate) fn image(
        &self,
        kind: &str,
        id: &BlobId,
        images: &Images,
    ) -> Result<RgbaImage, LossSetupError> {
        let image = image_of(kind, id, images)?;
        let (size, picture) = (Size::new(image.width(), image.height()), self.picture);
        let ratio = size.aspect_ratio() / picture.aspect_ratio();
        if !((1.0 - MAX_ASPECT_ERROR)..=(1.0 + MAX_ASPECT_ERROR)).contains(&ratio) {
            return Err(LossSetupError::Aspect { kind: kind.to_owned(), image: size, picture });
        }
        Ok(self.cut(image))
    }

    /// The pixel of the picture that is nearest to a pixel of the area.
    fn nearest(&self, x: u32, y: u32) -> (u32, u32) {
        let at = |start: i64, offset: u32, length: u32| {
            (start + i64::from(offset)).clamp(0, i64::from(length) - 1) as u32
        };
        (at(self.origin.0, x, self.picture.width), at(self.origin.1, y, self.picture.height))
    }
}

/// An image of any size. `kind` names the loss or the inspiration.
///
/// # Errors
/// If the image is missing.
pub(crate) fn image_of<'a>(
    kind: &str,
    id: &BlobId,
    images: &'a Images,
) -> Result<&'a RgbaImage, LossSetupError> {
    let missing = || LossSetupError::MissingImage { kind: kind.to_owned(), id: id.clone() };
    Ok(images.get(id).ok_or_else(missing)?)
}

impl LossTargets<'_> {
    /// An image, resized to the picture and cut to the sampled area.
    ///
    /// # Errors
    /// If the image is missing, or has another aspect ratio than the picture. `kind` names the loss.
    pub fn image(&self, kind: &str, id: &BlobId) -> Result<RgbaImage, LossSetupError> {
        self.frame.image(kind, id, self.images)
    }

    /// The encoder.
    ///
    /// # Errors
    /// If the model has none, or if it cannot be loaded.
    pub fn encoder(&self, kind: &str) -> Result<Arc<dyn LossEncoder>, LossSetupError> {
        let missing = || LossSetupError::NoEncoder { kind: kind.to_owned() };
        (self.encoder)()?.ok_or_else(missing)
    }

    /// What an encoder or a loss reads of an image, cut to the sampled area. Transparent pixels are grey.
    ///
    /// # Errors
    /// As [`Self::image`], or if the autoencoder fails.
    pub fn seen(&self, view: View, kind: &str, id: &BlobId) -> Result<Tensor, LossSetupError> {
        self.view(view, &self.image(kind, id)?)
    }

    /// What an encoder or a loss reads of a whole image of any aspect ratio, about as large as the sampled area. Of an image
    /// that is more than 8 times as long as wide, only the centre.
    ///
    /// # Errors
    /// If the image is missing, or the autoencoder fails.
    pub fn seen_whole(
        &self,
        view: View,
        kind: &str,
        id: &BlobId,
    ) -> Result<Tensor, LossSetupError> {
        let image = picture::centre(image_of(kind, id, self.images)?, 8);
        let (width, height) = self.frame.size;
        let area = |width: u32, height: u32| f64::from(width) * f64::from(height);
        let scale = (area(width, height) / area(image.width(), image.height())).sqrt();
        let side = |side: u32| {
            let latents = f64::from(side) * scale / f64::from(self.frame.scale);
            (latents.round() as u32).max(6) * self.frame.scale
        };
        let image = picture::resized(&image, side(image.width()), side(image.height()));
        self.view(view, &image)
    }

    fn view(&self, view: View, image: &RgbaImage) -> Result<Tensor, LossSetupError> {
        let tensor = crate::diffusion::tensor_from_rgba(&over_grey(image), self.device)?;
        Ok(match view {
            View::Latents => {
                self.autoencoder.encode(&tensor, self.interrupt)?.to_dtype(DType::F32)?
            }
            View::Colours => self.quarter(&tensor.affine(0.5, 0.5)?)?,
            View::Pixels => tensor.affine(0.5, 0.5)?,
        })
    }

    /// Pixels at a quarter of the size.
    fn quarter(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        let scale = self.frame.scale as usize;
        pixels.avg_pool2d(scale / Frame::colours_per_latent(scale))
    }

    /// One number for each pixel at a quarter of the size, (1, 1, height, width): the mean of `value` over the pixels
    /// of an image.
    ///
    /// # Errors
    /// As [`Self::image`].
    pub fn averages(
        &self,
        kind: &str,
        id: &BlobId,
        value: impl Fn([u8; 4]) -> f32,
    ) -> Result<Tensor, LossSetupError> {
        let image = self.image(kind, id)?;
        let values: Vec<f32> = image.pixels().map(|pixel| value(pixel.0)).collect();
        let (width, height) = (image.width() as usize, image.height() as usize);
        let values = Tensor::from_vec(values, (1, 1, height, width), self.device)?;
        Ok(self.quarter(&values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::LatentSpec;

    /// The latents of a picture are its pixels, one of 8 by 8.
    struct Pixels;

    impl Autoencoder for Pixels {
        fn encode(&self, image: &Tensor, _: &Interrupt) -> Result<Tensor, DiffusionError> {
            Ok(image.avg_pool2d(8)?)
        }

        fn decode(&self, latents: &Tensor, _: &Interrupt) -> Result<Tensor, DiffusionError> {
            Ok(latents.upsample_nearest2d(8 * latents.dim(2)?, 8 * latents.dim(3)?)?)
        }

        fn spec(&self) -> LatentSpec {
            LatentSpec { channels: 3, scale: 8 }
        }
    }

    /// The height and width of the latents of a style image, for a crop of a picture of 1024 by 1024 pixels.
    fn latents_of(image: RgbaImage, crop: (u32, u32)) -> (usize, usize) {
        let id = BlobId::of_image(&image);
        let images = Images::from([(id.clone(), Arc::new(image))]);
        let mask = || Tensor::ones((1, 1, 1, 1), DType::F32, &Device::Cpu).unwrap();
        let masks = PartMasks { latents: mask(), colours: mask(), pixels: mask() };
        let targets = LossTargets {
            images: &images,
            frame: Frame { picture: Size::new(1024, 1024), origin: (0, 0), size: crop, scale: 8 },
            autoencoder: &Pixels,
            encoder: &|| Ok(None),
            device: &Device::Cpu,
            masks: &masks,
            interrupt: &Interrupt::default(),
        };
        let (_, _, height, width) =
            targets.seen_whole(View::Latents, "StyleImage", &id).unwrap().dims4().unwrap();
        (height, width)
    }

    #[test]
    fn a_style_has_about_as_many_latents_as_the_crop_and_not_the_picture() {
        // 16 * 16 latents of the crop.
        assert_eq!(latents_of(RgbaImage::new(500, 500), (128, 128)), (16, 16));
        // Half as high as wide: 11.3 * 22.6.
        assert_eq!(latents_of(RgbaImage::new(600, 300), (128, 128)), (11, 23));
    }

    #[test]
    fn only_the_centre_of_a_long_style_is_encoded() {
        // 8 times as long as wide: 5.7 * 45.3 latents, and at least 6.
        assert_eq!(latents_of(RgbaImage::new(100_000, 2), (128, 128)), (6, 45));
        assert_eq!(latents_of(RgbaImage::new(2, 100_000), (128, 128)), (45, 6));
    }
}
