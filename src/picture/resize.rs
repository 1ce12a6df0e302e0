//! Resizing of pictures with an alpha channel.

use std::borrow::Cow;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{RgbaImage, imageops};

/// The picture, scaled down so that neither side is longer than `longest` pixels. A smaller picture keeps its size.
pub(crate) fn scaled_down(picture: &RgbaImage, longest: u32) -> Cow<'_, RgbaImage> {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= longest {
        return Cow::Borrowed(picture);
    }
    let side = |side: u32| {
        let scaled = u64::from(side) * u64::from(longest) / u64::from(longer);
        (scaled as u32).max(1)
    };
    Cow::Owned(resized(picture, side(width), side(height)))
}

/// The longest of the two sides of [`reference_image`], in shorter ones. More than of any picture. Also the most pixels for
/// which a filter computes one.
const MAX_RATIO: u32 = 128;

/// An image that a picture follows: neither side is longer than `longest` pixels. Of an extremely long image, only the
/// centre is left: a filter for it would need much more memory than its pixels.
pub fn reference_image(image: &RgbaImage, longest: u32) -> Cow<'_, RgbaImage> {
    match without_ends(image) {
        Cow::Borrowed(image) => scaled_down(image, longest),
        Cow::Owned(centre) => Cow::Owned(scaled_down(&centre, longest).into_owned()),
    }
}

/// The centre of an extremely long image, and any other image as it is.
pub(super) fn without_ends(image: &RgbaImage) -> Cow<'_, RgbaImage> {
    centre(image, MAX_RATIO)
}

/// The centre of an image whose longer side is more than `ratio` times as long as the shorter one, cut to that ratio.
pub(crate) fn centre(image: &RgbaImage, ratio: u32) -> Cow<'_, RgbaImage> {
    let (width, height) = image.dimensions();
    let longest = width.min(height).saturating_mul(ratio);
    let [columns, rows] = [width, height].map(|side| side.min(longest));
    crop(image, columns, rows)
}

/// The largest area in the centre of an image with the aspect ratio of a picture of this width and height.
#[cfg(feature = "panel")]
pub(crate) fn centre_in_shape(
    image: &RgbaImage,
    (width, height): (u32, u32),
) -> Cow<'_, RgbaImage> {
    let (columns, rows) = image.dimensions();
    let scaled = |side: u32, by: u32, per: u32| {
        let scaled = f64::from(side) * f64::from(by) / f64::from(per.max(1));
        (scaled.round() as u32).max(1)
    };
    crop(image, columns.min(scaled(rows, width, height)), rows.min(scaled(columns, height, width)))
}

/// The centre of an image, cut to this width and height, which are at most its own.
fn crop(image: &RgbaImage, columns: u32, rows: u32) -> Cow<'_, RgbaImage> {
    let (width, height) = image.dimensions();
    if (columns, rows) == (width, height) {
        return Cow::Borrowed(image);
    }
    let (left, top) = ((width - columns) / 2, (height - rows) / 2);
    Cow::Owned(imageops::crop_imm(image, left, top, columns, rows).to_image())
}

/// The picture in another size, with a triangle filter. Colours are weighted by alpha, so that the colours of fully
/// transparent pixels do not matter.
pub(crate) fn resized(picture: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    filtered(picture, width, height, FilterType::Bilinear)
}

/// As [`resized`], with the bicubic filter of Pillow.
pub(crate) fn resized_bicubic(picture: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    filtered(picture, width, height, FilterType::CatmullRom)
}

fn filtered(picture: &RgbaImage, width: u32, height: u32, filter: FilterType) -> RgbaImage {
    let kind = PixelType::U8x4;
    let mut target = Image::new(width, height, kind);
    if picture.width() > 0 && picture.height() > 0 {
        let source = ImageRef::new(picture.width(), picture.height(), picture, kind)
            .expect("4 bytes for each pixel");
        // A filter for a side that becomes much shorter needs more memory than the picture.
        let [across, down] = [(picture.width(), width), (picture.height(), height)]
            .map(|(from, to)| from / to.max(1));
        let method = match across.max(down) > MAX_RATIO {
            true => ResizeAlg::SuperSampling(filter, MAX_RATIO as u8),
            false => ResizeAlg::Convolution(filter),
        };
        let options = ResizeOptions::new().resize_alg(method);
        Resizer::new().resize(&source, &mut target, &options).expect("two pictures in RGBA");
    }
    RgbaImage::from_raw(width, height, target.into_vec()).expect("4 bytes for each pixel")
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    #[test]
    fn a_side_of_many_pixels_is_sampled_before_it_is_filtered() {
        let halves = RgbaImage::from_fn(1, 400_000, |_, y| Rgba([u8::from(y >= 200_000) * 200; 4]));
        let found = resized(&halves, 2, 4);
        let column: Vec<u8> = (0..4).map(|y| found.get_pixel(1, y).0[3]).collect();
        assert_eq!(column, [0, 25, 175, 200]);
    }

    #[test]
    fn only_the_centre_of_an_extremely_long_image_is_left() {
        let long = RgbaImage::from_fn(1_000_000, 1, |x, _| Rgba([u8::from(x == 500_000); 4]));
        let found = reference_image(&long, 2048);
        assert_eq!((found.dimensions(), found.get_pixel(64, 0).0), ((128, 1), [1; 4]));
        let tall = RgbaImage::new(2, 9);
        assert_eq!(centre(&tall, 4).dimensions(), (2, 8));
        assert_eq!(reference_image(&tall, 3).dimensions(), (1, 3));
        assert!(matches!(reference_image(&tall, 9), Cow::Borrowed(_)));
    }

    #[cfg(feature = "panel")]
    #[test]
    fn the_centre_in_the_shape_of_a_picture_is_as_large_as_possible() {
        let image = RgbaImage::from_fn(8, 4, |x, y| Rgba([x as u8, y as u8, 0, 255]));
        let cut = |size| centre_in_shape(&image, size);
        let square = cut((64, 64));
        assert_eq!((square.dimensions(), square.get_pixel(0, 0).0), ((4, 4), [2, 0, 0, 255]));
        let wide = cut((400, 100));
        assert_eq!((wide.dimensions(), wide.get_pixel(0, 0).0), ((8, 2), [0, 1, 0, 255]));
        assert!(matches!(cut((320, 160)), Cow::Borrowed(_)));
    }

    #[test]
    fn colours_of_transparent_pixels_have_no_weight() {
        // A dark figure beside transparent white.
        let picture = RgbaImage::from_fn(64, 32, |x, _| {
            if x < 30 { Rgba([20, 10, 0, 255]) } else { Rgba([255, 255, 255, 0]) }
        });
        for (width, height) in [(16, 8), (128, 64)] {
            let resized = resized(&picture, width, height);
            assert!(resized.pixels().any(|pixel| (1..255).contains(&pixel.0[3])), "an edge");
            for pixel in resized.pixels().filter(|pixel| pixel.0[3] > 0) {
                // One level of rounding for each of the two multiplications, scaled up by the alpha.
                let tolerance = 1 + 255 / u32::from(pixel.0[3]);
                for (value, expected) in pixel.0.into_iter().zip([20_u8, 10, 0]) {
                    assert!(u32::from(value.abs_diff(expected)) <= tolerance, "{pixel:?}");
                }
            }
        }
    }

    #[test]
    fn the_longer_side_decides_the_scale() {
        let size = |width, height| scaled_down(&RgbaImage::new(width, height), 256).dimensions();
        assert_eq!(size(1024, 512), (256, 128));
        assert_eq!(size(100, 300), (85, 256));
        assert_eq!(size(2, 5000), (1, 256));
        assert_eq!(size(256, 3), (256, 3));
    }
}
