//! Where a picture lies on the canvas: pan and zoom.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Points of the screen for a pixel of the picture, at least and at most.
const ZOOMS: std::ops::RangeInclusive<f32> = 0.05..=64.0;
/// What stays free around a picture that is fitted, in points.
const MARGIN: f32 = 8.0;

/// What the author looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Zoom, and the pixel in the middle of the room; the whole picture when `None`.
    chosen: Option<(f32, Vec2)>,
}

/// A picture as it lies in a room.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// Where its upper left corner lies.
    pub corner: Pos2,
    /// Points for a pixel.
    pub zoom: f32,
    /// Pixels.
    pub size: Vec2,
}

impl View {
    /// Lays a picture of so many pixels.
    pub fn place(self, room: Rect, size: Vec2) -> Placement {
        let size = size.max(Vec2::splat(1.0));
        let (zoom, middle) = self.chosen.unwrap_or_else(|| {
            let free = (room.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(1.0));
            ((free / size).min_elem().clamp(*ZOOMS.start(), *ZOOMS.end()), size / 2.0)
        });
        Placement { corner: room.center() - middle * zoom, zoom, size }
    }

    /// The whole picture, however large the room becomes.
    pub fn fit(&mut self) {
        self.chosen = None;
    }

    /// So many points for a pixel, around what is in the middle.
    pub fn set_zoom(&mut self, zoom: f32, room: Rect, size: Vec2) {
        let now = self.place(room, size);
        self.zoom_at(room.center(), zoom / now.zoom, room, size);
    }

    /// Nearer by a factor, and the pixel below a place of the screen stays there.
    pub fn zoom_at(&mut self, at: Pos2, factor: f32, room: Rect, size: Vec2) {
        let now = self.place(room, size);
        let zoom = (now.zoom * factor).clamp(*ZOOMS.start(), *ZOOMS.end());
        let middle = now.to_picture(at) + (room.center() - at) / zoom;
        self.chosen = Some((zoom, middle));
    }

    /// Moves the picture by so many points; some of it stays in the middle of the room.
    pub fn pan(&mut self, by: Vec2, room: Rect, size: Vec2) {
        let now = self.place(room, size);
        let middle = now.to_picture(room.center()) - by / now.zoom;
        self.chosen = Some((now.zoom, middle.clamp(Vec2::ZERO, size)));
    }
}

impl Placement {
    /// What the picture covers.
    pub fn rect(self) -> Rect {
        Rect::from_min_size(self.corner, self.size * self.zoom)
    }

    /// The pixel, and where within it, below a place of the screen.
    pub fn to_picture(self, at: Pos2) -> Vec2 {
        (at - self.corner) / self.zoom
    }

    /// Where a place of the picture lies on the screen.
    pub fn to_screen(self, at: [f32; 2]) -> Pos2 {
        self.corner + vec2(at[0], at[1]) * self.zoom
    }

    /// Where a box of pixels lies on the screen.
    pub fn area(self, area: crate::mask::Area) -> Rect {
        let min = self.to_screen([area.x as f32, area.y as f32]);
        Rect::from_min_size(min, vec2(area.width as f32, area.height as f32) * self.zoom)
    }

    /// The column and row below a place of the screen, if it lies on the picture.
    pub fn pixel(self, at: Pos2) -> Option<(u32, u32)> {
        let at = self.to_picture(at).floor();
        let inside = pos2(at.x, at.y).clamp(Pos2::ZERO, self.size.to_pos2()) == at.to_pos2()
            && at.x < self.size.x
            && at.y < self.size.y;
        inside.then_some((at.x as u32, at.y as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(516.0, 266.0) };
    const SIZE: Vec2 = vec2(100.0, 50.0);

    #[test]
    fn a_fitted_picture_lies_in_the_middle_as_large_as_there_is_room() {
        let placed = View::default().place(ROOM, SIZE);
        assert_eq!(placed.zoom, 4.0);
        assert_eq!(placed.rect(), Rect::from_center_size(ROOM.center(), vec2(400.0, 200.0)));
        assert_eq!(placed.pixel(pos2(108.0, 58.0)), Some((0, 0)));
        assert_eq!(placed.pixel(pos2(507.9, 257.9)), Some((99, 49)));
        assert_eq!(placed.pixel(pos2(508.1, 257.9)), None);
        assert_eq!(placed.pixel(pos2(107.9, 58.0)), None);
    }

    #[test]
    fn what_is_below_the_pointer_stays_there_while_zooming() {
        let mut view = View::default();
        let at = pos2(210.0, 90.0);
        let before = view.place(ROOM, SIZE).to_picture(at);
        for factor in [3.0, 0.1, 100.0, 0.001] {
            view.zoom_at(at, factor, ROOM, SIZE);
            let after = view.place(ROOM, SIZE).to_picture(at);
            assert!((after - before).length() < 1e-2, "{factor}: {after} is not {before}");
        }
    }

    #[test]
    fn the_picture_follows_the_hand_but_never_leaves_the_room() {
        let mut view = View::default();
        let before = view.place(ROOM, SIZE);
        view.pan(vec2(30.0, -12.0), ROOM, SIZE);
        assert_eq!(view.place(ROOM, SIZE).corner, before.corner + vec2(30.0, -12.0));
        view.pan(vec2(9000.0, 0.0), ROOM, SIZE);
        assert_eq!(view.place(ROOM, SIZE).rect().left(), ROOM.center().x);
    }

    #[test]
    fn one_to_one_keeps_the_middle() {
        let mut view = View::default();
        view.set_zoom(1.0, ROOM, SIZE);
        let placed = view.place(ROOM, SIZE);
        assert_eq!((placed.zoom, placed.rect().center()), (1.0, ROOM.center()));
    }
}
