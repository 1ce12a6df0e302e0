//! Pictures on the canvas: one, two compared, or one that is just being drawn.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, Ui, Vec2, pos2};

use crate::{
    art::Take,
    mask::Area,
    panel::{
        badge,
        canvas::{
            Canvas,
            compare::{Compare, halves},
            session::Session,
            view::Placement,
        },
        context::PanelContext,
        theme,
        thumbnails::{Picture, Texture},
    },
};

/// From so many pixels of the screen on, each pixel of the picture is a square of its own.
const SQUARES: f32 = 2.0;

/// The picture that is being made of this one, as far as it is, and where it may differ.
pub(super) fn job_preview(
    canvas: &mut Canvas,
    session: &Session,
    cx: &mut PanelContext<'_>,
) -> Option<(Texture, Area)> {
    let view = cx.current.as_ref()?;
    let edit = view.job.recipe.edit.as_ref()?;
    let image = view.progress.as_ref()?.preview.as_ref()?;
    if view.job.shot != session.shot || edit.parent.as_ref() != Some(&session.take) {
        return None;
    }
    let plan = canvas.plans.of(session.size, &edit.parts, edit.context, session.grid).ok()?;
    Some((cx.thumbnails.of(Picture::Preview(view.job.id, image)), plan.plan.changed))
}

/// A take as it is seen at a zoom, in pixels of the screen.
pub(super) fn texture(cx: &mut PanelContext<'_>, take: &Take, zoom: f32) -> Texture {
    let squares = (zoom >= SQUARES).then(|| cx.thumbnails.of(Picture::Pixels(take)));
    // Until they are there, what was seen before.
    let squares = squares.filter(|squares| *squares != Texture::Loading);
    squares.unwrap_or_else(|| cx.thumbnails.of(Picture::Full(take)))
}

pub(super) fn paint(painter: &Painter, texture: &Texture, placed: Placement) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    let (words, colour) = match texture {
        Texture::Ready(id) => {
            painter.image(*id, placed.rect(), whole, Color32::WHITE);
            return;
        }
        Texture::Loading => ("Reading the picture...", theme::WEAK),
        Texture::Failed(error) => (error.as_str(), theme::ERROR),
    };
    let room = painter.clip_rect().shrink(theme::STEP);
    let text = painter.layout(words.to_owned(), FontId::proportional(14.0), colour, room.width());
    painter.galley(Align2::CENTER_CENTER.anchor_size(room.center(), text.size()).min, text, colour);
}

/// Two pictures at once.
pub(super) fn compare(
    ui: &Ui,
    canvas: &Canvas,
    room: Rect,
    size: Vec2,
    [before, after]: [Texture; 2],
) {
    let painter = ui.painter_at(room);
    let placed = canvas.view.place(room, size);
    match canvas.compare.way {
        Compare::No => paint(&painter, &after, placed),
        Compare::Slider => {
            paint(&painter, &after, placed);
            let at = canvas.compare.slider_at(placed.rect());
            let left = Rect::from_min_max(room.min, pos2(at, room.max.y));
            paint(&painter.with_clip_rect(left.intersect(room)), &before, placed);
            painter.vline(at, room.y_range(), Stroke::new(3.0, Color32::BLACK));
            painter.vline(at, room.y_range(), Stroke::new(1.0, Color32::WHITE));
            let rect = placed.rect().intersect(room);
            badge::paint_note(&painter, rect, "before");
            badge::paint_note(&painter, rect.with_min_x(rect.right() - 48.0), "after");
        }
        Compare::Side => {
            let [left, right] = halves(room);
            for (half, texture, note) in [(left, before, "before"), (right, after, "after")] {
                let painter = painter.with_clip_rect(half);
                paint(&painter, &texture, canvas.view.place(half, size));
                badge::paint_note(&painter, half, note);
            }
        }
        Compare::Blink => {
            let is_before = (ui.input(|input| input.time) * 1.5) as i64 % 2 == 0;
            let (texture, note) = if is_before { (before, "before") } else { (after, "after") };
            paint(&painter, &texture, placed);
            badge::paint_note(&painter, placed.rect().intersect(room), note);
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
        }
    }
}
