//! Filling holes in a picture from their surroundings.
//!
//! Push and pull (Gortler et al. 1996, "The Lumigraph", section 3.4): the picture is halved until no
//! holes are left, averaging only known pixels. Each hole then gets the colours of the next coarser
//! level.

use image::Rgb32FImage;

/// Fills every pixel that is not `known` from the known ones around it. Without any known pixel the
/// result is black.
#[must_use]
pub fn infill(picture: &Rgb32FImage, known: impl Fn(u32, u32) -> bool) -> Rgb32FImage {
    weighted_infill(picture, |x, y| f32::from(known(x, y)))
}

/// As [`infill`], but each pixel is known in part: `weight` is in 0..=1, and the rest of a pixel comes from the pixels
/// around it.
pub(super) fn weighted_infill(
    picture: &Rgb32FImage,
    weight: impl Fn(u32, u32) -> f32,
) -> Rgb32FImage {
    let weights = picture.enumerate_pixels().map(|(x, y, _)| weight(x, y)).collect();
    Level { colours: picture.clone(), weights }.filled().colours
}

/// One level of the pyramid: colours, and the weight of each pixel in 0..=1.
struct Level {
    colours: Rgb32FImage,
    weights: Vec<f32>,
}

impl Level {
    /// Fills the holes from the coarser levels.
    fn filled(mut self) -> Self {
        let (width, height) = self.colours.dimensions();
        if self.weights.iter().all(|&weight| weight >= 1.0) {
            return self;
        }
        if width <= 1 && height <= 1 {
            let known = self.weights.iter().any(|&weight| weight > 0.0);
            if !known {
                self.colours = Rgb32FImage::new(width, height);
            }
            return self;
        }
        let coarse = self.halved().filled();
        for y in 0..height {
            for x in 0..width {
                let weight = self.weights[(y * width + x) as usize];
                if weight < 1.0 {
                    let from = coarse.interpolate(x, y);
                    let pixel = &mut self.colours.get_pixel_mut(x, y).0;
                    for (value, from) in pixel.iter_mut().zip(from) {
                        *value = weight * *value + (1.0 - weight) * from;
                    }
                }
            }
        }
        self
    }

    /// The next coarser level: each pixel is the weighted mean of four.
    fn halved(&self) -> Self {
        let (width, height) = self.colours.dimensions();
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut weights = Vec::with_capacity((half_width * half_height) as usize);
        let mut colours = Rgb32FImage::new(half_width, half_height);
        for y in 0..half_height {
            for x in 0..half_width {
                let (mut sum, mut total) = ([0.0; 3], 0.0);
                for (i, j) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let (x, y) = (2 * x + i, 2 * y + j);
                    if x < width && y < height {
                        let weight = self.weights[(y * width + x) as usize];
                        let colour = self.colours.get_pixel(x, y).0;
                        sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += weight * value);
                        total += weight;
                    }
                }
                if total > 0.0 {
                    colours.get_pixel_mut(x, y).0 = sum.map(|value| value / total);
                }
                weights.push(total.min(1.0));
            }
        }
        Self { colours, weights }
    }

    /// The colour at a pixel of the level twice as large, interpolated between the four nearest.
    fn interpolate(&self, x: u32, y: u32) -> [f32; 3] {
        let (width, height) = self.colours.dimensions();
        let place = |at: u32, side: u32| {
            let at = (at as f32 - 0.5) / 2.0;
            let first = at.floor().max(0.0) as u32;
            (first.min(side - 1), (first + 1).min(side - 1), (at - first as f32).clamp(0.0, 1.0))
        };
        let (left, right, across) = place(x, width);
        let (top, bottom, down) = place(y, height);
        let colour = |x, y| self.colours.get_pixel(x, y).0;
        std::array::from_fn(|c| {
            let row = |y| colour(left, y)[c] * (1.0 - across) + colour(right, y)[c] * across;
            row(top) * (1.0 - down) + row(bottom) * down
        })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_hole_in_one_colour_is_filled_with_that_colour() {
        let plain = Rgb32FImage::from_pixel(37, 23, Rgb([0.25, 0.5, 1.0]));
        let hole = |x: u32, y: u32| (5..30).contains(&x) && (4..20).contains(&y);
        let damaged = Rgb32FImage::from_fn(37, 23, |x, y| {
            if hole(x, y) { Rgb([9.0, -9.0, 0.0]) } else { *plain.get_pixel(x, y) }
        });
        let found = infill(&damaged, |x, y| !hole(x, y));
        for (pixel, expected) in found.pixels().zip(plain.pixels()) {
            for (a, b) in pixel.0.iter().zip(expected.0) {
                assert!((a - b).abs() < 1e-5, "{pixel:?}");
            }
        }
    }

    #[test]
    fn a_gradient_continues_through_a_hole() {
        let slope = Rgb32FImage::from_fn(64, 16, |x, _| Rgb([x as f32 / 64.0; 3]));
        let found = infill(&slope, |x, _| !(20..44).contains(&x));
        for x in 0..64 {
            let error = found.get_pixel(x, 8).0[0] - x as f32 / 64.0;
            assert!(error.abs() < 0.12, "{x}: {error}");
        }
        assert_eq!(found.get_pixel(19, 8), slope.get_pixel(19, 8));
    }

    #[test]
    fn a_picture_without_known_pixels_is_black() {
        let any = Rgb32FImage::from_pixel(5, 3, Rgb([1.0; 3]));
        assert!(infill(&any, |_, _| false).iter().all(|&value| value == 0.0));
    }
}
