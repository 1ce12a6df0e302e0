//! The overlay of parts over the picture. Each part has a colour and a pattern, so that parts are distinguishable
//! without colour. Black and white have no meaning.

use egui::{Color32, ColorImage};

use crate::{
    mask::{Area, Mask},
    panel::theme,
    recipe::{Layer, Verdict},
};

/// The colours of parts, as in `InvokeAI`.
pub(super) const COLOURS: [Color32; 7] = [
    Color32::from_rgb(121, 157, 219),
    Color32::from_rgb(131, 214, 131),
    Color32::from_rgb(250, 225, 80),
    Color32::from_rgb(220, 144, 101),
    Color32::from_rgb(224, 117, 117),
    Color32::from_rgb(213, 139, 202),
    Color32::from_rgb(161, 120, 214),
];

/// Opacity of the colour of the selected part and of other parts, from 0 to 255.
const CHOSEN: u8 = 128;
const OTHERS: u8 = 64;
/// Opacity between the lines of a pattern, from 0 to 255.
const GAP: u8 = 24;
/// Opacity of the darkening outside the area that may change, from 0 to 255.
const DARK: u8 = 176;

/// The colour of a part.
pub(super) fn colour(layer: &Layer) -> Color32 {
    COLOURS[usize::from(layer.colour) % COLOURS.len()]
}

/// Paints the overlay inside `area`: all visible parts and their scribbles.
pub(super) fn painted(
    layers: &[Layer],
    chosen: Option<usize>,
    size: (u32, u32),
    area: Area,
) -> ColorImage {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let [left, top, columns, rows] =
        [area.x, area.y, area.width, area.height].map(|side| side as usize);
    let mut image = ColorImage::filled([columns, rows], Color32::TRANSPARENT);
    // From bottom to top: the first layer is the topmost.
    for (at, layer) in layers.iter().enumerate().rev() {
        if layer.hidden || layer.mask.size() != size {
            continue;
        }
        let colour = colour(layer);
        let strong = if chosen == Some(at) { CHOSEN } else { OTHERS };
        let values = layer.mask.values();
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            let (x, y) = (left + i % columns, top + i / columns);
            let value = values[y * width + x];
            let scribbled = layer.scribble.as_ref().map(|scribble| &scribble.0);
            if let Some(above) = scribbled.and_then(|it| it.get_pixel_checked(x as u32, y as u32)) {
                let [red, green, blue, opacity] = above.0;
                *pixel = pixel.blend(Color32::from_rgba_unmultiplied(red, green, blue, opacity));
            }
            if value == 0 {
                continue;
            }
            let strength = if is_rim(values, x, y, width, height, 128) {
                u8::MAX
            } else {
                let strong = if is_line(layer, x, y) { strong } else { GAP.min(strong) };
                (u16::from(strong) * u16::from(value) / 255) as u8
            };
            let [red, green, blue, _] = colour.to_array();
            *pixel = pixel.blend(Color32::from_rgba_unmultiplied(red, green, blue, strength));
        }
    }
    image
}

/// Darkens everything that an edit does not change.
pub(super) fn spotlight(blend: &Mask) -> ColorImage {
    let (width, height) = (blend.size().0 as usize, blend.size().1 as usize);
    let values = blend.values();
    let light = |(i, &value): (usize, &u8)| {
        // The outline includes every pixel that may change, even slightly.
        if is_rim(values, i % width, i / width, width, height, 1) {
            return theme::ACCENT;
        }
        let dark = u16::from(DARK) * u16::from(u8::MAX - value) / 255;
        // A partly changing pixel is half as dark, to differ clearly from an unchanged one.
        let dark = if value > 0 { dark / 2 } else { dark };
        Color32::from_black_alpha(dark as u8)
    };
    let pixels = values.iter().enumerate().map(light).collect();
    ColorImage::new([width, height], pixels)
}

/// Whether a pixel is at the edge of the region where a mask has at least this value.
fn is_rim(values: &[u8], x: usize, y: usize, width: usize, height: usize, least: u8) -> bool {
    let inside = |x: usize, y: usize| values[y * width + x] >= least;
    inside(x, y)
        && neighbours(x, y, width, height).into_iter().flatten().any(|(x, y)| !inside(x, y))
}

fn neighbours(x: usize, y: usize, width: usize, height: usize) -> [Option<(usize, usize)>; 4] {
    [
        x.checked_sub(1).map(|x| (x, y)),
        (x + 1 < width).then_some((x + 1, y)),
        y.checked_sub(1).map(|y| (x, y)),
        (y + 1 < height).then_some((x, y + 1)),
    ]
}

/// Whether a pixel is on a line of a part's pattern. Liked parts have diagonal lines, and disliked parts have crossed
/// lines. Other parts have the pattern of their colour.
pub(super) fn is_line(layer: &Layer, x: usize, y: usize) -> bool {
    let slant = (x + y) % 8 < 3;
    // Adding 8 y, a multiple of 8, avoids negative numbers.
    let other = (x + 8 * y - y) % 8 < 3;
    match (layer.verdict, usize::from(layer.colour) % COLOURS.len()) {
        (Verdict::Liked, _) => slant,
        (Verdict::Disliked, _) => slant || other,
        (Verdict::None, 0) => true,
        (Verdict::None, 1) => y % 8 < 4,
        (Verdict::None, 2) => x % 8 < 4,
        (Verdict::None, 3) => (x % 8 < 4) == (y % 8 < 4),
        (Verdict::None, 4) => x % 8 < 2 || y % 8 < 2,
        (Verdict::None, 5) => y % 16 < 8,
        (Verdict::None, _) => x % 16 < 8,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use image::{Rgba, RgbaImage};

    use super::*;
    use crate::recipe::Scribble;

    const SIZE: (u32, u32) = (32, 24);

    fn layer(area: Area, verdict: Verdict) -> Layer {
        Layer { verdict, ..Layer::new("part", Mask::rectangle(SIZE.0, SIZE.1, area)) }
    }

    fn all() -> Area {
        Area { x: 0, y: 0, width: SIZE.0, height: SIZE.1 }
    }

    /// The whole picture.
    fn whole(layers: &[Layer], chosen: Option<usize>, size: (u32, u32)) -> ColorImage {
        painted(layers, chosen, size, all())
    }

    fn at(image: &ColorImage, x: usize, y: usize) -> Color32 {
        image.pixels[y * image.size[0] + x]
    }

    #[test]
    fn pixels_outside_all_parts_are_transparent_and_outlines_are_opaque() {
        let image = whole(
            &[layer(Area { x: 8, y: 8, width: 10, height: 10 }, Verdict::None)],
            Some(0),
            SIZE,
        );
        assert_eq!(at(&image, 2, 2), Color32::TRANSPARENT);
        assert_eq!(at(&image, 8, 12), COLOURS[0]);
        assert_eq!(at(&image, 12, 12).a(), CHOSEN);
    }

    #[test]
    fn verdicts_have_different_patterns() {
        let strong = |verdict| {
            let image = whole(&[layer(all(), verdict)], Some(0), SIZE);
            image.pixels.iter().filter(|pixel| pixel.a() == CHOSEN).count() as f32 / 768.0
        };
        assert_eq!(strong(Verdict::None), 1.0);
        assert!((strong(Verdict::Liked) - 3.0 / 8.0).abs() < 0.01);
        assert!((strong(Verdict::Disliked) - 39.0 / 64.0).abs() < 0.03);
    }

    #[test]
    fn parts_without_a_verdict_have_different_patterns() {
        let lines = |colour| {
            let layer = Layer { colour, ..layer(all(), Verdict::None) };
            let at = |i: usize| is_line(&layer, i % 32, i / 32);
            (0..768).map(at).collect::<Vec<_>>()
        };
        let patterns: Vec<_> = (0..COLOURS.len() as u8).map(lines).collect();
        for (i, pattern) in patterns.iter().enumerate() {
            for other in &patterns[..i] {
                let differ = pattern.iter().zip(other).filter(|(a, b)| a != b).count();
                assert!(differ >= 768 / 4, "{i}: {differ}");
            }
        }
    }

    #[test]
    fn a_painted_box_equals_that_area_of_the_whole() {
        let blob = Area { x: 5, y: 3, width: 14, height: 12 };
        let layers = [layer(blob, Verdict::Liked), layer(all(), Verdict::Disliked)];
        let whole = whole(&layers, Some(0), SIZE);
        let area = Area { x: 3, y: 7, width: 9, height: 10 };
        let part = painted(&layers, Some(0), SIZE, area);
        assert_eq!(part.size, [9, 10]);
        for (i, pixel) in part.pixels.iter().enumerate() {
            assert_eq!(*pixel, at(&whole, 3 + i % 9, 7 + i / 9), "{i}");
        }
    }

    #[test]
    fn the_first_layer_is_on_top_and_hidden_ones_are_not_painted() {
        let blue = layer(all(), Verdict::None);
        let green = Layer { colour: 1, ..blue.clone() };
        let hidden = Layer { hidden: true, ..green.clone() };
        let above = |layers: &[Layer]| at(&whole(layers, None, SIZE), 9, 9);
        let (both, alone) =
            (above(&[green.clone(), blue.clone()]), above(std::slice::from_ref(&blue)));
        assert!(both.g() > alone.g() && both.a() > alone.a());
        assert_eq!(above(&[hidden, blue]), alone);
        let other_size = Layer::new("old", Mask::full(3, 3));
        assert_eq!(above(&[other_size]), Color32::TRANSPARENT);
    }

    #[test]
    fn a_scribble_is_painted_in_its_colours() {
        let red = RgbaImage::from_fn(SIZE.0, SIZE.1, |x, _| {
            if x < 16 { Rgba([200, 10, 10, 255]) } else { Rgba([0; 4]) }
        });
        let scribble = Some(Scribble(Arc::new(red)));
        let layer = Layer { scribble, ..Layer::new("boat", Mask::empty(SIZE.0, SIZE.1)) };
        let image = whole(&[layer], Some(0), SIZE);
        assert_eq!(at(&image, 3, 3), Color32::from_rgb(200, 10, 10));
        assert_eq!(at(&image, 20, 3), Color32::TRANSPARENT);
    }

    #[test]
    fn the_spotlight_darkens_everything_that_does_not_change() {
        let blend = Mask::from_fn(SIZE.0, SIZE.1, |x, _| match x {
            0..8 => 0,
            8..12 => 1,
            _ => 255,
        });
        let image = spotlight(&blend);
        assert_eq!(at(&image, 3, 3), Color32::from_black_alpha(DARK));
        assert_eq!(at(&image, 20, 3), Color32::TRANSPARENT);
        assert!(
            at(&image, 10, 3).a() < DARK / 2 + 1,
            "a partly changed pixel is less dark than an unchanged one"
        );
        assert_ne!(at(&image, 8, 3).a(), DARK, "the outline includes the first changed pixel");
    }
}
