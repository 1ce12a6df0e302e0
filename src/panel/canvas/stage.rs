//! The picture on the canvas: what is seen of it, and what the pointer does there.

use egui::{
    Align2, Color32, CornerRadius, CursorIcon, FontId, Key, Painter, PointerButton, Pos2, Rect,
    Response, Sense, Shape, Stroke, StrokeKind, TextureHandle, TextureId, TextureOptions, Ui, Vec2,
    WidgetInfo, WidgetType, pos2, vec2,
};

use super::{
    Canvas,
    candidates::{self, Compare},
    hand::Gesture,
    overlay,
    session::Session,
    tool::Tool,
    view::Placement,
};
use crate::{
    art::Take,
    mask::Mask,
    panel::{
        Desk, badge, theme,
        thumbnails::{Picture, Texture},
    },
    recipe::Layer,
};

/// From this zoom on each pixel is a square of its own.
const SQUARES: f32 = 3.0;
/// How much nearer a point of the wheel's turn goes.
const WHEEL: f32 = 0.005;

/// The colours of the parts as textures, made anew when the parts change.
#[derive(Default)]
pub(super) struct Overlay {
    parts: Option<(Drawn, TextureHandle)>,
    spotlight: Option<(Mask, TextureHandle)>,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

/// What a texture shows.
#[derive(PartialEq)]
struct Drawn {
    layers: Vec<Layer>,
    chosen: Option<usize>,
    size: (u32, u32),
}

impl Overlay {
    fn parts(&mut self, ui: &Ui, session: &Session) -> TextureId {
        let (chosen, size) = (session.selected(), session.size);
        let now = Drawn { layers: session.layers.clone(), chosen, size };
        if let Some((drawn, texture)) = &self.parts
            && *drawn == now
        {
            return texture.id();
        }
        let image = overlay::parts(&now.layers, chosen, size);
        let texture = ui.ctx().load_texture("parts", image, crisp());
        self.parts.insert((now, texture)).1.id()
    }

    fn spotlight(&mut self, ui: &Ui, blend: &Mask) -> TextureId {
        if let Some((drawn, texture)) = &self.spotlight
            && drawn == blend
        {
            return texture.id();
        }
        let texture = ui.ctx().load_texture("spotlight", overlay::spotlight(blend), crisp());
        self.spotlight.insert((blend.clone(), texture)).1.id()
    }
}

fn crisp() -> TextureOptions {
    TextureOptions { minification: egui::TextureFilter::Linear, ..TextureOptions::NEAREST }
}

/// The picture in all the room that `ui` has.
pub(super) fn stage(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    desk: &mut Desk<'_>,
    take: &Take,
    room: Vec2,
) {
    let candidate = candidates::in_view(canvas, desk.project.art().takes(&take.shot));
    let (room, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
    let spoken = format!("Canvas of {}", take.shot);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &spoken));
    let size = vec2(session.size.0 as f32, session.size.1 as f32);
    canvas.room = Some(room);

    let moves_picture = look_around(ui, canvas, &response, room, size, desk.has_keys);
    let placed = canvas.view.place(room, size);
    if candidate.is_some() {
        canvas.compare.drag(ui, &response, placed.rect());
    } else if canvas.tools.tool == Tool::Hand {
        choose(canvas, session, &response, placed);
    } else if !moves_picture {
        point(ui, canvas, session, &response, placed);
    }

    let painter = ui.painter_at(room);
    painter.rect_filled(room, CornerRadius::same(4), theme::WELL);
    // What a button would change is seen on what it would change.
    match candidate.filter(|_| canvas.lit.is_none()) {
        Some(candidate) => {
            let before = texture(desk, take, placed.zoom);
            let after = texture(desk, candidate, placed.zoom);
            compare(ui, canvas, room, size, [before, after]);
        }
        None => {
            let forming = forming(desk, take);
            let now = forming.unwrap_or_else(|| texture(desk, take, placed.zoom));
            paint(&painter, &now, placed);
            over_picture(ui, &painter, canvas, session, placed);
            own_pointer(ui, &painter, canvas, &response, placed, moves_picture);
        }
    }
}

/// The picture that is being made of this one, as far as it is.
fn forming(desk: &mut Desk<'_>, take: &Take) -> Option<Texture> {
    let view = desk.current.as_ref()?;
    let of = view.job.recipe.edit.as_ref()?.parent.as_ref();
    let image = view.progress.as_ref()?.preview.as_ref()?;
    if view.job.shot != take.shot || of != Some(&take.id) {
        return None;
    }
    Some(desk.thumbnails.of(Picture::Preview(view.job.id, image)))
}

fn texture(desk: &mut Desk<'_>, take: &Take, zoom: f32) -> Texture {
    let picture = if zoom < SQUARES { Picture::Full(take) } else { Picture::Pixels(take) };
    desk.thumbnails.of(picture)
}

fn paint(painter: &Painter, texture: &Texture, placed: Placement) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    let (words, colour) = match texture {
        Texture::Ready(id) => {
            painter.image(*id, placed.rect(), whole, Color32::WHITE);
            return;
        }
        Texture::Loading => ("Reading the picture...", theme::WEAK),
        Texture::Failed(error) => (error.as_str(), theme::ERROR),
    };
    let font = FontId::proportional(14.0);
    painter.text(painter.clip_rect().center(), Align2::CENTER_CENTER, words, font, colour);
}

/// Two pictures at once.
fn compare(ui: &Ui, canvas: &Canvas, room: Rect, size: Vec2, [before, after]: [Texture; 2]) {
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
            let (left, right) = room.split_left_right_at_fraction(0.5);
            for (half, texture, note) in [(left, before, "before"), (right, after, "after")] {
                let half = half.shrink(1.0);
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

/// Wheel, middle button and space. Says whether the pointer moves the picture and nothing else.
fn look_around(
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
            Some(brush) => brush.size = (brush.size * pinch).clamp(1.0, 1000.0),
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

/// The tool at work.
fn point(
    ui: &Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    response: &Response,
    placed: Placement,
) {
    let to_picture = |at: Pos2| placed.to_picture(at).into();
    let (pressed, released, down, keys, moves) = ui.input(|input| {
        let moves = input.events.iter().filter_map(|event| match event {
            egui::Event::PointerMoved(at) => Some(*at),
            _ => None,
        });
        let pointer = &input.pointer;
        let (pressed, released) = (pointer.primary_pressed(), pointer.primary_released());
        (pressed, released, pointer.primary_down(), input.modifiers, moves.collect::<Vec<_>>())
    });
    let Some(at) = ui.input(|input| input.pointer.interact_pos()) else { return };
    let mut told = Ok(());
    if pressed && response.contains_pointer() {
        canvas.note = None;
        if keys.alt && canvas.tools.tool == Tool::Scribble {
            canvas.pick_colour(session, placed.pixel(at));
        } else {
            told = canvas.hand.press(to_picture(at), keys, &canvas.tools, session);
        }
    } else if down {
        for at in moves {
            canvas.hand.drag(to_picture(at), &canvas.tools, session);
        }
    }
    if released {
        told = told.and(canvas.hand.release(keys, &canvas.tools, session));
    }
    // The right button points at what does not belong to an object.
    if response.secondary_clicked() && canvas.tools.tool == Tool::Object {
        let no = egui::Modifiers { shift: true, ..keys };
        told = canvas.hand.press(to_picture(at), no, &canvas.tools, session);
        told = told.and(canvas.hand.release(no, &canvas.tools, session));
    }
    if response.double_clicked() && canvas.tools.tool == Tool::Polygon {
        told = told.and(canvas.hand.finish(keys, &canvas.tools, session).map(drop));
    }
    if let Err(why) = told {
        canvas.note = Some(why);
    }
}

/// Parts, the light on what would change, the context box and what is under way.
fn over_picture(
    ui: &Ui,
    painter: &Painter,
    canvas: &mut Canvas,
    session: &Session,
    placed: Placement,
) {
    let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
    if let Some(plan) = &canvas.lit {
        let texture = canvas.overlay.spotlight(ui, &plan.blend);
        painter.image(texture, placed.rect(), whole, Color32::WHITE);
        context_box(painter, placed.area(plan.context), "the model sees this");
        return;
    }
    if !canvas.hidden {
        let texture = canvas.overlay.parts(ui, session);
        painter.image(texture, placed.rect(), whole, Color32::WHITE);
    }
    match session.context {
        Some(area) => context_box(painter, placed.area(area), "the model sees this"),
        None if canvas.tools.tool == Tool::Context => {
            if let Some(plan) = &canvas.planned {
                context_box(painter, placed.area(plan.context), "chosen by itself");
            }
        }
        None => {}
    }
    under_way(painter, canvas, placed);
}

/// A box with corners that can be told from any picture.
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

fn under_way(painter: &Painter, canvas: &Canvas, placed: Placement) {
    let two = [Stroke::new(3.0, Color32::BLACK), Stroke::new(1.5, Color32::WHITE)];
    match &canvas.hand.gesture {
        Gesture::Outline(points) => {
            let points: Vec<_> = points.iter().map(|&at| placed.to_screen(at)).collect();
            for stroke in two {
                painter.add(Shape::line(points.clone(), stroke));
            }
            if canvas.tools.tool == Tool::Polygon {
                for at in points {
                    painter.circle(at, 3.5, Color32::WHITE, Stroke::new(1.0, Color32::BLACK));
                }
            }
        }
        Gesture::Drag { from, to } => {
            let rect = Rect::from_two_pos(placed.to_screen(*from), placed.to_screen(*to));
            for stroke in two {
                painter.rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Middle);
            }
        }
        Gesture::Stroke { .. } | Gesture::Move { .. } | Gesture::None => {}
    }
    let pointing = &canvas.hand.pointing;
    let dots = [(&pointing.include, true), (&pointing.exclude, false)];
    for (pixels, is_in) in dots {
        for &(x, y) in pixels {
            point_mark(painter, placed.to_screen([x as f32 + 0.5, y as f32 + 0.5]), is_in);
        }
    }
    if let Some(area) = pointing.area {
        let rect = placed.area(area);
        for stroke in two {
            painter.rect_stroke(rect, CornerRadius::ZERO, stroke, StrokeKind::Middle);
        }
    }
}

/// A green dot with a plus, or a red one with a minus.
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

/// The brush as large as what it paints.
fn own_pointer(
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
    ui.set_cursor_icon(CursorIcon::Crosshair);
    if let Some(brush) = canvas.tools.brush() {
        let radius = brush.size / 2.0 * placed.zoom;
        painter.circle_stroke(at, radius, Stroke::new(3.0, Color32::from_black_alpha(160)));
        painter.circle_stroke(at, radius, Stroke::new(1.0, Color32::WHITE));
    }
}
