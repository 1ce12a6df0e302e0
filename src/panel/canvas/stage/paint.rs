//! Pictures on the canvas: one, two to compare, or the preview of a job.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, Ui, pos2};

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
    recipe::Canvas as PictureCanvas,
};

/// From this zoom on, in pixels of the screen per pixel of the picture, pixels are painted as squares.
const SQUARES: f32 = 2.0;

/// The preview of a job that edits this take, and the area that it may change.
pub(super) fn job_preview(session: &Session, cx: &mut PanelContext<'_>) -> Option<(Texture, Area)> {
    let view = cx.current.as_ref()?;
    let edit = view.job.recipe.edit.as_ref()?;
    let progress = view.progress.as_ref()?;
    let image = progress.preview.as_ref()?;
    let size = view.job.recipe.size;
    if view.job.shot != session.shot || edit.parent.as_ref() != Some(&session.take) {
        return None;
    }
    let changed =
        progress.changed.unwrap_or(Area { x: 0, y: 0, width: size.width, height: size.height });
    Some((cx.thumbnails.of(Picture::Preview(view.job.id, image)), changed))
}

/// The canvas of the job whose preview is shown, if it has one.
pub(super) fn canvas_of_job(session: &Session, cx: &mut PanelContext<'_>) -> Option<PictureCanvas> {
    job_preview(session, cx)?;
    cx.current.as_ref()?.job.recipe.edit.as_ref()?.canvas
}

/// The texture of a take at a zoom, in pixels of the screen per pixel of the picture.
pub(super) fn texture(cx: &mut PanelContext<'_>, take: &Take, zoom: f32) -> Texture {
    let squares = (zoom >= SQUARES).then(|| cx.thumbnails.of(Picture::Pixels(take)));
    // Use the smooth texture until the other one is ready.
    let squares = squares.filter(|squares| *squares != Texture::Loading);
    squares.unwrap_or_else(|| cx.thumbnails.of(Picture::Full(take)))
}

pub(super) fn paint(painter: &Painter, texture: &Texture, placement: Placement) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    let (words, colour) = match texture {
        Texture::Ready(id) => {
            painter.image(*id, placement.rect(), whole, Color32::WHITE);
            return;
        }
        Texture::Loading => ("Loading the picture...", theme::WEAK),
        Texture::Failed(error) => (error.as_str(), theme::ERROR),
    };
    let viewport = painter.clip_rect().shrink(theme::STEP);
    let text =
        painter.layout(words.to_owned(), FontId::proportional(14.0), colour, viewport.width());
    painter.galley(
        Align2::CENTER_CENTER.anchor_size(viewport.center(), text.size()).min,
        text,
        colour,
    );
}

/// Paints two pictures in the selected mode. `place` returns their placements in a viewport.
pub(super) fn compare(
    ui: &Ui,
    canvas: &Canvas,
    viewport: Rect,
    place: impl Fn(Rect) -> [Placement; 2],
    [before, after]: [Texture; 2],
) {
    let painter = ui.painter_at(viewport);
    let [placement_before, placement] = place(viewport);
    match canvas.compare.mode {
        Compare::No => paint(&painter, &after, placement),
        Compare::Slider => {
            paint(&painter, &after, placement);
            let at = canvas.compare.slider_at(placement.rect());
            let left = Rect::from_min_max(viewport.min, pos2(at, viewport.max.y));
            let left = painter.with_clip_rect(left.intersect(viewport));
            // The candidate may be larger.
            left.rect_filled(placement.rect(), 0.0, theme::WELL);
            paint(&left, &before, placement_before);
            painter.vline(at, viewport.y_range(), Stroke::new(3.0, Color32::BLACK));
            painter.vline(at, viewport.y_range(), Stroke::new(1.0, Color32::WHITE));
            let rect = placement.rect().intersect(viewport);
            badge::paint_note(&painter, rect, "before");
            badge::paint_note(&painter, rect.with_min_x(rect.right() - 48.0), "after");
        }
        Compare::Side => {
            let [left, right] = halves(viewport);
            let placements = [place(left)[0], place(right)[1]];
            let halves = [(left, before, "before"), (right, after, "after")];
            for ((half, texture, note), placement) in halves.into_iter().zip(placements) {
                let painter = painter.with_clip_rect(half);
                paint(&painter, &texture, placement);
                badge::paint_note(&painter, half, note);
            }
        }
        Compare::Blink => {
            let is_before = (ui.input(|input| input.time) * 1.5) as i64 % 2 == 0;
            let (texture, note, shown) = match is_before {
                true => (before, "before", placement_before),
                false => (after, "after", placement),
            };
            paint(&painter, &texture, shown);
            badge::paint_note(&painter, placement.rect().intersect(viewport), note);
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
        }
    }
}
