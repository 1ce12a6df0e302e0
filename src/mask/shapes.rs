//! Masks from polygons and rectangles.

use tiny_skia::{FillRule, PathBuilder, Transform};

use super::{Area, Mask};

impl Mask {
    /// Selects the inside of a closed polygon, with anti-aliased edges. Points are in pixels and may lie outside
    /// the picture. Fewer than three points select nothing.
    #[must_use]
    pub fn polygon(width: u32, height: u32, points: &[[f32; 2]]) -> Self {
        Self::filled(width, height, points).unwrap_or_else(|| Self::empty(width, height))
    }

    /// Selects a rectangle, clipped to the picture.
    #[must_use]
    pub fn rectangle(width: u32, height: u32, area: Area) -> Self {
        Self::from_fn(width, height, |x, y| if area.contains(x, y) { u8::MAX } else { 0 })
    }

    fn filled(width: u32, height: u32, points: &[[f32; 2]]) -> Option<Self> {
        let ([first, rest @ ..], true) = (points, points.len() > 2) else { return None };
        let mut path = PathBuilder::new();
        path.move_to(first[0], first[1]);
        rest.iter().for_each(|point| path.line_to(point[0], point[1]));
        path.close();
        let mut filled = tiny_skia::Mask::new(width, height)?;
        // With the winding rule, a region that the outline encloses twice is still inside.
        filled.fill_path(&path.finish()?, FillRule::Winding, true, Transform::identity());
        let values = filled.data();
        Some(Self::from_fn(width, height, |x, y| values[(y * width + x) as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_covers_its_area() {
        let triangle = Mask::polygon(40, 40, &[[5.0, 5.0], [35.0, 5.0], [5.0, 35.0]]);
        let covered = triangle.coverage() * 1600.0;
        assert!((covered - 450.0).abs() < 5.0, "{covered}");
        assert_eq!([triangle.at(6, 6), triangle.at(30, 30)], [255, 0]);
    }

    #[test]
    fn a_polygon_may_leave_the_picture_and_overlap_itself() {
        let all = [[-50.0, -50.0], [90.0, -50.0], [90.0, 90.0], [-50.0, 90.0]];
        assert_eq!(Mask::polygon(40, 30, &all), Mask::full(40, 30));
        let twice = [all, all].concat();
        assert_eq!(Mask::polygon(40, 30, &twice), Mask::full(40, 30));
    }

    #[test]
    fn too_few_or_invalid_points_select_nothing() {
        for points in [&[][..], &[[1.0, 1.0]], &[[1.0, 1.0], [9.0, 9.0]], &[[f32::NAN, 1.0]; 3]] {
            assert!(Mask::polygon(10, 10, points).is_empty());
        }
    }

    #[test]
    fn a_rectangle_is_clipped_to_the_picture() {
        let mask = Mask::rectangle(4, 3, Area { x: 2, y: 1, width: 9, height: 1 });
        assert_eq!(mask.values(), [0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0]);
    }
}
