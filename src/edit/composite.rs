//! Blending a sampled crop into its picture.

use image::{Rgb, Rgb32FImage, RgbaImage};

use super::{AlphaPlane, Crop, infill};
use crate::mask::Mask;

/// Blends `sampled`, the decoded crop with RGB values in -1..=1, into `picture`.
///
/// Pixels that sampling left `untouched` (by their position in the crop) should decode to their
/// original values. The difference is the decoder's error. It is extrapolated into the sampled
/// pixels and subtracted there, which removes the seam.
///
/// Where `blend_mask` is 0, the result equals `picture` exactly. Elsewhere its alpha is that of `alpha`, the alpha of the
/// crop after the edit, or 1 if there is none.
#[must_use]
pub fn composite(
    picture: &RgbaImage,
    crop: &Crop,
    blend_mask: &Mask,
    sampled: &Rgb32FImage,
    untouched: impl Fn(u32, u32) -> bool,
    alpha: Option<&AlphaPlane>,
) -> RgbaImage {
    let (area, mut picture) = (crop.area(), picture.clone());
    let errors = Rgb32FImage::from_fn(area.width, area.height, |x, y| {
        let (before, after) = (crop.pixels().get_pixel(x, y).0, sampled.get_pixel(x, y).0);
        Rgb(std::array::from_fn(|channel| before[channel] - after[channel]))
    });
    let errors = infill(&errors, untouched);
    let (width, height) = crop.size_inside_picture();
    for y in 0..height {
        for x in 0..width {
            let (column, row) = (area.x + x, area.y + y);
            let opacity = f32::from(blend_mask.at(column, row)) / 255.0;
            if opacity == 0.0 {
                continue;
            }
            let (colour, error) = (sampled.get_pixel(x, y).0, errors.get_pixel(x, y).0);
            let pixel = &mut picture.get_pixel_mut(column, row).0;
            let after = alpha.map_or(1.0, |alpha| alpha.get_pixel(x, y).0[0]);
            let opacity = share_of_new(f32::from(pixel[3]) / 255.0, after, opacity);
            for (channel, value) in pixel.iter_mut().take(3).enumerate() {
                let new = ((colour[channel] + error[channel]).clamp(-1.0, 1.0) + 1.0) * 127.5;
                *value =
                    (f32::from(*value) * (1.0 - opacity) + new * opacity).round_ties_even() as u8;
            }
            pixel[3] = (after * 255.0).round_ties_even() as u8;
        }
    }
    picture
}

/// The share of the new colour in a pixel whose alpha changes from `before` to `after`, as in compositing with
/// premultiplied alpha (Porter and Duff 1984). 0 if nothing of the pixel is visible afterwards.
fn share_of_new(before: f32, after: f32, opacity: f32) -> f32 {
    if before == 1.0 && after == 1.0 {
        return opacity;
    }
    let old = before * (1.0 - opacity);
    let new = (after - old).max(0.0);
    if old + new > 0.0 { new / (old + new) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;
    use crate::mask::Area;

    #[test]
    fn a_constant_decoder_error_is_removed_and_pixels_outside_the_mask_are_unchanged() {
        let picture = RgbaImage::from_fn(16, 8, |x, y| Rgba([x as u8 * 7, y as u8 * 9, 50, 255]));
        let crop = Crop::new(&picture, Area { x: 4, y: 0, width: 12, height: 8 });
        let mask = Mask::rectangle(16, 8, Area { x: 8, y: 2, width: 3, height: 4 });
        // Sampling returns the crop itself, 0.25 too bright everywhere.
        let mut sampled = crop.pixels().clone();
        sampled.iter_mut().for_each(|value| *value += 0.25);
        let result =
            composite(&picture, &crop, &mask, &sampled, |x, _| !(3..=8).contains(&x), None);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let found = result.get_pixel(x, y);
            if mask.at(x, y) == 0 {
                assert_eq!(found, pixel, "{x} {y}");
            } else {
                let off = pixel.0.iter().zip(found.0).map(|(a, b)| a.abs_diff(b)).max();
                assert!(off <= Some(1), "{x} {y}: {pixel:?} became {found:?}");
            }
        }
    }
}
