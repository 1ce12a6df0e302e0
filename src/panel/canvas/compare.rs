//! Two pictures looked at together.

use egui::{PointerButton, Pos2, Rect, Response, Ui};

/// How two pictures are looked at together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Compare {
    /// The candidate alone.
    #[default]
    No,
    /// One on each side of a line that can be dragged.
    Slider,
    /// Beside each other.
    Side,
    /// In turns.
    Blink,
}

impl Compare {
    pub const ALL: [Self; 4] = [Self::No, Self::Slider, Self::Side, Self::Blink];

    pub fn name(self) -> &'static str {
        match self {
            Self::No => "Alone",
            Self::Slider => "Slider",
            Self::Side => "Side by side",
            Self::Blink => "Blink",
        }
    }
}

/// The way of comparing, and where the line of its slider stands.
#[derive(Debug)]
pub(super) struct Comparison {
    pub way: Compare,
    /// Share of the picture's width.
    line: f32,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { way: Compare::No, line: 0.5 }
    }
}

impl Comparison {
    /// Where the line stands on the screen.
    pub fn slider_at(&self, picture: Rect) -> f32 {
        picture.left() + self.line * picture.width()
    }

    /// The room of the picture below the pointer.
    pub fn room_at(&self, room: Rect, at: Pos2) -> Rect {
        match self.way {
            Compare::Side => halves(room)[usize::from(at.x >= room.center().x)],
            _ => room,
        }
    }

    /// Moves the line to the pointer.
    pub fn drag(&mut self, ui: &Ui, response: &Response, picture: Rect) {
        let held = response.dragged_by(PointerButton::Primary) || response.clicked();
        if held
            && self.way == Compare::Slider
            && let Some(at) = ui.input(|input| input.pointer.interact_pos())
        {
            self.line = ((at.x - picture.left()) / picture.width().max(1.0)).clamp(0.0, 1.0);
        }
    }
}

/// Where two pictures beside each other have their room.
pub(super) fn halves(room: Rect) -> [Rect; 2] {
    let (left, right) = room.split_left_right_at_fraction(0.5);
    [left.shrink(1.0), right.shrink(1.0)]
}

#[cfg(test)]
mod tests {
    use egui::pos2;

    use super::*;

    #[test]
    fn of_two_pictures_beside_each_other_the_one_below_the_pointer_is_moved_and_zoomed() {
        let room = Rect::from_min_max(pos2(10.0, 20.0), pos2(410.0, 220.0));
        let mut comparison = Comparison::default();
        assert_eq!(comparison.room_at(room, pos2(50.0, 50.0)), room);
        comparison.way = Compare::Side;
        let [left, right] = [50.0, 350.0].map(|x| comparison.room_at(room, pos2(x, 50.0)));
        assert_eq!([left, right], halves(room));
        assert!(
            left.right() < right.left() && room.contains_rect(left) && room.contains_rect(right)
        );
        assert_eq!(left.size(), right.size());
    }
}
