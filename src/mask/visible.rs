//! The visible part of a picture with an alpha channel.
//!
//! The colours of fully transparent pixels are arbitrary: two sprites that look the same may store different ones.

use std::borrow::Cow;

use image::{Rgba, RgbaImage};

/// The colour behind a picture whose transparent pixels are analysed, too.
const BEHIND: u32 = 128;

/// The picture composited over mid-grey.
pub(crate) fn over_grey(picture: &RgbaImage) -> Cow<'_, RgbaImage> {
    if picture.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
        return Cow::Borrowed(picture);
    }
    let mut opaque = picture.clone();
    for pixel in opaque.pixels_mut() {
        let [.., alpha] = pixel.0;
        let over = |value: u8| {
            let sum = u32::from(value) * u32::from(alpha) + BEHIND * u32::from(u8::MAX - alpha);
            ((sum + 127) / 255) as u8
        };
        let [r, g, b, _] = pixel.0;
        *pixel = Rgba([over(r), over(g), over(b), u8::MAX]);
    }
    Cow::Owned(opaque)
}

/// The colour of a pixel, multiplied by its alpha, and the alpha. Pixels that look the same on every background have
/// the same values.
pub(crate) fn premultiplied(pixel: Rgba<u8>) -> [u8; 4] {
    let [r, g, b, alpha] = pixel.0;
    let by_alpha = |value: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
    [by_alpha(r), by_alpha(g), by_alpha(b), alpha]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{
        Mask,
        objects::{Objects, SelectionPrompt},
    };

    /// A red disc, half transparent at its edge. `hidden` is the colour of the transparent pixels.
    fn sprite(hidden: [u8; 3]) -> RgbaImage {
        RgbaImage::from_fn(48, 48, |x, y| {
            let distance = (x as f32 - 24.0).hypot(y as f32 - 24.0);
            let [r, g, b] = hidden;
            match distance {
                ..14.0 => Rgba([200, 40, 30, 255]),
                ..15.0 => Rgba([200, 40, 30, 128]),
                _ => Rgba([r, g, b, 0]),
            }
        })
    }

    #[test]
    fn colours_of_transparent_pixels_decide_no_selection() {
        // Stripes of the figure's own colour and another one, and no colour at all.
        let striped = RgbaImage::from_fn(48, 48, |x, y| {
            let hidden = if x / 8 % 2 == 0 { [200, 40, 30] } else { [0, 0, 255] };
            *sprite(hidden).get_pixel(x, y)
        });
        let plain = sprite([0, 0, 0]);
        for at in [(24, 24), (2, 2)] {
            for connected in [true, false] {
                let select = |picture: &RgbaImage| Mask::from_colour(picture, at, 10, connected);
                assert_eq!(select(&striped), select(&plain), "{at:?}");
            }
            let prompt = SelectionPrompt { include: vec![at], ..SelectionPrompt::default() };
            let select = |picture: &RgbaImage| Objects::detect(picture).select(&prompt);
            assert_eq!(select(&striped), select(&plain), "{at:?}");
        }
        assert_eq!(over_grey(&plain).get_pixel(24, 10).0, [164, 84, 79, 255]);
        assert_eq!(over_grey(&plain).get_pixel(0, 0).0, [128, 128, 128, 255]);
    }
}
