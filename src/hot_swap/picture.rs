//! Pictures as Bevy images.

use bevy::{asset::RenderAssetUsages, image::ImageSampler, prelude::Image};
use image::{Rgba, RgbaImage};

use crate::recipe::Size;

/// The size of a placeholder for a picture of unknown size.
pub(super) const PLACEHOLDER_SIZE: Size = Size::new(64, 64);

/// The colours of the upper and the lower edge of a placeholder.
const CANVAS: [[u8; 3]; 2] = [[0xd8, 0xd1, 0xc4], [0xc3, 0xba, 0xab]];

/// A picture as an sRGB image with linear sampling.
///
/// All pictures have the same format, usages and mip levels, so that Bevy writes a new picture of the same
/// size into the existing texture.
pub(super) fn image(picture: RgbaImage, usages: RenderAssetUsages) -> Image {
    let srgb = true;
    let mut image = Image::from_dynamic(picture.into(), srgb, usages);
    image.sampler = ImageSampler::linear();
    image
}

/// The image that is shown until there is a picture: a vertical gradient.
pub(super) fn placeholder(size: Size, usages: RenderAssetUsages) -> Image {
    let [top, bottom] = CANVAS;
    let rows = size.height.max(2) - 1;
    let picture = RgbaImage::from_fn(size.width.max(1), size.height.max(1), |_, y| {
        let mix = |from: u8, to: u8| {
            let (from, to) = (u32::from(from), u32::from(to));
            // The value is between two bytes, so that the cast is exact.
            ((from * (rows - y) + to * y) / rows) as u8
        };
        Rgba([mix(top[0], bottom[0]), mix(top[1], bottom[1]), mix(top[2], bottom[2]), 255])
    });
    image(picture, usages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_has_the_size_of_the_picture_and_a_gradient() {
        let image = placeholder(Size::new(6, 4), RenderAssetUsages::default());
        assert_eq!((image.width(), image.height()), (6, 4));
        let data = image.data.expect("pixels");
        assert_eq!(data[..4], [0xd8, 0xd1, 0xc4, 255]);
        assert_eq!(data[data.len() - 4..], [0xc3, 0xba, 0xab, 255]);
    }

    #[test]
    fn a_placeholder_has_at_least_one_pixel() {
        for size in [Size::new(1, 1), Size::new(0, 0)] {
            let image = placeholder(size, RenderAssetUsages::default());
            assert_eq!(image.data.map(|data| data.len()), Some(4));
        }
    }
}
