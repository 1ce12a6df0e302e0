//! The list of parts, from top to bottom.

use egui::{
    Button, CornerRadius, Label, Mesh, Popup, Rect, RichText, Sense, Shape, Stroke, Ui, Vec2,
    WidgetInfo, WidgetType, vec2,
};

use super::{Canvas, keymap::Command, overlay, part_form::part_form, session::Session};
use crate::{
    mask::Mask,
    panel::{context::PanelContext, theme},
    recipe::{EditKind, Layer, Verdict},
};

/// The maximum number of parts that a picture is split into.
const MAX_PARTS: usize = 8;

/// The size of an icon in a row, in points.
const ICON_SIZE: Vec2 = vec2(24.0, 22.0);

/// The width of `100 %` in a row, in points. A row that is wider than the list would widen the list in each frame.
const COVERAGE_WIDTH: f32 = 42.0;

/// A change of the list, applied after the list was shown.
enum Change {
    Select(usize),
    Remove(usize),
    Shift(usize, bool),
}

/// Shows the list, with the form of the selected part below its row. Returns whether a text field has the focus.
pub(super) fn parts_list(
    ui: &mut Ui,
    canvas: &mut Canvas,
    session: &mut Session,
    cx: &mut PanelContext<'_>,
) -> bool {
    ui.horizontal_wrapped(|ui| {
        theme::section(ui, "Parts");
        if ui.button("New").on_hover_text("Adds an empty part").clicked() {
            canvas.end_gesture();
            session.add(Mask::empty(session.size.0, session.size.1));
        }
        let split = ui
            .add_enabled(session.objects.is_some(), Button::new("Split into parts"))
            .on_hover_text("Divides the whole picture into parts")
            .on_disabled_hover_text("The picture is still being analysed");
        if split.clicked()
            && let Some(objects) = &session.objects
        {
            let mut parts = objects.split(MAX_PARTS);
            parts.retain(|mask| !session.layers.iter().any(|layer| layer.mask == *mask));
            canvas.end_gesture();
            for mask in parts {
                session.add(mask);
            }
        }
    });
    if session.is_loading() {
        ui.add(Label::new(theme::weak("Loading the parts...")));
    } else if session.layers.is_empty() {
        let advice = "Mark what you like or dislike: paint with the brush, click with the object tool, or split the picture into parts.";
        ui.add(Label::new(theme::weak(advice)).wrap());
    }
    let (selected, count) = (session.selected(), session.layers.len());
    let mut change = None;
    let mut typing = false;
    for (at, layer) in session.layers.iter_mut().enumerate() {
        let is_chosen = selected == Some(at);
        let frame = theme::card().inner_margin(4);
        let frame = if is_chosen { frame.stroke(Stroke::new(1.0, theme::ACCENT)) } else { frame };
        frame.show(ui, |ui| {
            change = ui.push_id(at, |ui| row(ui, at, layer, is_chosen)).inner.or(change.take());
            if is_chosen {
                // egui stores the undo history of a field by its id, so each part needs its own id.
                let part = (&session.shot, &session.take, at, count);
                typing =
                    ui.push_id(part, |ui| part_form(ui, &mut canvas.part_form, cx, layer)).inner;
            }
        });
    }
    match change {
        Some(Change::Select(at)) => {
            canvas.select_part(session, Some(at).filter(|at| selected != Some(*at)));
        }
        Some(Change::Remove(at)) => {
            canvas.end_gesture();
            session.remove(at);
        }
        Some(Change::Shift(at, down)) => {
            canvas.end_gesture();
            session.shift(at, down);
        }
        None => {}
    }
    if session.layers.len() > 1 {
        let [above, below] =
            [Command::PartAbove, Command::PartBelow].map(|command| canvas.keymap.hint(command));
        let hint = format!(
            "Where parts overlap, the upper one applies. Select the part above{above} or below{below}."
        );
        ui.add(Label::new(theme::small(hint)).wrap());
    }
    typing
}

fn row(ui: &mut Ui, at: usize, layer: &mut Layer, selected: bool) -> Option<Change> {
    let mut change = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 4.0;
        ui.horizontal(|ui| {
            let name = layer.name.clone();
            let shown = if layer.hidden { "○" } else { "👁" };
            let eye = if layer.hidden { format!("Show {name}") } else { format!("Hide {name}") };
            layer.hidden ^= icon_toggle(ui, shown, &eye, false);
            let lock = if layer.locked { format!("Unlock {name}") } else { format!("Lock {name}") };
            layer.locked ^=
                icon_toggle(ui, if layer.locked { "🔒" } else { "🔓" }, &lock, layer.locked);
            colour_button(ui, layer);

            let covered = format!("{:.0} %", layer.mask.coverage() * 100.0);
            let others = COVERAGE_WIDTH + 4.0 + 2.0 * (ICON_SIZE.x + 4.0);
            let width = (ui.available_width() - others).max(40.0);
            let text = if layer.hidden { theme::weak(&name) } else { RichText::new(&name) };
            let button =
                Button::selectable(selected, text).truncate().min_size(vec2(width, ICON_SIZE.y));
            let response = ui
                .allocate_ui(vec2(width, ICON_SIZE.y), |ui| {
                    ui.set_max_width(width);
                    ui.add(button).on_hover_text(format!("{covered} of the picture"))
                })
                .inner;
            if response.clicked() {
                change = Some(Change::Select(at));
            }
            Popup::context_menu(&response).show(|ui| {
                for (name, chosen, is_enabled) in [
                    ("Move up", Change::Shift(at, false), true),
                    ("Move down", Change::Shift(at, true), true),
                    ("Delete part", Change::Remove(at), !layer.locked),
                ] {
                    let button = ui.add_enabled(is_enabled, Button::new(name));
                    if button.on_disabled_hover_text("The part is locked").clicked() {
                        change = Some(chosen);
                        ui.close();
                    }
                }
            });
            ui.add_sized([COVERAGE_WIDTH, ICON_SIZE.y], Label::new(theme::small(covered)));
            verdict_toggle(ui, layer, Verdict::Liked, "👍", &format!("Like {name}"));
            verdict_toggle(ui, layer, Verdict::Disliked, "👎", &format!("Dislike {name}"));
        });
        if let Some(summary) = summary(layer).filter(|_| !selected) {
            ui.add(Label::new(theme::small(summary)).truncate());
        }
    });
    change
}

/// A one-line summary of a part's edit.
fn summary(layer: &Layer) -> Option<String> {
    let edit = layer.edit.as_ref()?;
    let words = edit.words.trim();
    let says = edit.kind != EditKind::Keep && !words.is_empty();
    Some(if says { format!("{}: {words}", edit.kind.name()) } else { edit.kind.name().to_owned() })
}

/// A part's colour and pattern, as painted over the picture.
fn pattern_shape(rect: Rect, layer: &Layer) -> Shape {
    const CELLS: usize = 12;
    let cell = rect.size() / CELLS as f32;
    let mut mesh = Mesh::default();
    for (x, y) in (0..CELLS * CELLS).map(|i| (i % CELLS, i / CELLS)) {
        let colour = overlay::colour(layer);
        let colour =
            if overlay::is_line(layer, x, y) { colour } else { colour.gamma_multiply(0.35) };
        let corner = rect.min + vec2(x as f32 * cell.x, y as f32 * cell.y);
        mesh.add_colored_rect(Rect::from_min_size(corner, cell), colour);
    }
    Shape::mesh(mesh)
}

/// A button with the part's colour. A click switches to the next colour.
fn colour_button(ui: &mut Ui, layer: &mut Layer) {
    let (rect, response) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::click());
    ui.painter().rect_filled(rect, CornerRadius::same(3), theme::WELL);
    ui.painter().add(pattern_shape(rect.shrink(1.0), layer));
    let name = format!("Colour of {}", layer.name);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ColorButton, true, &name));
    if response.on_hover_text("Switches to the next colour").clicked() {
        layer.colour = layer.colour.wrapping_add(1) % overlay::COLOURS.len() as u8;
    }
}

fn verdict_toggle(ui: &mut Ui, layer: &mut Layer, verdict: Verdict, icon: &str, name: &str) {
    let is_set = layer.verdict == verdict;
    if icon_toggle(ui, icon, name, is_set) {
        layer.verdict = if is_set { Verdict::None } else { verdict };
    }
}

/// A small button with an icon. Returns whether it was clicked.
fn icon_toggle(ui: &mut Ui, icon: &str, name: &str, is_on: bool) -> bool {
    let response = ui.add_sized(ICON_SIZE, Button::selectable(is_on, icon));
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, is_on, name));
    response.on_hover_text(name).clicked()
}
