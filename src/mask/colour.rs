//! Masks from colours.

use image::{GrayImage, Luma, RgbaImage};

use super::{Mask, places};

impl Mask {
    /// Everything of about the colour of one pixel: no channel differs by more than `tolerance`. When
    /// `connected`, only as far as that colour reaches without a gap. Of a pixel outside the picture there
    /// is nothing.
    #[must_use]
    pub fn of_colour(picture: &RgbaImage, at: (u32, u32), tolerance: u8, connected: bool) -> Self {
        let (width, height) = picture.dimensions();
        let Some(colour) = picture.get_pixel_checked(at.0, at.1) else {
            return Self::empty(width, height);
        };
        let alike = GrayImage::from_fn(width, height, |x, y| {
            let channels = picture.get_pixel(x, y).0.into_iter().zip(colour.0);
            Luma([u8::from(channels.into_iter().all(|(a, b)| a.abs_diff(b) <= tolerance))])
        });
        let places = places(&alike);
        let here = places.get_pixel(at.0, at.1).0[0];
        Self::from_fn(width, height, |x, y| {
            let place = places.get_pixel(x, y).0[0];
            if if connected { place == here } else { place != 0 } { u8::MAX } else { 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use image::Rgba;

    use super::*;

    /// Two red fields with a blue column between them; the right one is a little darker.
    fn fields() -> RgbaImage {
        RgbaImage::from_fn(7, 2, |x, _| match x {
            0..3 => Rgba([200, 10, 10, 255]),
            3 => Rgba([10, 10, 200, 255]),
            _ => Rgba([190, 10, 10, 255]),
        })
    }

    #[test]
    fn a_colour_is_taken_as_far_as_it_reaches_or_everywhere() {
        let row = |mask: &Mask| (0..7).map(|x| mask.at(x, 1) / 255).collect::<Vec<_>>();
        assert_eq!(row(&Mask::of_colour(&fields(), (1, 0), 10, true)), [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(row(&Mask::of_colour(&fields(), (1, 0), 10, false)), [1, 1, 1, 0, 1, 1, 1]);
        assert_eq!(row(&Mask::of_colour(&fields(), (1, 0), 9, false)), [1, 1, 1, 0, 0, 0, 0]);
        assert_eq!(Mask::of_colour(&fields(), (3, 0), 255, true), Mask::full(7, 2));
        assert!(Mask::of_colour(&fields(), (7, 0), 255, true).is_empty());
        assert_eq!(Mask::of_colour(&RgbaImage::new(1, 1), (0, 0), 0, true), Mask::full(1, 1));
    }
}
