//! Comparison of a candidate with the take that it was made from.

use egui::{PointerButton, Pos2, Rect, Response, Ui};

/// A way to compare two pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compare {
    /// Only the candidate.
    #[default]
    No,
    /// One picture on each side of a movable divider.
    Slider,
    /// The pictures next to each other.
    Side,
    /// The pictures in alternation.
    Blink,
}

impl Compare {
    pub const ALL: [Self; 4] = [Self::No, Self::Slider, Self::Side, Self::Blink];

    pub fn name(self) -> &'static str {
        match self {
            Self::No => "Candidate only",
            Self::Slider => "Slider",
            Self::Side => "Side by side",
            Self::Blink => "Blink",
        }
    }
}

/// The mode and the position of the slider's divider.
#[derive(Debug)]
pub(super) struct Comparison {
    pub mode: Compare,
    /// Position of the divider, as a fraction of the picture's width.
    divider: f32,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { mode: Compare::No, divider: 0.5 }
    }
}

impl Comparison {
    /// The x coordinate of the divider on the screen, in points.
    pub fn slider_at(&self, picture: Rect) -> f32 {
        picture.left() + self.divider * picture.width()
    }

    /// The viewport of the picture under the pointer.
    pub fn viewport_at(&self, viewport: Rect, at: Pos2) -> Rect {
        match self.mode {
            Compare::Side => halves(viewport)[usize::from(at.x >= viewport.center().x)],
            _ => viewport,
        }
    }

    /// Moves the divider to the pointer.
    pub fn drag(&mut self, ui: &Ui, response: &Response, picture: Rect) {
        let held = response.dragged_by(PointerButton::Primary) || response.clicked();
        if held
            && self.mode == Compare::Slider
            && let Some(at) = ui.input(|input| input.pointer.interact_pos())
        {
            self.divider = ((at.x - picture.left()) / picture.width().max(1.0)).clamp(0.0, 1.0);
        }
    }
}

/// The viewports of two pictures next to each other.
pub(super) fn halves(viewport: Rect) -> [Rect; 2] {
    let (left, right) = viewport.split_left_right_at_fraction(0.5);
    [left.shrink(1.0), right.shrink(1.0)]
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn side_by_side_the_picture_under_the_pointer_is_panned_and_zoomed() {
        let viewport = Rect::from_min_max(pos2(10.0, 20.0), pos2(410.0, 220.0));
        let mut comparison = Comparison::default();
        assert_eq!(comparison.viewport_at(viewport, pos2(50.0, 50.0)), viewport);
        comparison.mode = Compare::Side;
        let [left, right] = [50.0, 350.0].map(|x| comparison.viewport_at(viewport, pos2(x, 50.0)));
        assert_eq!([left, right], halves(viewport));
        assert!(
            left.right() < right.left()
                && viewport.contains_rect(left)
                && viewport.contains_rect(right)
        );
        assert_eq!(left.size(), right.size());
    }
}
