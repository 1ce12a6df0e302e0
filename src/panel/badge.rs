//! Badges for the state of a shot. Each state has a shape, a colour and a word, so that states are distinguishable
//! without colour.

use std::f32::consts::PI;

use egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui,
    WidgetInfo, WidgetType, pos2, vec2,
};

use super::theme;
use crate::storyboard::ShotState;

/// The colour of a state: the palette of Okabe and Ito (2008), lightened for a dark background.
pub(super) const fn colour(state: ShotState) -> Color32 {
    match state {
        ShotState::Missing => Color32::from_rgb(172, 178, 189),
        ShotState::Queued => Color32::from_rgb(110, 190, 240),
        ShotState::Drafted => Color32::from_rgb(240, 228, 110),
        ShotState::Accepted => Color32::from_rgb(72, 205, 160),
        ShotState::Stale => Color32::from_rgb(240, 170, 50),
        ShotState::Orphaned => Color32::from_rgb(222, 150, 190),
        ShotState::Failed => Color32::from_rgb(255, 138, 112),
    }
}

/// Paints the shape of a state, centred at `at`. `radius` is in points.
pub(super) fn paint_mark(painter: &Painter, at: Pos2, radius: f32, state: ShotState) {
    let colour = colour(state);
    let line = Stroke::new(1.5, colour);
    match state {
        ShotState::Missing => {
            painter.circle_stroke(at, radius, line);
        }
        ShotState::Queued => {
            for step in [-1.0, 0.0, 1.0] {
                painter.circle_filled(at + vec2(step * radius, 0.0), radius * 0.36, colour);
            }
        }
        ShotState::Drafted => {
            painter.circle_stroke(at, radius, line);
            let rim = (0..=12u8).map(|n| PI * (0.5 + f32::from(n) / 12.0));
            let half = rim.map(|a| at + radius * vec2(a.cos(), a.sin())).collect();
            painter.add(Shape::convex_polygon(half, colour, Stroke::NONE));
        }
        ShotState::Accepted => {
            let tick = [vec2(-1.0, 0.1), vec2(-0.25, 0.8), vec2(1.0, -0.7)];
            let tick = tick.map(|v| at + radius * v).to_vec();
            painter.add(Shape::line(tick, Stroke::new(2.0, colour)));
        }
        ShotState::Stale => {
            let corners = [vec2(0.0, -1.1), vec2(1.1, 0.0), vec2(0.0, 1.1), vec2(-1.1, 0.0)];
            let corners = corners.map(|v| at + radius * v).to_vec();
            painter.add(Shape::convex_polygon(corners, colour, Stroke::NONE));
        }
        ShotState::Orphaned => {
            painter.circle_stroke(at, radius, line);
            painter
                .line_segment([at + radius * vec2(-0.7, 0.7), at + radius * vec2(0.7, -0.7)], line);
        }
        ShotState::Failed => {
            let line = Stroke::new(2.0, colour);
            let reach = radius * 0.8;
            painter.line_segment([at - vec2(reach, reach), at + vec2(reach, reach)], line);
            painter.line_segment([at + vec2(-reach, reach), at + vec2(reach, -reach)], line);
        }
    }
}

/// Paints shape and word on a dark label in the lower left corner of a picture.
pub(super) fn paint_on_picture(painter: &Painter, picture: Rect, state: ShotState, word: &str) {
    let word = painter.layout_no_wrap(word.into(), FontId::proportional(12.0), colour(state));
    let corner = picture.left_bottom() + vec2(4.0, -4.0);
    let ground = Rect::from_min_max(
        pos2(corner.x, corner.y - 18.0),
        pos2(corner.x + 20.0 + word.size().x + 6.0, corner.y),
    );
    painter.rect_filled(ground, CornerRadius::same(9), Color32::from_black_alpha(225));
    paint_mark(painter, pos2(ground.left() + 11.0, ground.center().y), 4.5, state);
    let at = pos2(ground.left() + 20.0, ground.center().y - word.size().y / 2.0);
    painter.galley(at, word, colour(state));
}

/// Shows shape and word in a line of text.
pub(super) fn show(ui: &mut Ui, state: ShotState, word: &str) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        mark(ui, state);
        ui.label(RichText::new(word).color(colour(state)));
    });
}

/// Shows only the shape, in the size of a letter.
pub(super) fn mark(ui: &mut Ui, state: ShotState) {
    let (rect, response) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    paint_mark(ui.painter(), rect.center(), 5.0, state);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, state.name()));
    response.on_hover_text(state.name());
}

/// Paints a tick on a dark disc in the upper right corner of a picture, for the accepted take.
pub(super) fn paint_tick(painter: &Painter, picture: Rect) {
    let at = picture.right_top() + vec2(-12.0, 12.0);
    painter.circle_filled(at, 9.0, Color32::from_black_alpha(225));
    paint_mark(painter, at, 5.0, ShotState::Accepted);
}

/// Paints a word on a dark label in the upper left corner of a picture.
pub(super) fn paint_note(painter: &Painter, picture: Rect, note: &str) {
    label(painter, picture, Align2::LEFT_TOP, note);
}

/// Paints the place of a take, such as `2 of 4`, on a dark label in the lower left corner of a picture.
pub(super) fn paint_place(painter: &Painter, picture: Rect, place: &str) {
    label(painter, picture, Align2::LEFT_BOTTOM, place);
}

/// Paints words on a dark label in a corner of a picture.
fn label(painter: &Painter, picture: Rect, corner: Align2, words: &str) {
    let text = painter.layout_no_wrap(words.into(), FontId::proportional(11.0), theme::TEXT);
    let ground = corner.align_size_within_rect(text.size() + vec2(10.0, 4.0), picture.shrink(4.0));
    painter.rect_filled(ground, CornerRadius::same(8), Color32::from_black_alpha(225));
    let at = Align2::CENTER_CENTER.anchor_size(ground.center(), text.size()).min;
    painter.galley(at, text, theme::TEXT);
}
