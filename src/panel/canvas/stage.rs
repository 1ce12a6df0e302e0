//! The picture on the canvas: what is seen of it, and what the pointer does there.

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
use paint::{compare, job_preview, paint, texture};
pub(super) use textures::Overlay;

/// How much nearer a point of the wheel's turn goes.
const WHEEL: f32 = 0.005;
/// How near to an edge or a corner takes hold of it, in points.
const GRIP: f32 = 7.0;

/// The picture in all the room that `ui` has.
pub(super) fn stage(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
    take: &Take,
    room: Vec2,
) {
    let candidate = canvas.candidates.selected(cx.project.art().takes(&take.shot));
    let (room, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
    let spoken = format!("Canvas of {}", take.shot);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &spoken));
    let size = vec2(session.size.0 as f32, session.size.1 as f32);
    let pointer = response.hover_pos().unwrap_or(room.center());
    let own_room = candidate.map_or(room, |_| canvas.compare.room_at(room, pointer));
    canvas.room = Some(own_room);

    let moves_picture = pan_and_zoom(ui, canvas, &response, own_room, size, cx.has_keys);
    let placed = canvas.view.place(room, size);
    canvas.interaction.grab_distance = GRIP / placed.zoom;
    canvas.interaction.context =
        session.context.or(canvas.edit_preview.as_ref().map(|p| p.plan.context));
    let is_at_work = candidate.is_none() && canvas.tools.tool != Tool::Hand && !moves_picture;
    if candidate.is_some() && !moves_picture {
        canvas.compare.drag(ui, &response, placed.rect());
    } else if candidate.is_none() && canvas.tools.tool == Tool::Hand {
        choose(canvas, session, &response, placed);
    }
    if let Err(why) = point(ui, canvas, session, &response, placed, is_at_work) {
        canvas.note = Some(why);
    }

    let zoom = placed.zoom * ui.pixels_per_point();
    let painter = ui.painter_at(room);
    painter.rect_filled(room, CornerRadius::same(4), theme::WELL);
    // What a button would change is seen on what it would change.
    match candidate.filter(|_| canvas.hovered_preview.is_none()) {
        Some(candidate) => {
            let before = texture(cx, take, zoom);
            let after = match texture(cx, candidate, zoom) {
                // It is read for some frames.
                Texture::Loading => before.clone(),
                after => after,
            };
            compare(ui, canvas, room, size, [before, after]);
        }
        None => {
            let now = texture(cx, take, zoom);
            paint(&painter, &now, placed);
            if let Some((preview, area)) = job_preview(canvas, session, cx) {
                let painter = painter.with_clip_rect(placed.area(area).intersect(room));
                paint(&painter, &preview, placed);
            }
            paint_overlays(ui, &painter, canvas, session, placed);
            draw_cursor(ui, &painter, canvas, &response, placed, moves_picture);
        }
    }
}

/// Wheel, middle button and space. Says whether the pointer moves the picture and nothing else.
fn pan_and_zoom(
    ui: &Ui,
    canvas: &mut Canvas,
    response: &Response,
    room: Rect,
    size: Vec2,
    has_keys: bool,
) -> bool {
    let (wheel, pinch, space, moved) = ui.input(|input| {
        let space = has_keys && input.key_down(Key::Space);
        (input.smooth_scroll_delta().y, input.zoom_delta(), space, input.pointer.delta())
    });
    if let Some(at) = response.hover_pos() {
        // The wheel with Ctrl sizes a brush, as in other paint programs, and is a pinch for egui.
        match canvas.tools.brush().filter(|_| pinch != 1.0) {
            Some(brush) => {
                let (least, most) = BRUSH_SIZES.into_inner();
                brush.size = (brush.size * pinch).clamp(least, most);
            }
            None if pinch != 1.0 || wheel != 0.0 => {
                canvas.view.zoom_at(at, pinch * (wheel * WHEEL).exp(), room, size);
                // What lies around the picture is not to be scrolled with it.
                ui.input_mut(|input| input.smooth_scroll_delta = Vec2::ZERO);
            }
            None => {}
        }
    }
    let by_hand = space || canvas.tools.tool == Tool::Hand;
    if response.dragged_by(PointerButton::Middle)
        || (by_hand && response.dragged_by(PointerButton::Primary))
    {
        canvas.view.pan(moved, room, size);
        return true;
    }
    by_hand
}

/// A click with the empty hand chooses the uppermost part below it.
fn choose(canvas: &mut Canvas, session: &mut Session, response: &Response, placed: Placement) {
    let clicked = response.interact_pointer_pos().filter(|_| response.clicked());
    if let Some((x, y)) = clicked.and_then(|at| placed.pixel(at)) {
        let below = |layer: &Layer| !layer.hidden && layer.mask.at(x, y) >= 128;
        canvas.choose(session, session.layers.iter().position(below));
    }
}

/// The tool at work, in the order of what the pointer did: between two frames a quick hand does a lot. What the
/// button began ends with it, also where the tool is not `at_work` any more by then.
fn point(
    ui: &Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    response: &Response,
    placed: Placement,
    at_work: bool,
) -> Result<(), String> {
    let to_picture = |at: Pos2| placed.to_picture(at).into();
    let (events, keys) = ui.input(|input| (input.events.clone(), input.modifiers));
    // What lies above the canvas takes the pointer for itself.
    let is_here = response.contains_pointer() || response.is_pointer_button_down_on();
    let mut places = Vec::new();
    let mut told = Ok(());
    for event in events {
        match event {
            Event::PointerMoved(at) => places.push(to_picture(at)),
            Event::PointerButton { pos, button: PointerButton::Primary, pressed, .. } => {
                if !pressed {
                    places.push(to_picture(pos));
                }
                if at_work {
                    canvas.interaction.drag(&places, &canvas.tools, session);
                }
                places.clear();
                told = told.and(match pressed {
                    false => canvas.interaction.release(keys, &canvas.tools, session),
                    true if at_work && is_here && response.rect.contains(pos) => {
                        canvas.note = None;
                        press(canvas, session, placed, pos, keys)
                    }
                    true => Ok(()),
                });
            }
            _ => {}
        }
    }
    if !at_work {
        return told;
    }
    canvas.interaction.drag(&places, &canvas.tools, session);
    // The right button points at what does not belong to an object.
    if response.secondary_clicked()
        && canvas.tools.tool == Tool::Object
        && let Some(at) = response.interact_pointer_pos()
    {
        let no = Modifiers { shift: true, ..keys };
        told = told.and(canvas.interaction.press(to_picture(at), no, &canvas.tools, session));
        told = told.and(canvas.interaction.release(no, &canvas.tools, session));
    }
    if response.double_clicked() && canvas.tools.tool == Tool::Polygon {
        told = told.and(canvas.interaction.finish(keys, &canvas.tools, session));
    }
    told
}

/// The button goes down on the picture.
fn press(
    canvas: &mut Canvas,
    session: &mut Session,
    placed: Placement,
    at: Pos2,
    keys: Modifiers,
) -> Result<(), String> {
    if keys.alt && canvas.tools.tool == Tool::Scribble {
        canvas.pick_colour(session, placed.pixel(at));
        return Ok(());
    }
    canvas.interaction.press(placed.to_picture(at).into(), keys, &canvas.tools, session)
}

/// The brush as large as what it paints.
fn draw_cursor(
    ui: &Ui,
    painter: &Painter,
    canvas: &mut Canvas,
    response: &Response,
    placed: Placement,
    moves_picture: bool,
) {
    let Some(at) = response.hover_pos() else { return };
    if moves_picture {
        let held = response.is_pointer_button_down_on();
        ui.set_cursor_icon(if held { CursorIcon::Grabbing } else { CursorIcon::Grab });
        return;
    }
    let held = canvas.interaction.held(placed.to_picture(at).into());
    let held = held.filter(|_| canvas.tools.tool == Tool::Context);
    ui.set_cursor_icon(match held.map(|(_, edges)| edges) {
        None => CursorIcon::Crosshair,
        Some([true, true, true, true]) => CursorIcon::Move,
        Some([true, true, ..] | [_, _, true, true]) => CursorIcon::ResizeNwSe,
        Some([true, _, _, true] | [_, true, true, _]) => CursorIcon::ResizeNeSw,
        Some([_, true, ..] | [.., true]) => CursorIcon::ResizeVertical,
        Some(_) => CursorIcon::ResizeHorizontal,
    });
    if let Some(brush) = canvas.tools.brush() {
        let radius = brush.size / 2.0 * placed.zoom;
        painter.circle_stroke(at, radius, Stroke::new(3.0, Color32::from_black_alpha(160)));
        painter.circle_stroke(at, radius, Stroke::new(1.0, Color32::WHITE));
    }
}
