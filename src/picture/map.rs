//! Maps: what an inspiration takes from a picture, extracted from it.

use std::fmt;

use image::{GrayImage, Luma, Rgba, RgbaImage, imageops};
use imageproc::{
    edges::canny,
    gradients::{horizontal_sobel, vertical_sobel},
};

use super::{resize::without_ends, resized};
use crate::mask::over_grey;

/// A kind of map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MapKind {
    /// Thin lines on the edges (Canny 1986), black on white: an outline.
    Edges,
    /// Lines as dark as the edges are strong (Sobel's gradient), on white: an outline.
    SoftEdges,
    /// The colours without details, averaged over about a sixteenth of the longer side: a scribble.
    RoughColours,
}

/// Canny's thresholds: an edge begins at the upper one and goes on to the lower one.
const CANNY: [f32; 2] = [20.0, 50.0];

/// The share of pixels whose edges are not black in [`MapKind::SoftEdges`].
const WEAKER: f32 = 0.98;

/// The number of rough colours along the longer side.
const ROUGH: u32 = 16;

impl MapKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Edges, Self::SoftEdges, Self::RoughColours];

    /// The name, such as `soft-edges`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edges => "edges",
            Self::SoftEdges => "soft-edges",
            Self::RoughColours => "rough-colours",
        }
    }

    /// Extracts the map of a picture, in the same size; of one that is more than 128 times as long as wide, only of the centre. Where rough colours are transparent, so is the map; lines are on
    /// an opaque ground, and transparent pixels count as grey.
    #[must_use]
    pub fn extract(self, picture: &RgbaImage) -> RgbaImage {
        let picture = &*without_ends(picture);
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return picture.clone();
        }
        match self {
            Self::Edges => {
                let [low, high] = CANNY;
                drawn(&canny(&grey(picture), low, high))
            }
            Self::SoftEdges => drawn(&soft_edges(&imageops::fast_blur(&grey(picture), 1.0))),
            Self::RoughColours => {
                let cell = width.max(height).div_ceil(ROUGH);
                let rough = resized(picture, width.div_ceil(cell), height.div_ceil(cell));
                resized(&rough, width, height)
            }
        }
    }
}

impl fmt::Display for MapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn grey(picture: &RgbaImage) -> GrayImage {
    imageops::grayscale(&*over_grey(picture))
}

/// The length of Sobel's gradient. The strongest edges have 255.
fn soft_edges(grey: &GrayImage) -> GrayImage {
    let (across, down) = (horizontal_sobel(grey), vertical_sobel(grey));
    let slopes = across.pixels().zip(down.pixels());
    let slopes = slopes.map(|(across, down)| f32::from(across.0[0]).hypot(f32::from(down.0[0])));
    let slopes: Vec<f32> = slopes.collect();
    let mut sorted = slopes.clone();
    let at = ((sorted.len() - 1) as f32 * WEAKER) as usize;
    let (_, strong, _) = sorted.select_nth_unstable_by(at, f32::total_cmp);
    let scale = 255.0 / strong.max(8.0);
    let mut slopes = slopes.into_iter();
    GrayImage::from_fn(grey.width(), grey.height(), |_, _| {
        Luma([(slopes.next().unwrap_or(0.0) * scale).min(255.0) as u8])
    })
}

/// Ink on white paper.
fn drawn(ink: &GrayImage) -> RgbaImage {
    RgbaImage::from_fn(ink.width(), ink.height(), |x, y| {
        let light = 255 - ink.get_pixel(x, y).0[0];
        Rgba([light, light, light, 255])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A red square, from 16 to 48, on a blue ground.
    fn square() -> RgbaImage {
        RgbaImage::from_fn(64, 64, |x, y| {
            let is_inside = (16..48).contains(&x) && (16..48).contains(&y);
            if is_inside { Rgba([250, 120, 90, 255]) } else { Rgba([20, 30, 60, 255]) }
        })
    }

    fn ink(map: &RgbaImage, x: u32, y: u32) -> u8 {
        255 - map.get_pixel(x, y).0[0]
    }

    #[test]
    fn edges_are_thin_lines_around_a_square_and_nowhere_else() {
        let map = MapKind::Edges.extract(&square());
        let row: Vec<u32> = (0..64).filter(|&x| ink(&map, x, 32) > 0).collect();
        // The edge is between two pixels, which are equally steep.
        assert_eq!(row, [15, 16, 47, 48]);
        let [inside, outside] = [(32, 32), (4, 4)].map(|(x, y)| ink(&map, x, y));
        assert_eq!([inside, outside], [0, 0]);
    }

    #[test]
    fn soft_edges_are_as_dark_as_the_edge_is_strong() {
        // A strong edge at 20, and one of a quarter of its height at 40.
        let picture = RgbaImage::from_fn(60, 30, |x, _| {
            let level = if x < 20 {
                20
            } else if x < 40 {
                180
            } else {
                220
            };
            Rgba([level, level, level, 255])
        });
        let map = MapKind::SoftEdges.extract(&picture);
        let strongest =
            |range: std::ops::Range<u32>| range.map(|x| ink(&map, x, 15)).max().unwrap();
        let (strong, weak, none) = (strongest(16..24), strongest(36..44), strongest(28..32));
        assert!(strong > 200 && none == 0, "{strong} {none}");
        let share = f32::from(weak) / f32::from(strong);
        assert!((share - 0.25).abs() < 0.05, "{weak} of {strong}");
    }

    #[test]
    fn rough_colours_are_means_of_places_and_keep_transparency() {
        let mut picture = square();
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            // A fine pattern.
            pixel.0[1] = pixel.0[1].wrapping_add(if x % 2 == 0 { 20 } else { 0 });
            pixel.0[3] = if x < 8 { 0 } else { 255 };
        }
        let map = MapKind::RoughColours.extract(&picture);
        let [red, green, _, alpha] = map.get_pixel(32, 32).0;
        assert!(red > 240 && green.abs_diff(130) <= 3 && alpha == 255, "{red} {green} {alpha}");
        assert_eq!(map.get_pixel(33, 32).0[1].abs_diff(green), 0, "no pattern is left");
        assert_eq!(map.get_pixel(1, 32).0[3], 0);
    }

    #[test]
    fn maps_of_tiny_pictures_have_their_size() {
        for (width, height) in [(0, 0), (1, 1), (1, 9), (3, 2), (120, 1)] {
            let picture = RgbaImage::from_pixel(width, height, Rgba([9, 9, 9, 255]));
            for kind in MapKind::ALL {
                assert_eq!(kind.extract(&picture).dimensions(), (width, height), "{kind}");
            }
        }
        // Filters for such a picture would need gigabytes.
        let long = RgbaImage::from_pixel(1_000_000, 1, Rgba([9, 9, 9, 255]));
        assert_eq!(MapKind::RoughColours.extract(&long).dimensions(), (128, 1));
    }
}
