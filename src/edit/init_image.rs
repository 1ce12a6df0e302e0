//! The pixels that the parts of an edit start from.

use image::{Rgb32FImage, RgbaImage};

use super::{Crop, EditPlan, infill};
use crate::{
    mask::Mask,
    picture,
    recipe::{EditKind, Images, Inspiration, Part, scribbles},
};

/// The pixels of the crop that denoising starts from: removed parts are filled from their
/// surroundings, emboldened parts get a new contrast, and scribbles are painted on top. `None` if
/// all parts start from the unchanged picture. Without `paint_scribbles`, those of inspirations are left out.
///
/// `parts` must be the same as for `plan`. `inspirations`, with their `images`, are those of all parts together. RGB values
/// lie in -1..=1.
#[must_use]
pub fn init_image(
    crop: &Crop,
    plan: &EditPlan,
    parts: &[Part],
    inspirations: &[Inspiration],
    images: &Images,
    paint_scribbles: bool,
) -> Option<Rgb32FImage> {
    let mut image: Option<Rgb32FImage> = None;
    // From bottom to top, since upper parts cover lower ones.
    for planned in plan.parts.iter().rev() {
        let Part { edit, scribble, images: own_images, .. } = &parts[planned.index];
        let base = image.as_ref().unwrap_or(crop.pixels());
        let mask = &planned.blend_mask;
        let changed = match (edit.kind, scribble) {
            (EditKind::Remove, _) => Some(infill(base, |x, y| crop.opacity(mask, x, y) == 0.0)),
            (EditKind::Embolden, _) => Some(embolden(crop, base, mask, 1.0 + 0.5 * edit.amount())),
            (EditKind::Add | EditKind::Replace, Some(scribble)) => {
                Some(paint(crop, base, mask, &scribble.0, 1.0))
            }
            _ => None,
        };
        image = changed.or(image);
        let all = scribbles(inspirations, images);
        let all = all.chain(scribbles(&edit.inspirations, own_images));
        for (scribble, weight) in all.filter(|_| paint_scribbles) {
            let (width, height) = mask.size();
            let scribble = picture::resized(scribble, width, height);
            let base = image.as_ref().unwrap_or(crop.pixels());
            image = Some(paint(crop, base, mask, &scribble, weight.min(1.0)));
        }
    }
    image
}

/// Scales the contrast of the masked pixels against the mean colour of their surroundings.
fn embolden(crop: &Crop, base: &Rgb32FImage, mask: &Mask, contrast: f32) -> Rgb32FImage {
    let (mut sum, mut count) = ([0.0; 3], 0.0_f32);
    for (x, y, pixel) in base.enumerate_pixels() {
        let weight = 1.0 - crop.opacity(mask, x, y);
        sum.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += weight * value);
        count += weight;
    }
    let mean = sum.map(|sum| sum / count.max(1.0));
    let mut result = base.clone();
    for (x, y, pixel) in result.enumerate_pixels_mut() {
        let contrast = 1.0 + (contrast - 1.0) * crop.opacity(mask, x, y);
        for (value, mean) in pixel.0.iter_mut().zip(mean) {
            *value = (mean + contrast * (*value - mean)).clamp(-1.0, 1.0);
        }
    }
    result
}

/// Paints a scribble over the masked pixels, with this share of its opacity.
fn paint(
    crop: &Crop,
    base: &Rgb32FImage,
    mask: &Mask,
    scribble: &RgbaImage,
    share: f32,
) -> Rgb32FImage {
    let mut result = base.clone();
    for (x, y, pixel) in result.enumerate_pixels_mut() {
        let (column, row) = crop.position_in_picture(x, y);
        let [r, g, b, opacity] = scribble.get_pixel(column, row).0.map(f32::from);
        let opacity = share * opacity / 255.0 * crop.opacity(mask, x, y);
        for (value, colour) in pixel.0.iter_mut().zip([r, g, b]) {
            *value += opacity * (colour / 127.5 - 1.0 - *value);
        }
    }
    result
}
