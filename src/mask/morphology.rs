//! Growing, shrinking, feathering and hole filling.

use image::{GrayImage, Luma};
use imageproc::distance_transform::euclidean_squared_distance_transform;

use super::{Mask, brush::smoothstep, label_regions};

impl Mask {
    /// Grows the mask by `pixels` on all sides, at full strength.
    #[must_use]
    pub fn grown(&self, pixels: u32) -> Self {
        let radius = f64::from(pixels);
        self.extended(pixels, |distance| if distance <= radius { 1.0 } else { 0.0 })
    }

    /// Shrinks the mask by `pixels`. Edges that coincide with the picture's edge stay.
    #[must_use]
    pub fn shrunk(&self, pixels: u32) -> Self {
        // Relative to the highest value, so that a faint mask shrinks as far as a strong one.
        let max = self.max_value();
        self.map(|value| max - value).grown(pixels).map(|value| max - value)
    }

    /// Fades out over `pixels` around the mask. The mask itself keeps its values: fading inwards too would erase
    /// small masks.
    #[must_use]
    pub fn feathered(&self, pixels: u32) -> Self {
        let end = f64::from(pixels) + 1.0;
        self.extended(pixels, |distance| smoothstep((1.0 - distance / end).clamp(0.0, 1.0) as f32))
    }

    /// Fills the holes of the mask.
    #[must_use]
    pub fn without_holes(&self) -> Self {
        let max = self.max_value();
        let outside = GrayImage::from_fn(self.0.width(), self.0.height(), |x, y| {
            Luma([u8::from(self.at(x, y) < max.div_ceil(2))])
        });
        let regions = label_regions(&outside);
        let (right, bottom) = (self.0.width().saturating_sub(1), self.0.height().saturating_sub(1));
        let mut open = vec![false; self.0.len() + 1];
        for (x, y, region) in regions.enumerate_pixels() {
            if x == 0 || y == 0 || x == right || y == bottom {
                open[region.0[0] as usize] = true;
            }
        }
        Self::from_fn(self.0.width(), self.0.height(), |x, y| {
            let region = regions.get_pixel(x, y).0[0];
            if region != 0 && !open[region as usize] { max } else { self.at(x, y) }
        })
    }

    fn max_value(&self) -> u8 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// Extends the mask outwards: `falloff` maps a pixel's distance from the mask to a share of the highest
    /// value. The distance is measured to pixels of at least half the highest value.
    fn extended(&self, pixels: u32, falloff: impl Fn(f64) -> f32) -> Self {
        let max = self.max_value();
        if pixels == 0 || max == 0 {
            return self.clone();
        }
        let core = GrayImage::from_fn(self.0.width(), self.0.height(), |x, y| {
            Luma([u8::from(self.at(x, y) >= max.div_ceil(2))])
        });
        let distances = euclidean_squared_distance_transform(&core);
        Self::from_fn(self.0.width(), self.0.height(), |x, y| {
            let share = falloff(distances.get_pixel(x, y).0[0].sqrt());
            self.at(x, y).max((share * f32::from(max)).round() as u8)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spot(at: (u32, u32)) -> Mask {
        Mask::from_fn(21, 21, |x, y| if (x, y) == at { 255 } else { 0 })
    }

    #[test]
    fn a_pixel_grows_to_a_disc() {
        let disc = spot((10, 10)).grown(4);
        for (x, y) in [(14, 10), (10, 6), (12, 13)] {
            assert_eq!(disc.at(x, y), 255, "{x} {y}");
        }
        assert_eq!([disc.at(15, 10), disc.at(13, 13)], [0, 0]);
    }

    #[test]
    fn feathering_keeps_a_single_pixel() {
        let soft = spot((10, 10)).feathered(5);
        let row = (10..21).map(|x| soft.at(x, 10)).collect::<Vec<_>>();
        assert_eq!((row[0], &row[6..]), (255, &[0; 5][..]));
        assert!(row[..7].is_sorted_by(|a, b| a > b), "{row:?}");
        assert_eq!(row[3], 128);
    }

    #[test]
    fn shrinking_keeps_the_picture_edge() {
        let half = Mask::from_fn(10, 4, |x, _| if x < 5 { 255 } else { 0 });
        let shrunk = half.shrunk(2);
        assert_eq!(
            (0..10).map(|x| shrunk.at(x, 1)).collect::<Vec<_>>()[..5],
            [255, 255, 255, 0, 0]
        );
        assert_eq!(Mask::full(5, 5).shrunk(3), Mask::full(5, 5));
    }

    #[test]
    fn faint_masks_shrink_and_fill_like_strong_ones() {
        let block = |x: u32, y: u32| (3..18).contains(&x.min(y).min(20 - x).min(20 - y));
        let hole = |x: u32, y: u32| (9..12).contains(&x) && (9..12).contains(&y);
        let [strong, faint] = [255, 102].map(|value| {
            Mask::from_fn(21, 21, |x, y| if block(x, y) && !hole(x, y) { value } else { 0 })
        });
        let faded = |mask: Mask| mask.map(|value| if value > 0 { 102 } else { 0 });
        assert_eq!(faint.shrunk(2), faded(strong.shrunk(2)));
        assert_eq!(faint.shrunk(2).at(6, 10), 102);
        assert_eq!(faint.without_holes(), faded(strong.without_holes()));
        assert_eq!(faint.without_holes().at(10, 10), 102);
    }

    #[test]
    fn filling_holes_closes_a_ring_but_not_a_bay() {
        let ring = |x: i32, y: i32| (9..36).contains(&((x - 10).pow(2) + (y - 10).pow(2)));
        let closed = Mask::from_fn(21, 21, |x, y| if ring(x as i32, y as i32) { 255 } else { 0 });
        assert_eq!([closed.at(10, 10), closed.without_holes().at(10, 10)], [0, 255]);
        assert_eq!(closed.without_holes().at(0, 0), 0);
        let open = closed.map(|v| v);
        let open = Mask::from_fn(21, 21, |x, y| if y == 10 && x > 10 { 0 } else { open.at(x, y) });
        assert_eq!(open.without_holes(), open);
    }

    proptest! {
        #[test]
        fn growing_only_raises_and_shrinking_only_lowers_values(
            values in prop::collection::vec(any::<u8>(), 13 * 9), pixels in 0_u32..30,
        ) {
            let mask = Mask::from_fn(13, 9, |x, y| values[(y * 13 + x) as usize]);
            for bigger in [mask.grown(pixels), mask.feathered(pixels), mask.without_holes()] {
                prop_assert!(bigger.values().iter().zip(mask.values()).all(|(a, b)| a >= b));
            }
            prop_assert!(mask.shrunk(pixels).values().iter().zip(mask.values()).all(|(a, b)| a <= b));
            prop_assert_eq!(mask.grown(0), mask.clone());
            prop_assert_eq!(mask.feathered(0), mask.clone());
            prop_assert_eq!(mask.inverted().inverted(), mask);
        }
    }
}
