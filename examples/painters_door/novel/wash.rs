//! The wash of colour on a canvas without a picture.
//!
//! Its alpha channel is a map of brush strokes, not an opacity: in a fade from one image to the next, pixels
//! with low values change first.

use bevy::{
    asset::RenderAssetUsages,
    image::ImageSampler,
    prelude::*,
    render::render_resource::{Extent3d, TextureDimension, TextureFormat},
};

/// The width and height of the wash, in pixels.
const SIDE: u32 = 128;
/// Colours of the wash from deep to light: dusk, plum, clay, ochre.
const COLOURS: [Vec3; 4] = [
    Vec3::new(38.0, 36.0, 60.0),
    Vec3::new(82.0, 62.0, 88.0),
    Vec3::new(142.0, 98.0, 92.0),
    Vec3::new(196.0, 158.0, 112.0),
];

/// Paints the wash.
#[must_use]
pub fn wash() -> Image {
    let data = (0..SIDE * SIDE).flat_map(|at| pixel(at % SIDE, at / SIDE)).collect();
    let size = Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 };
    let format = TextureFormat::Rgba8UnormSrgb;
    let usages = RenderAssetUsages::RENDER_WORLD;
    let mut image = Image::new(size, TextureDimension::D2, data, format, usages);
    image.sampler = ImageSampler::linear();
    image
}

fn pixel(x: u32, y: u32) -> [u8; 4] {
    let at = Vec2::new(x as f32, y as f32) / SIDE as f32;
    // Domain warping: noise that is displaced by noise looks like brushed paint.
    let bend = Vec2::new(clouds(at * 3.0), clouds(at * 3.0 + 7.7)) - 0.5;
    let light = clouds(at * 2.5 + bend * 2.2);
    let [r, g, b] = colour(light * 0.75 + (1.0 - at.y) * 0.35 - 0.05).to_array();
    let strokes = clouds(Vec2::new(at.x * 4.0, at.y * 9.0) + bend * 1.5);
    let strokes = ((strokes - 0.25) * 2.0).clamp(0.0, 1.0) * 255.0;
    [r as u8, g as u8, b as u8, strokes as u8]
}

/// The colour at `light` between 0 and 1.
fn colour(light: f32) -> Vec3 {
    let at = light.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let below = (at as usize).min(COLOURS.len() - 2);
    COLOURS[below].lerp(COLOURS[below + 1], at - below as f32)
}

/// Value noise in five octaves, mostly between 0.2 and 0.8.
fn clouds(at: Vec2) -> f32 {
    let octave = |n: i32| noise(at * 2f32.powi(n) + 17.3 * n as f32) * 0.5f32.powi(n + 1);
    (0..5).map(octave).sum()
}

/// Value noise between 0 and 1: a random value at each integer point, with smooth interpolation.
fn noise(at: Vec2) -> f32 {
    let cell = at.floor();
    let within = at - cell;
    let within = within * within * (3.0 - 2.0 * within);
    let corner = |x: f32, y: f32| random(cell + Vec2::new(x, y));
    let upper = corner(0.0, 0.0).lerp(corner(1.0, 0.0), within.x);
    let lower = corner(0.0, 1.0).lerp(corner(1.0, 1.0), within.x);
    upper.lerp(lower, within.y)
}

/// A random value between 0 and 1 for an integer point.
fn random(point: Vec2) -> f32 {
    let seed = (point.x as i32 as u32).wrapping_mul(0x9E37_79B1)
        ^ (point.y as i32 as u32).wrapping_mul(0x85EB_CA77);
    let mixed = (seed ^ (seed >> 15)).wrapping_mul(0x2C1B_3C6D);
    ((mixed ^ (mixed >> 12)) & 0xFFFF) as f32 / 65_535.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strokes_reveal_a_picture_gradually() {
        let data = wash().data.expect("pixels");
        let painted_at = |mix: u8| {
            let strokes = data.iter().skip(3).step_by(4);
            strokes.filter(|&&stroke| stroke < mix).count() as f32 / (SIDE * SIDE) as f32
        };
        assert!((0.05..0.45).contains(&painted_at(64)), "{}", painted_at(64));
        assert!((0.3..0.7).contains(&painted_at(128)), "{}", painted_at(128));
        assert!((0.55..0.95).contains(&painted_at(192)), "{}", painted_at(192));
    }
}
