//! The alpha channel of an edited picture.

use image::{ImageBuffer, Luma, Rgb, Rgb32FImage, RgbaImage};

use super::{Crop, EditPlan, infill};
use crate::recipe::{EditKind, Part};

/// Alpha in 0..=1 for each pixel of a crop.
pub type AlphaPlane = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The alpha of the crop after the edit. `None` if the crop is opaque before and after.
///
/// Added and replaced parts become visible in proportion to their blend mask. Refined and emboldened parts keep their
/// alpha. A removed part gets the alpha of its surroundings.
///
/// `parts` must be the same as for `plan`.
#[must_use]
pub fn alpha_after(
    picture: &RgbaImage,
    crop: &Crop,
    plan: &EditPlan,
    parts: &[Part],
) -> Option<AlphaPlane> {
    let area = crop.area();
    let mut plane = AlphaPlane::from_fn(area.width, area.height, |x, y| {
        let (column, row) = crop.position_in_picture(x, y);
        Luma([f32::from(picture.get_pixel(column, row).0[3]) / 255.0])
    });
    if plane.iter().all(|&alpha| alpha == 1.0) {
        return None;
    }
    // From bottom to top, as the pixels are edited.
    for planned in plan.parts.iter().rev() {
        let mask = &planned.blend_mask;
        let target = match parts[planned.index].edit.kind {
            EditKind::Add | EditKind::Replace => {
                AlphaPlane::from_pixel(area.width, area.height, Luma([1.0]))
            }
            EditKind::Remove => surrounding(&plane, |x, y| crop.opacity(mask, x, y) == 0.0),
            EditKind::Keep | EditKind::Refine | EditKind::Embolden => continue,
        };
        for (x, y, alpha) in plane.enumerate_pixels_mut() {
            let opacity = crop.opacity(mask, x, y);
            if opacity > 0.0 {
                alpha.0[0] += opacity * (target.get_pixel(x, y).0[0] - alpha.0[0]);
            }
        }
    }
    Some(plane)
}

/// Extends the alpha of `known` pixels into the others.
fn surrounding(plane: &AlphaPlane, known: impl Fn(u32, u32) -> bool) -> AlphaPlane {
    let (width, height) = plane.dimensions();
    let grey = Rgb32FImage::from_fn(width, height, |x, y| Rgb([plane.get_pixel(x, y).0[0]; 3]));
    let filled = infill(&grey, known);
    AlphaPlane::from_fn(width, height, |x, y| Luma([filled.get_pixel(x, y).0[0]]))
}
