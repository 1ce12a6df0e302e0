//! The picture on the canvas, and pointer input on it.

mod overlays;
mod paint;
mod textures;

use egui::{
    Color32, CornerRadius, CursorIcon, Event, Key, Modifiers, Painter, PointerButton, Pos2, Rect,
    Response, Sense, Stroke, Ui, Vec2, WidgetInfo, WidgetType, vec2,
};

use super::{
    Canvas,
    session::Session,
    tool::{BRUSH_SIZES, Tool},
    view::Placement,
};
use crate::{
    art::Take,
    panel::{context::PanelContext, theme, thumbnails::Texture},
    recipe::Layer,
};
use overlays::paint_overlays;
use paint::{canvas_of_job, compare, job_preview, paint, texture};
pub(super) use textures::Overlay;

/// Zoom per point of wheel movement.
const WHEEL_ZOOM: f32 = 0.005;
/// The distance within which the pointer grabs an edge or a corner, in points.
const GRAB_DISTANCE: f32 = 7.0;

/// Shows the picture and handles the pointer on it.
pub(super) fn stage(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
    viewport: Vec2,
) {
    let candidate = canvas.candidates.selected(cx.project.art().takes(&take.shot));
    let (viewport, response) = ui.allocate_exact_size(viewport, Sense::click_and_drag());
    let label = format!("Canvas of {}", take.shot);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &label));
    // While the pointer is on a draw button, the canvas shows the take that the button would edit.
    let shown = candidate.filter(|_| canvas.hovered_preview.is_none());
    let own_size = vec2(session.size.0 as f32, session.size.1 as f32);
    let larger = match shown {
        Some(candidate) => candidate.recipe().edit.as_ref().and_then(|edit| edit.canvas),
        None => canvas_of_job(session, cx),
    };
    let size = larger.map_or(own_size, |it| vec2(it.size.width as f32, it.size.height as f32));
    let pointer = response.hover_pos().unwrap_or(viewport.center());
    let own_viewport =
        candidate.map_or(viewport, |_| canvas.compare.viewport_at(viewport, pointer));
    canvas.viewport = Some(own_viewport);

    let moves_picture = pan_and_zoom(ui, canvas, &response, own_viewport, size, cx.has_keys);
    let whole = canvas.view.place(viewport, size);
    let placement = larger.map_or(whole, |larger| whole.of_picture(&larger, own_size));
    canvas.interaction.grab_distance = GRAB_DISTANCE / placement.zoom;
    canvas.interaction.context =
        session.context.or(canvas.edit_preview.as_ref().map(|p| p.plan.crop));
    let is_tool_active = candidate.is_none() && canvas.tools.tool != Tool::Hand && !moves_picture;
    if candidate.is_some() && !moves_picture {
        canvas.compare.drag(ui, &response, whole.rect());
    } else if candidate.is_none() && canvas.tools.tool == Tool::Hand {
        select_part_at(canvas, session, &response, placement);
    }
    if let Err(why) = handle_pointer(ui, canvas, session, &response, placement, is_tool_active) {
        canvas.note = Some(why);
    }

    let zoom = placement.zoom * ui.pixels_per_point();
    let painter = ui.painter_at(viewport);
    painter.rect_filled(viewport, CornerRadius::same(4), theme::WELL);
    match shown {
        Some(candidate) => {
            let before = texture(cx, take, zoom);
            let after = match texture(cx, candidate, zoom) {
                // Loading the picture takes some frames.
                Texture::Loading => before.clone(),
                after => after,
            };
            let place = |viewport| {
                let whole = canvas.view.place(viewport, size);
                [larger.map_or(whole, |larger| whole.of_picture(&larger, own_size)), whole]
            };
            compare(ui, canvas, viewport, place, [before, after]);
        }
        None => {
            let now = texture(cx, take, zoom);
            paint(&painter, &now, placement);
            let job_preview = job_preview(session, cx);
            if let Some((preview, area)) = &job_preview {
                let painter = painter.with_clip_rect(whole.area(*area).intersect(viewport));
                paint(&painter, preview, whole);
            }
            paint_overlays(ui, &painter, canvas, session, placement, job_preview.is_some());
            draw_cursor(ui, &painter, canvas, &response, placement, moves_picture);
        }
    }
}

/// Pans and zooms by wheel, middle button and space. Returns whether the pointer is panning. Tools then ignore it.
fn pan_and_zoom(
    ui: &Ui,
    canvas: &mut Canvas,
    response: &Response,
    viewport: Rect,
    size: Vec2,
    has_keys: bool,
) -> bool {
    let (wheel, pinch, space, moved) = ui.input(|input| {
        let space = has_keys && input.key_down(Key::Space);
        (input.smooth_scroll_delta().y, input.zoom_delta(), space, input.pointer.delta())
    });
    if let Some(at) = response.hover_pos() {
        // Ctrl and the wheel resize a brush, as in other paint programs. egui reports that as a pinch.
        match canvas.tools.brush().filter(|_| pinch != 1.0) {
            Some(brush) => {
                let (least, most) = BRUSH_SIZES.into_inner();
                brush.size = (brush.size * pinch).clamp(least, most);
            }
            None if pinch != 1.0 || wheel != 0.0 => {
                canvas.view.zoom_at(at, pinch * (wheel * WHEEL_ZOOM).exp(), viewport, size);
                // The panel must not scroll at the same time.
                ui.input_mut(|input| input.smooth_scroll_delta = Vec2::ZERO);
            }
            None => {}
        }
    }
    let is_panning = space || canvas.tools.tool == Tool::Hand;
    if response.dragged_by(PointerButton::Middle)
        || (is_panning && response.dragged_by(PointerButton::Primary))
    {
        canvas.view.pan(moved, viewport, size);
        return true;
    }
    is_panning
}

/// With the Hand tool, a click selects the topmost part under the pointer.
fn select_part_at(
    canvas: &mut Canvas,
    session: &mut Session,
    response: &Response,
    placement: Placement,
) {
    let clicked = response.interact_pointer_pos().filter(|_| response.clicked());
    if let Some((x, y)) = clicked.and_then(|at| placement.pixel(at)) {
        let below = |layer: &Layer| !layer.hidden && layer.mask.at(x, y) >= 128;
        canvas.select_part(session, session.layers.iter().position(below));
    }
}

/// Passes the pointer's events to the tool, in order, because several can occur in one frame. A gesture ends when its
/// button is released, even if the tool is no longer active.
fn handle_pointer(
    ui: &Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    response: &Response,
    placement: Placement,
    is_tool_active: bool,
) -> Result<(), String> {
    let to_picture = |at: Pos2| placement.to_picture(at).into();
    let (events, keys) = ui.input(|input| (input.events.clone(), input.modifiers));
    // Windows and menus above the canvas get the pointer first.
    let is_on_canvas = response.contains_pointer() || response.is_pointer_button_down_on();
    let mut places = Vec::new();
    let mut result = Ok(());
    for event in events {
        match event {
            Event::PointerMoved(at) => places.push(to_picture(at)),
            Event::PointerButton { pos, button: PointerButton::Primary, pressed, .. } => {
                if !pressed {
                    places.push(to_picture(pos));
                }
                if is_tool_active {
                    canvas.interaction.drag(&places, &canvas.tools, session);
                }
                places.clear();
                result = result.and(match pressed {
                    false => canvas.interaction.release(keys, &canvas.tools, session),
                    true if is_tool_active && is_on_canvas && response.rect.contains(pos) => {
                        canvas.note = None;
                        handle_press(canvas, session, placement, pos, keys)
                    }
                    true => Ok(()),
                });
            }
            _ => {}
        }
    }
    if !is_tool_active {
        return result;
    }
    canvas.interaction.drag(&places, &canvas.tools, session);
    // The right button marks points outside the object.
    if response.secondary_clicked()
        && canvas.tools.tool == Tool::Object
        && let Some(at) = response.interact_pointer_pos()
    {
        let exclude = Modifiers { shift: true, ..keys };
        result =
            result.and(canvas.interaction.press(to_picture(at), exclude, &canvas.tools, session));
        result = result.and(canvas.interaction.release(exclude, &canvas.tools, session));
    }
    if response.double_clicked() && canvas.tools.tool == Tool::Polygon {
        result = result.and(canvas.interaction.finish(keys, &canvas.tools, session));
    }
    result
}

/// Handles a press of the button on the picture.
fn handle_press(
    canvas: &mut Canvas,
    session: &mut Session,
    placement: Placement,
    at: Pos2,
    keys: Modifiers,
) -> Result<(), String> {
    if keys.alt && canvas.tools.tool == Tool::Scribble {
        canvas.pick_colour(session, placement.pixel(at));
        return Ok(());
    }
    canvas.interaction.press(placement.to_picture(at).into(), keys, &canvas.tools, session)
}

/// Draws the cursor: for a brush, a circle of its size.
fn draw_cursor(
    ui: &Ui,
    painter: &Painter,
    canvas: &mut Canvas,
    response: &Response,
    placement: Placement,
    moves_picture: bool,
) {
    let Some(at) = response.hover_pos() else { return };
    if moves_picture {
        let grabbed = response.is_pointer_button_down_on();
        ui.set_cursor_icon(if grabbed { CursorIcon::Grabbing } else { CursorIcon::Grab });
        return;
    }
    let grabbed = canvas.interaction.held(placement.to_picture(at).into());
    let grabbed = grabbed.filter(|_| canvas.tools.tool == Tool::Crop);
    ui.set_cursor_icon(match grabbed.map(|(_, edges)| edges) {
        None => CursorIcon::Crosshair,
        Some([true, true, true, true]) => CursorIcon::Move,
        Some([true, true, ..] | [_, _, true, true]) => CursorIcon::ResizeNwSe,
        Some([true, _, _, true] | [_, true, true, _]) => CursorIcon::ResizeNeSw,
        Some([_, true, ..] | [.., true]) => CursorIcon::ResizeVertical,
        Some(_) => CursorIcon::ResizeHorizontal,
    });
    if let Some(brush) = canvas.tools.brush() {
        let radius = brush.size / 2.0 * placement.zoom;
        painter.circle_stroke(at, radius, Stroke::new(3.0, Color32::from_black_alpha(160)));
        painter.circle_stroke(at, radius, Stroke::new(1.0, Color32::WHITE));
    }
}
