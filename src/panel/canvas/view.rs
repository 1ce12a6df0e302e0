//! Pan and zoom of the canvas.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

use crate::{mask::Area, recipe::Canvas};

/// The zoom range, in points of the screen per pixel of the picture.
const ZOOMS: std::ops::RangeInclusive<f32> = 0.05..=64.0;
/// The free space around a fitted picture, in points.
const MARGIN: f32 = 8.0;

/// The current pan and zoom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct View {
    /// The zoom and the pixel at the centre of the viewport; `None` fits the whole picture.
    chosen: Option<(f32, Vec2)>,
}

/// The position of a picture on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The upper left corner, in points.
    pub corner: Pos2,
    /// Points per pixel.
    pub zoom: f32,
    /// Width and height, in pixels.
    pub size: Vec2,
}

impl View {
    /// Positions a picture of `size` pixels.
    pub fn place(self, viewport: Rect, size: Vec2) -> Placement {
        let size = size.max(Vec2::splat(1.0));
        let (zoom, middle) = self.chosen.unwrap_or_else(|| {
            let free = (viewport.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(1.0));
            ((free / size).min_elem().clamp(*ZOOMS.start(), *ZOOMS.end()), size / 2.0)
        });
        Placement { corner: viewport.center() - middle * zoom, zoom, size }
    }

    /// Fits the whole picture into the viewport, also after the viewport changes.
    pub fn fit(&mut self) {
        self.chosen = None;
    }

    /// Sets the zoom, in points per pixel, around the centre.
    pub fn set_zoom(&mut self, zoom: f32, viewport: Rect, size: Vec2) {
        let now = self.place(viewport, size);
        self.zoom_at(viewport.center(), zoom / now.zoom, viewport, size);
    }

    /// Zooms by a factor. The pixel at `at` stays in place.
    pub fn zoom_at(&mut self, at: Pos2, factor: f32, viewport: Rect, size: Vec2) {
        let now = self.place(viewport, size);
        let zoom = (now.zoom * factor).clamp(*ZOOMS.start(), *ZOOMS.end());
        let middle = now.to_picture(at) + (viewport.center() - at) / zoom;
        self.chosen = Some((zoom, middle));
    }

    /// Moves the picture by a vector in points. The picture always covers the centre of the viewport.
    pub fn pan(&mut self, by: Vec2, viewport: Rect, size: Vec2) {
        let now = self.place(viewport, size);
        let middle = now.to_picture(viewport.center()) - by / now.zoom;
        self.chosen = Some((now.zoom, middle.clamp(Vec2::ZERO, size)));
    }
}

impl Placement {
    /// The area that the picture covers, in points.
    pub fn rect(self) -> Rect {
        Rect::from_min_size(self.corner, self.size * self.zoom)
    }

    /// The position in the picture, in pixels, of a point on the screen.
    pub fn to_picture(self, at: Pos2) -> Vec2 {
        (at - self.corner) / self.zoom
    }

    /// The placement of a picture of `size` pixels on a canvas, which has this placement.
    pub fn of_picture(self, canvas: &Canvas, size: Vec2) -> Self {
        let Area { x, y, width, .. } = canvas.picture;
        let corner = self.to_screen([x as f32, y as f32]);
        Self { corner, zoom: self.zoom * width as f32 / size.x.max(1.0), size }
    }

    /// The point on the screen of a position in the picture.
    pub fn to_screen(self, at: [f32; 2]) -> Pos2 {
        self.corner + vec2(at[0], at[1]) * self.zoom
    }

    /// The area on the screen of a box of pixels.
    pub fn area(self, area: Area) -> Rect {
        let min = self.to_screen([area.x as f32, area.y as f32]);
        Rect::from_min_size(min, vec2(area.width as f32, area.height as f32) * self.zoom)
    }

    /// The column and row of the pixel under a point on the screen, if the point is on the picture.
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

    const VIEWPORT: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(516.0, 266.0) };
    const SIZE: Vec2 = vec2(100.0, 50.0);

    #[test]
    fn a_fitted_picture_is_centred_and_fills_the_viewport() {
        let placement = View::default().place(VIEWPORT, SIZE);
        assert_eq!(placement.zoom, 4.0);
        assert_eq!(placement.rect(), Rect::from_center_size(VIEWPORT.center(), vec2(400.0, 200.0)));
        assert_eq!(placement.pixel(pos2(108.0, 58.0)), Some((0, 0)));
        assert_eq!(placement.pixel(pos2(507.9, 257.9)), Some((99, 49)));
        assert_eq!(placement.pixel(pos2(508.1, 257.9)), None);
        assert_eq!(placement.pixel(pos2(107.9, 58.0)), None);
    }

    #[test]
    fn the_pixel_under_the_pointer_stays_in_place_while_zooming() {
        let mut view = View::default();
        let at = pos2(210.0, 90.0);
        let before = view.place(VIEWPORT, SIZE).to_picture(at);
        for factor in [3.0, 0.1, 100.0, 0.001] {
            view.zoom_at(at, factor, VIEWPORT, SIZE);
            let after = view.place(VIEWPORT, SIZE).to_picture(at);
            assert!((after - before).length() < 1e-2, "{factor}: {after} is not {before}");
        }
    }

    #[test]
    fn the_picture_follows_a_drag_but_never_leaves_the_viewport() {
        let mut view = View::default();
        let before = view.place(VIEWPORT, SIZE);
        view.pan(vec2(30.0, -12.0), VIEWPORT, SIZE);
        assert_eq!(view.place(VIEWPORT, SIZE).corner, before.corner + vec2(30.0, -12.0));
        view.pan(vec2(9000.0, 0.0), VIEWPORT, SIZE);
        assert_eq!(view.place(VIEWPORT, SIZE).rect().left(), VIEWPORT.center().x);
    }

    #[test]
    fn a_picture_lies_in_its_rectangle_of_the_canvas() {
        let picture = Area { x: 20, y: 5, width: 60, height: 30 };
        let canvas = Canvas { size: crate::recipe::Size::new(100, 50), picture };
        let whole = View::default().place(VIEWPORT, SIZE);
        let placement = whole.of_picture(&canvas, vec2(120.0, 60.0));
        assert_eq!(placement.rect(), whole.area(picture));
        assert_eq!(placement.pixel(whole.to_screen([79.9, 34.9])), Some((119, 59)));
    }

    #[test]
    fn setting_the_zoom_keeps_the_centre() {
        let mut view = View::default();
        view.set_zoom(1.0, VIEWPORT, SIZE);
        let placement = view.place(VIEWPORT, SIZE);
        assert_eq!((placement.zoom, placement.rect().center()), (1.0, VIEWPORT.center()));
    }
}
