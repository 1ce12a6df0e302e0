//! The parts as a list, the uppermost first.

use egui::{
    Button, CornerRadius, Label, Mesh, Popup, Rect, RichText, Sense, Shape, Stroke, Ui, Vec2,
    WidgetInfo, WidgetType, vec2,
};

use super::{Canvas, keymap::Command, overlay, part_form::part_form, session::Session};
use crate::{
    mask::Mask,
    panel::theme,
    recipe::{EditKind, Layer, Verdict},
};

/// How many parts a picture is split into at most.
const MOST_PARTS: usize = 8;

/// The room of a sign in a row.
const SIGN: Vec2 = vec2(24.0, 22.0);

/// What is to be done to the list after it was shown.
enum Change {
    Select(usize),
    Remove(usize),
    Shift(usize, bool),
}

/// The list and what adds to it, with the form of the chosen part in its place; whether a field of text has
/// the keyboard.
pub(super) fn parts_list(ui: &mut Ui, canvas: &mut Canvas, session: &mut Session) -> bool {
    ui.horizontal_wrapped(|ui| {
        theme::section(ui, "Parts");
        if ui.button("New").on_hover_text("A new part, with nothing in it yet").clicked() {
            canvas.end_gesture();
            session.add(Mask::empty(session.size.0, session.size.1));
        }
        let split = ui
            .add_enabled(session.objects.is_some(), Button::new("Split into parts"))
            .on_hover_text("Proposes parts for the whole picture")
            .on_disabled_hover_text("The picture is still being looked at");
        if split.clicked()
            && let Some(objects) = &session.objects
        {
            let mut parts = objects.split(MOST_PARTS);
            parts.retain(|mask| !session.layers.iter().any(|layer| layer.mask == *mask));
            canvas.end_gesture();
            for mask in parts {
                session.add(mask);
            }
        }
    });
    if session.layers.is_empty() {
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
                // A field remembers what was typed by its name: not that of another part's.
                let part = (&session.shot, &session.take, at, count);
                typing = ui.push_id(part, |ui| part_form(ui, &mut canvas.typed, layer)).inner;
            }
        });
    }
    match change {
        Some(Change::Select(at)) => {
            canvas.choose(session, Some(at).filter(|at| selected != Some(*at)));
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
        let hint = format!("Where parts overlap, the upper one wins. Above{above}, below{below}.");
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
            layer.hidden ^= sign(ui, shown, &eye, false);
            let lock = if layer.locked { format!("Unlock {name}") } else { format!("Lock {name}") };
            layer.locked ^= sign(ui, if layer.locked { "🔒" } else { "🔓" }, &lock, layer.locked);
            chip(ui, layer);

            let covered = format!("{:.0} %", layer.mask.coverage() * 100.0);
            let width = (ui.available_width() - 36.0 - 2.0 * (SIGN.x + 4.0)).max(40.0);
            let text = if layer.hidden { theme::weak(&name) } else { RichText::new(&name) };
            let button =
                Button::selectable(selected, text).truncate().min_size(vec2(width, SIGN.y));
            let response = ui
                .allocate_ui(vec2(width, SIGN.y), |ui| {
                    ui.set_max_width(width);
                    ui.add(button).on_hover_text(format!("{covered} of the picture"))
                })
                .inner;
            if response.clicked() {
                change = Some(Change::Select(at));
            }
            Popup::context_menu(&response).show(|ui| {
                for (name, chosen, may) in [
                    ("Move up", Change::Shift(at, false), true),
                    ("Move down", Change::Shift(at, true), true),
                    ("Delete part", Change::Remove(at), !layer.locked),
                ] {
                    let button = ui.add_enabled(may, Button::new(name));
                    if button.on_disabled_hover_text("It is locked: unlock it first").clicked() {
                        change = Some(chosen);
                        ui.close();
                    }
                }
            });
            ui.add_sized([32.0, SIGN.y], Label::new(theme::small(covered)));
            verdict(ui, layer, Verdict::Liked, "👍", &format!("Like {name}"));
            verdict(ui, layer, Verdict::Disliked, "👎", &format!("Dislike {name}"));
        });
        if let Some(said) = said(layer).filter(|_| !selected) {
            ui.add(Label::new(theme::small(said)).truncate());
        }
    });
    change
}

/// What is to be done to a part, in a line.
fn said(layer: &Layer) -> Option<String> {
    let edit = layer.edit.as_ref()?;
    let words = edit.words.trim();
    let says = edit.kind != EditKind::Keep && !words.is_empty();
    Some(if says { format!("{}: {words}", edit.kind.name()) } else { edit.kind.name().to_owned() })
}

/// A part's colour and pattern as they are seen on the picture.
fn pattern(rect: Rect, layer: &Layer) -> Shape {
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

/// The part's colour; a click takes the next one.
fn chip(ui: &mut Ui, layer: &mut Layer) {
    let (rect, response) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::click());
    ui.painter().rect_filled(rect, CornerRadius::same(3), theme::WELL);
    ui.painter().add(pattern(rect.shrink(1.0), layer));
    let name = format!("Colour of {}", layer.name);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::ColorButton, true, &name));
    if response.on_hover_text("Another colour").clicked() {
        layer.colour = layer.colour.wrapping_add(1) % overlay::COLOURS.len() as u8;
    }
}

fn verdict(ui: &mut Ui, layer: &mut Layer, verdict: Verdict, look: &str, name: &str) {
    let is_so = layer.verdict == verdict;
    if sign(ui, look, name, is_so) {
        layer.verdict = if is_so { Verdict::None } else { verdict };
    }
}

/// A small button with a sign on it; whether it was pressed.
fn sign(ui: &mut Ui, look: &str, name: &str, is_on: bool) -> bool {
    let response = ui.add_sized(SIGN, Button::selectable(is_on, look));
    response.widget_info(|| WidgetInfo::selected(WidgetType::Button, true, is_on, name));
    response.on_hover_text(name).clicked()
}
