//! Paints the overlays: parts, the region that would change, the crop box, and the gesture in progress.

use egui::{Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::panel::{
    badge,
    canvas::{Canvas, interaction::Gesture, session::Session, tool::Tool, view::Placement},
    theme,
};

/// The opacity of parts while a job draws into them, so that its preview can be judged.
const OPACITY_OVER_PREVIEW: f32 = 0.25;

/// Paints parts, the region that would change, the crop box and the gesture in progress. Parts are fainter over the
/// preview of a job.
pub(super) fn paint_overlays(
    ui: &Ui,
    painter: &Painter,
    canvas: &mut Canvas,
    session: &Session,
    placement: Placement,
    over_preview: bool,
) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    if let Some(edit_preview) = &canvas.hovered_preview {
        let plan = &edit_preview.plan;
        let texture = canvas.overlay.spotlight(ui, &plan.blend_mask);
        painter.image(texture, placement.rect(), whole, Color32::WHITE);
        context_box(painter, placement.area(plan.crop), "crop given to the model");
        return;
    }
    if !canvas.parts_hidden {
        let texture = canvas.overlay.parts(ui, session);
        let opacity = if over_preview { OPACITY_OVER_PREVIEW } else { 1.0 };
        painter.image(texture, placement.rect(), whole, Color32::WHITE.gamma_multiply(opacity));
    }
    let seen = canvas.edit_preview.as_ref().map(|edit_preview| edit_preview.plan.crop);
    match (session.context, seen) {
        (Some(asked), seen) => {
            // Also paints the author's box if the actual crop differs from it, because the model needs a minimum number
            // of whole latents.
            if canvas.tools.tool == Tool::Crop && seen.is_some_and(|seen| seen != asked) {
                let line = Stroke::new(1.0, theme::ACCENT);
                let asked = placement.area(asked);
                painter.rect_stroke(asked, CornerRadius::ZERO, line, StrokeKind::Middle);
            }
            context_box(painter, placement.area(seen.unwrap_or(asked)), "crop given to the model");
        }
        (None, Some(seen)) if canvas.tools.tool == Tool::Crop => {
            context_box(painter, placement.area(seen), "automatic crop");
        }
        (None, _) => {}
    }
    paint_gesture(painter, canvas, placement, ui.input(|input| input.pointer.hover_pos()));
}

/// A box with an outline that is visible on any picture.
fn context_box(painter: &Painter, area: Rect, name: &str) {
    painter.rect_stroke(
        area,
        CornerRadius::ZERO,
        Stroke::new(3.0, Color32::BLACK),
        StrokeKind::Outside,
    );
    let corners = [area.left_top(), area.right_top(), area.right_bottom(), area.left_bottom()];
    let line = [corners.as_slice(), &corners[..1]].concat();
    painter.extend(Shape::dashed_line(&line, Stroke::new(1.5, theme::ACCENT), 6.0, 4.0));
    let seen = area.intersect(painter.clip_rect());
    badge::paint_note(painter, seen, name);
}

fn paint_gesture(painter: &Painter, canvas: &Canvas, placement: Placement, pointer: Option<Pos2>) {
    let strokes = [Stroke::new(3.0, Color32::BLACK), Stroke::new(1.5, Color32::WHITE)];
    match &canvas.interaction.gesture {
        Gesture::Outline(points) => {
            let points: Vec<_> = points.iter().map(|&at| placement.to_screen(at)).collect();
            let is_polygon = canvas.tools.tool == Tool::Polygon;
            // A preview of the next corner.
            let next = pointer.filter(|_| is_polygon);
            let line: Vec<_> = points.iter().copied().chain(next).collect();
            for stroke in strokes {
                painter.add(Shape::line(line.clone(), stroke));
            }
            for at in points.into_iter().filter(|_| is_polygon) {
                painter.circle(at, 3.5, Color32::WHITE, Stroke::new(1.0, Color32::BLACK));
            }
        }
        Gesture::Drag { from, to } => {
            let rect = Rect::from_two_pos(placement.to_screen(*from), placement.to_screen(*to));
            for stroke in strokes {
                painter.rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Middle);
            }
        }
        Gesture::Stroke { .. } | Gesture::AdjustCrop { .. } | Gesture::None => {}
    }
    let pointing = &canvas.interaction.pointing;
    let adds = canvas.interaction.adds_object();
    let dots = [(&pointing.include, adds), (&pointing.exclude, !adds)];
    for (pixels, is_in) in dots {
        for &(x, y) in pixels {
            point_mark(painter, placement.to_screen([x as f32 + 0.5, y as f32 + 0.5]), is_in);
        }
    }
    if let Some(area) = pointing.area {
        let rect = placement.area(area);
        for stroke in strokes {
            painter.rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Middle);
        }
    }
}

/// A green dot with a plus for a point of the object, or a red one with a minus for a point outside it.
fn point_mark(painter: &Painter, at: Pos2, is_in: bool) {
    let colour =
        if is_in { Color32::from_rgb(20, 140, 70) } else { Color32::from_rgb(190, 40, 40) };
    painter.circle(at, 7.0, colour, Stroke::new(1.5, Color32::WHITE));
    let line = Stroke::new(2.0, Color32::WHITE);
    painter.line_segment([at - vec2(3.5, 0.0), at + vec2(3.5, 0.0)], line);
    if is_in {
        painter.line_segment([at - vec2(0.0, 3.5), at + vec2(0.0, 3.5)], line);
    }
}
