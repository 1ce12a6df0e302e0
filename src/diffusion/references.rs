//! Reference images: pictures beside the prompt for denoisers that see them.

use candle_core::Tensor;
use image::{DynamicImage, RgbaImage, imageops::FilterType};

use super::{DiffusionError, DrawError, Interrupt, Model, pixels};
use crate::{
    loss::image_of,
    mask::over_grey,
    recipe::{ImageUse, Images, Inspiration, InspirationKind},
};

/// The most pixels of a reference. Larger images are scaled down, as in diffusers' pipeline of FLUX.2 Klein.
const MAX_PIXELS: f64 = 1024.0 * 1024.0;

impl Model {
    /// Whether the denoiser sees reference images.
    pub(super) fn sees_references(&self) -> bool {
        self.parts.denoiser.sees_references()
    }

    /// Checks that an inspiration has an effect if it is a reference image.
    ///
    /// # Errors
    /// [`DrawError::NoReferences`] if the denoiser does not see it and the model has no adapter for it.
    pub(super) fn check_reference(&self, inspiration: &Inspiration) -> Result<(), DrawError> {
        let is_reference =
            matches!(inspiration.kind, InspirationKind::Image(ImageUse::Reference, _));
        match !is_reference || self.sees_references() || self.has_adapter(ImageUse::Reference) {
            true => Ok(()),
            false => Err(DrawError::NoReferences),
        }
    }

    /// The latents of the reference images among inspirations. None if the denoiser does not see them.
    pub(super) fn references(
        &self,
        inspirations: &[Inspiration],
        images: &Images,
        interrupt: &Interrupt,
    ) -> Result<Vec<Tensor>, DiffusionError> {
        if !self.sees_references() {
            return Ok(Vec::new());
        }
        let of_inspiration = |inspiration: &Inspiration| match &inspiration.kind {
            InspirationKind::Image(usage @ ImageUse::Reference, id) => {
                Some(image_of(usage.name(), id, images))
            }
            _ => None,
        };
        let images = inspirations.iter().filter_map(of_inspiration);
        let latents = images.map(|image| {
            let image = fitted(&over_grey(image?), self.scale() as u32);
            self.encode(&pixels::tensor_from_rgba(&image, &self.parts.device)?, interrupt)
        });
        latents.collect()
    }
}

/// An image whose sides are multiples of `cell`, with at most [`MAX_PIXELS`]. It is scaled to cover that size, and what
/// protrudes is cut off.
fn fitted(image: &RgbaImage, cell: u32) -> RgbaImage {
    let (width, height) = image.dimensions();
    let scale = (MAX_PIXELS / (f64::from(width) * f64::from(height))).sqrt().min(1.0);
    let [columns, rows] = [width, height].map(|side| {
        let side = (f64::from(side) * scale) as u32;
        (side / cell * cell).max(cell)
    });
    if (columns, rows) == (width, height) {
        return image.clone();
    }
    let image = DynamicImage::ImageRgba8(image.clone());
    image.resize_to_fill(columns, rows, FilterType::Lanczos3).into_rgba8()
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    #[test]
    fn a_reference_has_whole_latents_and_at_most_a_megapixel() {
        let size = |width, height| fitted(&RgbaImage::new(width, height), 16).dimensions();
        assert_eq!(size(64, 48), (64, 48));
        assert_eq!(size(70, 47), (64, 32));
        assert_eq!(size(9, 300), (16, 288));
        // 1024 x 1024 pixels at the same aspect ratio, rounded down to latents.
        assert_eq!(size(2048, 2048), (1024, 1024));
        assert_eq!(size(4000, 1000), (2048, 512));
    }

    #[test]
    fn what_protrudes_is_cut_off_on_both_sides() {
        let image = RgbaImage::from_fn(32, 20, |_, y| match y {
            0 | 19 => Rgba([255, 0, 0, 255]),
            _ => Rgba([0, 0, 255, 255]),
        });
        let fitted = fitted(&image, 16);
        assert_eq!(fitted.dimensions(), (32, 16));
        assert!(fitted.pixels().all(|pixel| pixel.0 == [0, 0, 255, 255]));
    }
}
