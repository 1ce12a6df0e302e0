//! Applies strokes to parts.

use std::sync::Arc;

use egui::Color32;
use image::{Pixel, Rgba, RgbaImage, imageops};

use crate::{
    mask::Mask,
    recipe::{EditKind, Layer, PartEdit, Scribble},
};

/// Applies a stroke in a colour to the state of a part before the stroke.
pub(super) type ApplyStroke = fn(&mut Layer, &Mask, Color32);

/// Paints the mask. Strokes add up: two strokes of half opacity cover more than one, as in other paint programs.
pub(super) fn paint(layer: &mut Layer, stroke: &Mask, _: Color32) {
    layer.mask = both(&layer.mask, stroke, |was, new| {
        u8::MAX - ((255 - u16::from(was)) * (255 - u16::from(new)) / 255) as u8
    });
}

/// Erases from the mask and from the scribble.
pub(super) fn erase(layer: &mut Layer, stroke: &Mask, _: Color32) {
    layer.mask = both(&layer.mask, stroke, |was, gone| {
        (u16::from(was) * (255 - u16::from(gone)) / 255) as u8
    });
    if let Some(Scribble(image)) = &mut layer.scribble {
        let image = fitted(image, stroke.size());
        for (pixel, &gone) in image.pixels_mut().zip(stroke.values()) {
            pixel.0[3] = (u16::from(pixel.0[3]) * (255 - u16::from(gone)) / 255) as u8;
        }
        if image.pixels().all(|pixel| pixel.0[3] == 0) {
            layer.scribble = None;
        }
    }
}

/// Paints the scribble and the mask. The part's edit becomes [`EditKind::Add`] if it has none.
pub(super) fn scribble(layer: &mut Layer, stroke: &Mask, colour: Color32) {
    paint(layer, stroke, colour);
    let (width, height) = stroke.size();
    let nothing = || Scribble(Arc::new(RgbaImage::new(width, height)));
    let Scribble(image) = layer.scribble.get_or_insert_with(nothing);
    let [red, green, blue, _] = colour.to_array();
    for (pixel, &covered) in fitted(image, (width, height)).pixels_mut().zip(stroke.values()) {
        if covered > 0 {
            pixel.blend(&Rgba([red, green, blue, covered]));
        }
    }
    layer.edit.get_or_insert_with(|| PartEdit::new(EditKind::Add));
}

/// The scribble, resized to the stroke's size without scaling.
fn fitted(image: &mut Arc<RgbaImage>, (width, height): (u32, u32)) -> &mut RgbaImage {
    if image.dimensions() != (width, height) {
        let mut fitted = RgbaImage::new(width, height);
        imageops::replace(&mut fitted, &**image, 0, 0);
        *image = Arc::new(fitted);
    }
    Arc::make_mut(image)
}

/// Combines a mask with a stroke, at the stroke's size. A mask of another size is cut off or padded with zeros.
fn both(mask: &Mask, stroke: &Mask, how: impl Fn(u8, u8) -> u8) -> Mask {
    let (width, height) = stroke.size();
    Mask::from_fn(width, height, |x, y| how(mask.at(x, y), stroke.at(x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Area;

    #[test]
    fn faint_strokes_of_brush_and_eraser_add_up() {
        let stroke = Mask::rectangle(8, 8, Area { x: 2, y: 2, width: 4, height: 4 });
        let stroke = stroke.map(|value| if value > 0 { 128 } else { 0 });
        let mut layer = Layer::new("sky", Mask::empty(8, 8));
        paint(&mut layer, &stroke, Color32::RED);
        assert_eq!([layer.mask.at(3, 3), layer.mask.at(0, 0)], [128, 0]);
        paint(&mut layer, &stroke, Color32::RED);
        assert_eq!(layer.mask.at(3, 3), 192);
        erase(&mut layer, &stroke, Color32::RED);
        assert_eq!([layer.mask.at(3, 3), layer.mask.at(0, 0)], [95, 0]);
        erase(&mut layer, &Mask::full(8, 8), Color32::RED);
        assert!(layer.mask.is_empty());
    }

    #[test]
    fn a_scribble_of_another_size_keeps_its_position() {
        let (dot, red) = (Rgba([9, 9, 9, 255]), Rgba([255, 0, 0, 255]));
        let mut old = RgbaImage::new(8, 8);
        old.put_pixel(1, 1, dot);
        old.put_pixel(2, 2, dot);
        let old = Some(Scribble(Arc::new(old)));
        let old = Layer { scribble: old, ..Layer::new("sky", Mask::empty(8, 8)) };
        for (width, height) in [(4, 8), (12, 3)] {
            let after = |stroke: ApplyStroke, x, y| {
                let mut layer = old.clone();
                let area = Area { x, y, width: 1, height: 1 };
                stroke(&mut layer, &Mask::rectangle(width, height, area), Color32::RED);
                let Scribble(image) = layer.scribble.unwrap();
                assert_eq!(image.dimensions(), (width, height));
                let pixels = image.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 0);
                pixels.map(|(x, y, pixel)| (x, y, *pixel)).collect::<Vec<_>>()
            };
            assert_eq!(after(scribble, 3, 1), [(1, 1, dot), (3, 1, red), (2, 2, dot)]);
            assert_eq!(after(erase, 1, 1), [(2, 2, dot)]);
        }
    }
}
