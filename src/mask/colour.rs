//! Masks from colours.

use image::{GrayImage, Luma, RgbaImage};

use super::{Mask, label_regions, visible::premultiplied};

impl Mask {
    /// Selects the pixels whose channels all differ by at most `tolerance` from those of the pixel at `at`. Colours
    /// count in proportion to their alpha.
    ///
    /// With `connected`, selects only the connected region around `at`. Selects nothing if `at` lies outside the
    /// picture.
    #[must_use]
    pub fn from_colour(
        picture: &RgbaImage,
        at: (u32, u32),
        tolerance: u8,
        connected: bool,
    ) -> Self {
        let (width, height) = picture.dimensions();
        let Some(colour) = picture.get_pixel_checked(at.0, at.1) else {
            return Self::empty(width, height);
        };
        let colour = premultiplied(*colour);
        let matching = GrayImage::from_fn(width, height, |x, y| {
            let mut channels = premultiplied(*picture.get_pixel(x, y)).into_iter().zip(colour);
            Luma([u8::from(channels.all(|(a, b)| a.abs_diff(b) <= tolerance))])
        });
        let regions = label_regions(&matching);
        let start = regions.get_pixel(at.0, at.1).0[0];
        Self::from_fn(width, height, |x, y| {
            let region = regions.get_pixel(x, y).0[0];
            let is_selected = if connected { region == start } else { region != 0 };
            if is_selected { u8::MAX } else { 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    /// Two red areas with a blue column between them; the right one is slightly darker.
    fn stripes() -> RgbaImage {
        RgbaImage::from_fn(7, 2, |x, _| match x {
            0..3 => Rgba([200, 10, 10, 255]),
            3 => Rgba([10, 10, 200, 255]),
            _ => Rgba([190, 10, 10, 255]),
        })
    }

    #[test]
    fn a_colour_is_selected_in_one_region_or_everywhere() {
        let row = |mask: &Mask| (0..7).map(|x| mask.at(x, 1) / 255).collect::<Vec<_>>();
        assert_eq!(row(&Mask::from_colour(&stripes(), (1, 0), 10, true)), [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(row(&Mask::from_colour(&stripes(), (1, 0), 10, false)), [1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(row(&Mask::from_colour(&stripes(), (1, 0), 9, false)), [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(Mask::from_colour(&stripes(), (3, 0), 255, true), Mask::full(7, 2));
        assert!(Mask::from_colour(&stripes(), (7, 0), 255, true).is_empty());
        assert_eq!(Mask::from_colour(&RgbaImage::new(1, 1), (0, 0), 0, true), Mask::full(1, 1));
    }
}
