//! Painting masks by hand.

use std::sync::Arc;

use super::{Area, Mask};

/// A round brush.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    /// Diameter in pixels.
    pub size: f32,
    /// The fully covered share of the radius, from 0 to 1. From there to the rim the brush fades.
    pub hardness: f32,
    /// The highest coverage of a stroke, from 0 to 1.
    pub opacity: f32,
}

impl Default for Brush {
    fn default() -> Self {
        Self { size: 50.0, hardness: 0.9, opacity: 1.0 }
    }
}

impl Brush {
    /// Draws a straight segment of a stroke and returns the area that may have changed.
    ///
    /// Points are in pixels; the centre of the first pixel is `[0.5, 0.5]`. Segments do not accumulate: each
    /// pixel keeps the highest value that any segment gives it. Draw each stroke into an empty mask and then
    /// [combine](Mask::combine) it with the target, so that half opacity stays half where the stroke crosses
    /// itself.
    pub fn draw(&self, stroke: &mut Mask, from: [f32; 2], to: [f32; 2]) -> Option<Area> {
        // Even the hardest brush fades over one pixel at the rim, to avoid jagged edges.
        let radius = (self.size / 2.0).max(0.5);
        let core = (radius * self.hardness.clamp(0.0, 1.0)).min(radius - 0.5);
        let opacity = self.opacity.clamp(0.0, 1.0) * 255.0;
        let (width, height) = stroke.size();
        let columns = span(from[0], to[0], radius + 0.5, width)?;
        let rows = span(from[1], to[1], radius + 0.5, height)?;
        let pixels = Arc::make_mut(&mut stroke.0);
        for y in rows.0..rows.1 {
            for x in columns.0..columns.1 {
                let distance = segment_distance([x as f32 + 0.5, y as f32 + 0.5], from, to);
                let fade = (radius + 0.5 - distance) / (radius + 0.5 - core);
                let value = (opacity * smoothstep(fade.clamp(0.0, 1.0))).round() as u8;
                let pixel = &mut pixels.get_pixel_mut(x, y).0[0];
                *pixel = (*pixel).max(value);
            }
        }
        let (x, y) = (columns.0, rows.0);
        Some(Area { x, y, width: columns.1 - x, height: rows.1 - y })
    }
}

/// The range of pixels along one axis within `radius` of a segment; `None` if it is empty.
fn span(from: f32, to: f32, radius: f32, side: u32) -> Option<(u32, u32)> {
    if !(from.is_finite() && to.is_finite()) {
        return None;
    }
    // The cast saturates, which clips at the picture's edge.
    let first = (from.min(to) - radius).floor() as u32;
    let end = ((from.max(to) + radius).ceil() as u32).min(side);
    (first < end).then_some((first, end))
}

/// The distance of a point from a line segment.
fn segment_distance(point: [f32; 2], from: [f32; 2], to: [f32; 2]) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let out = [point[0] - from[0], point[1] - from[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let t = if length > 0.0 {
        ((out[0] * along[0] + out[1] * along[1]) / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (out[0] - t * along[0]).hypot(out[1] - t * along[1])
}

/// The cubic smoothstep from 0 to 1.
pub(super) fn smoothstep(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(brush: Brush) -> Mask {
        let mut stroke = Mask::empty(40, 40);
        brush.draw(&mut stroke, [20.0, 20.0], [20.0, 20.0]);
        stroke
    }

    #[test]
    fn a_dot_covers_a_disc_with_the_brush_diameter() {
        for size in [1.0, 9.0, 20.0] {
            let covered = dot(Brush { size, hardness: 1.0, opacity: 1.0 }).coverage() * 1600.0;
            let disc = std::f32::consts::PI * size * size / 4.0;
            assert!((covered - disc).abs() < 0.06 * disc + 0.6, "{size}: {covered} is not {disc}");
        }
    }

    #[test]
    fn a_soft_brush_fades_from_the_centre_and_a_hard_brush_at_the_rim() {
        let (soft, hard) = (
            dot(Brush { size: 30.0, hardness: 0.0, opacity: 1.0 }),
            dot(Brush { size: 30.0, hardness: 1.0, opacity: 1.0 }),
        );
        let row = |mask: &Mask| (20..40).map(|x| mask.at(x, 20)).collect::<Vec<_>>();
        assert!(
            row(&soft).is_sorted_by(|a, b| a >= b) && soft.at(27, 20) < 180,
            "{:?}",
            row(&soft)
        );
        assert_eq!(hard.at(32, 20), 255);
        assert_eq!([soft.at(37, 20), hard.at(37, 20)], [0, 0]);
    }

    #[test]
    fn a_stroke_that_crosses_itself_keeps_its_opacity() {
        let brush = Brush { size: 6.0, hardness: 1.0, opacity: 0.5 };
        let mut stroke = Mask::empty(40, 40);
        brush.draw(&mut stroke, [0.0, 20.0], [40.0, 20.0]);
        let changed = brush.draw(&mut stroke, [20.0, 0.0], [20.0, 40.0]).unwrap();
        assert_eq!([stroke.at(20, 20), stroke.at(5, 20), stroke.at(20, 35)], [128; 3]);
        assert_eq!(changed, Area { x: 16, y: 0, width: 8, height: 40 });
        assert_eq!(stroke.at(5, 30), 0);
    }

    #[test]
    fn strokes_outside_the_picture_do_nothing() {
        let brush = Brush::default();
        let mut stroke = Mask::empty(40, 30);
        for far in [[-200.0, 10.0], [10.0, 500.0], [f32::NAN, 3.0], [f32::INFINITY, 3.0]] {
            assert_eq!(brush.draw(&mut stroke, far, far), None, "{far:?}");
        }
        assert!(stroke.is_empty());
        assert!(brush.draw(&mut stroke, [-10.0, 10.0], [-10.0, 10.0]).is_some());
    }
}
