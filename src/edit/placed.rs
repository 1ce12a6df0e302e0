//! The picture of an edit on its canvas.

use image::{Rgb, Rgb32FImage, Rgba, RgbaImage};

use super::infill;
use crate::{
    mask::Area,
    picture,
    recipe::{Canvas, CanvasError, Size},
};

/// Puts a picture on a canvas. The picture is resized to its rectangle, with a bicubic filter. The pixels around it continue
/// its colours, so that denoising starts from something like it, and its alpha at the nearest edge.
///
/// # Errors
/// As [`Canvas::check`].
pub fn placed(picture: &RgbaImage, canvas: &Canvas) -> Result<RgbaImage, CanvasError> {
    canvas.check(Size::new(picture.width(), picture.height()))?;
    let Area { x, y, width, height } = canvas.picture;
    let picture = match picture.dimensions() == (width, height) {
        true => picture.clone(),
        false => picture::resized_bicubic(picture, width, height),
    };
    if canvas.size.width == width && canvas.size.height == height {
        return Ok(picture);
    }
    let known =
        |column: u32, row: u32| (x..x + width).contains(&column) && (y..y + height).contains(&row);
    let nearest = |column: u32, row: u32| {
        let (column, row) = (column.clamp(x, x + width - 1), row.clamp(y, y + height - 1));
        picture.get_pixel(column - x, row - y)
    };
    let colours = Rgb32FImage::from_fn(canvas.size.width, canvas.size.height, |column, row| {
        let [r, g, b, _] = nearest(column, row).0;
        Rgb([r, g, b].map(f32::from))
    });
    let colours = infill(&colours, known);
    Ok(RgbaImage::from_fn(canvas.size.width, canvas.size.height, |column, row| {
        let [r, g, b] = colours.get_pixel(column, row).0.map(|value| value.round() as u8);
        Rgba([r, g, b, nearest(column, row).0[3]])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canvas(size: (u32, u32), [x, y, width, height]: [u32; 4]) -> Canvas {
        Canvas { size: Size::new(size.0, size.1), picture: Area { x, y, width, height } }
    }

    fn stripes() -> RgbaImage {
        RgbaImage::from_fn(6, 4, |x, y| Rgba([40 * x as u8, 60 * y as u8, 7, 255 - x as u8]))
    }

    #[test]
    fn a_picture_keeps_its_pixels_and_its_margins_continue_them() {
        let picture = stripes();
        let canvas = canvas((12, 10), [5, 3, 6, 4]);
        let placed = placed(&picture, &canvas).unwrap();
        let margins = canvas.margins();
        assert_eq!((placed.dimensions(), margins.size()), ((12, 10), (12, 10)));
        for (x, y, pixel) in placed.enumerate_pixels() {
            let is_inside = (5..11).contains(&x) && (3..7).contains(&y);
            assert_eq!(margins.at(x, y), if is_inside { 0 } else { 255 });
            let nearest = picture.get_pixel(x.clamp(5, 10) - 5, y.clamp(3, 6) - 3);
            if is_inside {
                assert_eq!(pixel, nearest);
            }
            assert_eq!((pixel.0[2], pixel.0[3]), (7, nearest.0[3]), "{x} {y}");
        }
        let red = |x, y| placed.get_pixel(x, y).0[0];
        assert!(red(0, 5) < 100 && red(11, 5) > 130, "{} {}", red(0, 5), red(11, 5));
    }

    #[test]
    fn a_picture_is_resized_to_its_rectangle() {
        let grey = RgbaImage::from_pixel(6, 4, Rgba([90, 91, 92, 255]));
        let upscaled = Canvas::upscaled(Size::new(6, 4), 2.0);
        let expected = RgbaImage::from_pixel(12, 8, Rgba([90, 91, 92, 255]));
        assert_eq!(placed(&grey, &upscaled).unwrap(), expected);
        assert!(upscaled.margins().is_empty());
        assert_eq!(placed(&grey, &canvas((20, 8), [4, 0, 12, 8])).unwrap().dimensions(), (20, 8));
        let bad = placed(&grey, &canvas((20, 8), [9, 0, 12, 8])).unwrap_err();
        assert!(matches!(bad, CanvasError::Outside { .. }));
    }
}
