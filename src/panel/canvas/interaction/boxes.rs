//! Boxes on the picture: drawing, moving and resizing them.

use crate::mask::Area;

/// The grabbed edges of a box: left, top, right, bottom.
pub(in crate::panel::canvas) type Edges = [bool; 4];

/// The edges of a box within `grab_distance` pixels of a point. A point inside the box and away from its edges grabs
/// all edges, which moves the box.
pub(in crate::panel::canvas) fn held(
    area: Area,
    at: [f32; 2],
    grab_distance: f32,
) -> Option<Edges> {
    let sides = [area.x, area.y, area.right(), area.bottom()].map(|side| side as f32);
    let [x, y] = at;
    let [left, top, right, bottom] = sides;
    let within = x > left - grab_distance
        && x < right + grab_distance
        && y > top - grab_distance
        && y < bottom + grab_distance;
    if !within {
        return None;
    }
    let near = |side: f32, at: f32| (side - at).abs() <= grab_distance;
    let edges = [near(left, x), near(top, y), near(right, x), near(bottom, y)];
    // If the box is smaller than `grab_distance`, only the nearer edge is grabbed.
    let one = |a: bool, b: bool, from_a: f32, from_b: f32| match (a, b) {
        (true, true) => [from_a.abs() < from_b.abs(), from_a.abs() >= from_b.abs()],
        either => either.into(),
    };
    let [left, right] = one(edges[0], edges[2], left - x, right - x);
    let [top, bottom] = one(edges[1], edges[3], top - y, bottom - y);
    let edges = [left, top, right, bottom];
    Some(if edges == [false; 4] { [true; 4] } else { edges })
}

/// A box after some of its edges were dragged. It stays within the picture and at least one pixel wide and high.
pub(super) fn resized(
    area: Area,
    edges: Edges,
    from: [f32; 2],
    to: [f32; 2],
    size: (u32, u32),
) -> Area {
    if edges == [true; 4] {
        return moved(area, from, to, size);
    }
    let by = |axis: usize| to[axis] - from[axis];
    // The cast saturates.
    let side = |is_held: bool, at: u32, by: f32, least: u32, most: u32| {
        if is_held { ((at as f32 + by).round() as u32).clamp(least, most.max(least)) } else { at }
    };
    let left = side(edges[0], area.x, by(0), 0, area.right().saturating_sub(1));
    let top = side(edges[1], area.y, by(1), 0, area.bottom().saturating_sub(1));
    let right = side(edges[2], area.right(), by(0), area.x.saturating_add(1), size.0);
    let bottom = side(edges[3], area.bottom(), by(1), area.y.saturating_add(1), size.1);
    Area { x: left, y: top, width: right - left, height: bottom - top }
}

/// A box after it was dragged. It stays within the picture.
pub(super) fn moved(area: Area, from: [f32; 2], to: [f32; 2], (width, height): (u32, u32)) -> Area {
    let along = |from: f32, to: f32, start: u32, length: u32, side: u32| {
        let most = side.saturating_sub(length);
        // The cast saturates.
        ((start as f32 + to - from).round() as u32).min(most)
    };
    let x = along(from[0], to[0], area.x, area.width, width);
    let y = along(from[1], to[1], area.y, area.height, height);
    Area { x, y, ..area }
}

/// The column and row of a point, if it is in the picture.
pub(super) fn pixel(at: [f32; 2], (width, height): (u32, u32)) -> Option<(u32, u32)> {
    let inside = (0.0..width as f32).contains(&at[0]) && (0.0..height as f32).contains(&at[1]);
    inside.then_some((at[0] as u32, at[1] as u32))
}

/// The pixels of a box between two points, if any are in the picture.
pub(super) fn area(from: [f32; 2], to: [f32; 2], (width, height): (u32, u32)) -> Option<Area> {
    // The cast saturates.
    let along = |a: f32, b: f32, side: u32| {
        let first = (a.min(b).floor() as u32).min(side);
        (first, (a.max(b).ceil() as u32).min(side) - first)
    };
    let (x, columns) = along(from[0], to[0], width);
    let (y, rows) = along(from[1], to[1], height);
    (columns > 0 && rows > 0).then_some(Area { x, y, width: columns, height: rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Area = Area { x: 20, y: 10, width: 30, height: 20 };
    const SIZE: (u32, u32) = (100, 60);

    #[test]
    fn edges_corners_and_the_whole_box_can_be_grabbed() {
        for (at, edges) in [
            ([35.0, 20.0], Some([true; 4])),
            ([19.0, 20.0], Some([true, false, false, false])),
            ([51.0, 31.0], Some([false, false, true, true])),
            ([35.0, 8.5], Some([false, true, false, false])),
            ([16.0, 20.0], None),
            ([35.0, 40.0], None),
        ] {
            assert_eq!(held(BOX, at, 2.0), edges, "{at:?}");
        }
        let small = Area { x: 20, y: 10, width: 2, height: 2 };
        assert_eq!(held(small, [19.5, 11.5], 4.0), Some([true, false, false, true]));
    }

    #[test]
    fn a_dragged_edge_stops_at_the_picture_and_at_the_opposite_edge() {
        let pull = |edges, to| resized(BOX, edges, [20.0, 10.0], to, SIZE);
        let left = pull([true, false, false, false], [5.0, 50.0]);
        assert_eq!(left, Area { x: 5, y: 10, width: 45, height: 20 });
        let far = pull([false, false, true, true], [900.0, 900.0]);
        assert_eq!(far, Area { x: 20, y: 10, width: 80, height: 50 });
        let over = pull([true, true, false, false], [900.0, 900.0]);
        assert_eq!(over, Area { x: 49, y: 29, width: 1, height: 1 });
        let out = pull([true, true, false, false], [-50.0, -50.0]);
        assert_eq!(out, Area { x: 0, y: 0, width: 50, height: 30 });
        assert_eq!(pull([true; 4], [25.0, 13.0]), Area { x: 25, y: 13, ..BOX });
        assert_eq!(pull([true; 4], [900.0, -9.0]), Area { x: 70, y: 0, ..BOX });
        // A box from a file may be outside the picture.
        let beyond = Area { x: u32::MAX, y: u32::MAX, width: 9, height: 9 };
        let resized = resized(beyond, [true, true, false, false], [0.0, 0.0], [0.0, 0.0], SIZE);
        assert_eq!((resized.right(), resized.bottom()), (u32::MAX, u32::MAX));
    }
}
