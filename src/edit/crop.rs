//! The crop of a picture that the model receives for an edit.

use image::{Rgb, Rgb32FImage, RgbaImage};
use serde::{Deserialize, Serialize};

use super::{EditError, infill::weighted_infill};
use crate::{
    mask::{Area, Mask},
    recipe::Size,
};

/// The margin around the changed pixels, on each side, as a fraction of their extent.
const MARGIN: f32 = 0.06;

/// The latent grid of a model. The default has one latent per pixel. If the denoiser sees patches of latents as a whole, it is
/// the grid of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// Pixels along each side of a latent.
    pub scale: u32,
    /// The fewest latents along each side of a crop. With fewer, the model lacks context and draws
    /// something unrelated.
    #[serde(rename = "least", alias = "min_latents")]
    pub min_latents: u32,
    /// The latents along each side of the pictures that the model was trained on. 0 if unknown. The default crop has at
    /// least as many if a part has a strength above 0.5, or is the whole picture if that is not much larger.
    #[serde(default)]
    pub trained_latents: u32,
}

impl Default for Grid {
    fn default() -> Self {
        Self { scale: 1, min_latents: 1, trained_latents: 0 }
    }
}

impl Grid {
    /// Whether the model draws whole pictures of this size: with at most one and a half times as many latents as those it
    /// was trained on.
    pub(super) fn draws_whole(self, size: Size) -> bool {
        let [columns, rows] = [size.width, size.height].map(|side| side.div_ceil(self.scale));
        2 * u64::from(columns) * u64::from(rows) <= 3 * u64::from(self.trained_latents).pow(2)
    }
}

/// The pixels of a crop.
///
/// The last column and row of latents may extend beyond the right and bottom edge of the picture.
/// The outermost pixels are repeated there.
#[derive(Clone, Debug)]
pub struct Crop {
    area: Area,
    pixels: Rgb32FImage,
    /// Columns and rows of the crop that lie inside the picture.
    inside: (u32, u32),
}

impl Crop {
    /// Cuts `area` out of `picture`. Where the picture is transparent, the visible colours around continue, so that
    /// the colours of fully transparent pixels do not matter.
    #[must_use]
    pub fn new(picture: &RgbaImage, area: Area) -> Self {
        let inside = (picture.width() - area.x, picture.height() - area.y);
        let inside = (inside.0.min(area.width), inside.1.min(area.height));
        let mut crop = Self { area, pixels: Rgb32FImage::new(0, 0), inside };
        crop.pixels = Rgb32FImage::from_fn(area.width, area.height, |x, y| {
            let (column, row) = crop.position_in_picture(x, y);
            let [r, g, b, _] = picture.get_pixel(column, row).0;
            Rgb([r, g, b].map(|value| f32::from(value) / 127.5 - 1.0))
        });
        let alpha = |x, y| {
            let (column, row) = crop.position_in_picture(x, y);
            picture.get_pixel(column, row).0[3]
        };
        if crop.pixels.enumerate_pixels().any(|(x, y, _)| alpha(x, y) < u8::MAX) {
            crop.pixels = weighted_infill(&crop.pixels, |x, y| f32::from(alpha(x, y)) / 255.0);
        }
        crop
    }

    /// The area of the crop in the picture, in pixels.
    #[must_use]
    pub fn area(&self) -> Area {
        self.area
    }

    /// The pixels, RGB in -1..=1.
    #[must_use]
    pub fn pixels(&self) -> &Rgb32FImage {
        &self.pixels
    }

    /// Width and height of the part of the crop that lies inside the picture.
    #[must_use]
    pub fn size_inside_picture(&self) -> (u32, u32) {
        self.inside
    }

    /// The picture's pixel at `x` and `y` of the crop.
    #[must_use]
    pub fn position_in_picture(&self, x: u32, y: u32) -> (u32, u32) {
        let (width, height) = self.inside;
        (self.area.x + x.min(width - 1), self.area.y + y.min(height - 1))
    }

    /// The value, in 0..=1, of a mask of the picture at a pixel of the crop.
    #[must_use]
    pub fn opacity(&self, mask: &Mask, x: u32, y: u32) -> f32 {
        let (column, row) = self.position_in_picture(x, y);
        f32::from(mask.at(column, row)) / 255.0
    }
}

/// The crop around the `changed` pixels, on the grid of latents. It also contains all `denoised`
/// pixels.
pub(super) fn crop_around(
    changed: Area,
    denoised: Area,
    size: Size,
    Grid { scale, min_latents, .. }: Grid,
) -> Area {
    let along = |[start, end]: [u32; 2], denoised: [u32; 2], side: u32| {
        let margin = (((end - start) as f32 * MARGIN).ceil() as u32).max(scale / 2);
        let latents = side.div_ceil(scale);
        let first = start.saturating_sub(margin).min(denoised[0]) / scale;
        let end = (end + margin).max(denoised[1]).div_ceil(scale).min(latents);
        widen(first, end, min_latents, latents)
    };
    let columns = |area: Area| [area.x, area.right()];
    let rows = |area: Area| [area.y, area.bottom()];
    let columns = along(columns(changed), columns(denoised), size.width);
    to_pixels(columns, along(rows(changed), rows(denoised), size.height), scale)
}

/// The smallest crop on the grid of latents that contains a `requested` one.
pub(super) fn crop_from_request(
    requested: Area,
    changed: Area,
    size: Size,
    Grid { scale, min_latents, .. }: Grid,
) -> Result<Area, EditError> {
    let along = |start: u32, end: u32, side: u32| {
        let first = start.min(side) / scale;
        (first, end.min(side).div_ceil(scale).saturating_sub(first))
    };
    let columns = along(requested.x, requested.right(), size.width);
    let rows = along(requested.y, requested.bottom(), size.height);
    let crop = to_pixels(columns, rows, scale);
    if crop.union(changed) != crop || crop.width == 0 || crop.height == 0 {
        return Err(EditError::CropTooSmall { crop: requested, changed });
    }
    let widened =
        |(first, count), side: u32| widen(first, first + count, min_latents, side.div_ceil(scale));
    Ok(to_pixels(widened(columns, size.width), widened(rows, size.height), scale))
}

/// An area of latents in pixels. `columns` and `rows` are each the first one and the count.
fn to_pixels(columns: (u32, u32), rows: (u32, u32), scale: u32) -> Area {
    let ((x, width), (y, height)) = (columns, rows);
    Area { x: x * scale, y: y * scale, width: width * scale, height: height * scale }
}

/// The first latent and the number of latents from `first` to `end`, widened on both sides to at least
/// `min_latents` and moved away from the picture's edge where necessary.
fn widen(first: u32, end: u32, min_latents: u32, latents: u32) -> (u32, u32) {
    let count = (end - first).max(min_latents.min(latents));
    (first.saturating_sub((count - (end - first)) / 2).min(latents - count), count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_crop_lies_on_the_grid_contains_all_changed_pixels_and_stays_within_the_picture(
            (width, height) in (1_u32..200, 1_u32..200), seed in any::<(u32, u32, u32, u32)>(),
            scale in prop::sample::select(vec![8_u32, 16]), min_latents in 1_u32..20,
        ) {
            let (x, y) = (seed.0 % width, seed.1 % height);
            let (part_width, part_height) = (1 + seed.2 % (width - x), 1 + seed.3 % (height - y));
            let changed = Area { x, y, width: part_width, height: part_height };
            let denoised = Area {
                x: x.saturating_sub(seed.0 % 40),
                y: y.saturating_sub(seed.1 % 40),
                width: (part_width + seed.2 % 80).min(width - x.saturating_sub(seed.0 % 40)),
                height: (part_height + seed.3 % 80).min(height - y.saturating_sub(seed.1 % 40)),
            };
            let size = Size::new(width, height);
            let grid = Grid { scale, min_latents, trained_latents: 0 };
            let crop = crop_around(changed, denoised, size, grid);
            prop_assert_eq!(crop.union(changed).union(denoised), crop);
            for side in [crop.x, crop.y, crop.width, crop.height] {
                prop_assert_eq!(side % scale, 0);
            }
            prop_assert!(crop.right() < width + scale && crop.bottom() < height + scale);
            prop_assert!(crop.width >= scale * min_latents.min(width.div_ceil(scale)));
            prop_assert_eq!(crop_from_request(crop, changed, size, grid).unwrap(), crop);
            let requested = crop_from_request(changed, changed, size, grid);
            let requested = requested.unwrap();
            prop_assert_eq!(requested.union(changed), requested);
            prop_assert!(requested.width >= scale * min_latents.min(width.div_ceil(scale)));
            prop_assert!(requested.right() < width + scale && requested.bottom() < height + scale);
        }
    }
}
