//! The list of key bindings, in which the author can change each binding.

use egui::{
    Button, Event, Grid, KeyboardShortcut, Label, Modifiers, PopupCloseBehavior, ScrollArea, Ui,
    WidgetInfo, WidgetType,
    containers::menu::{MenuButton, MenuConfig},
};

use super::{
    Canvas,
    keymap::{Command, Keymap},
};
use crate::{
    panel::{context::PanelContext, theme},
    project::Action,
};

/// A button that opens the list.
pub(super) fn keys_menu(ui: &mut Ui, canvas: &mut Canvas, cx: &mut PanelContext<'_>) {
    let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    let (_, shown) = MenuButton::new("Keys").config(stays).ui(ui, |ui| {
        let before = canvas.keymap.clone();
        list(ui, canvas);
        if canvas.keymap != before {
            cx.request(Action::SetKeys(canvas.keymap.changes()));
        }
    });
    if shown.is_none() {
        canvas.rebinding = None;
    }
}

fn list(ui: &mut Ui, canvas: &mut Canvas) {
    ui.set_width(300.0);
    ui.add(Label::new(theme::small("Click a key, then press the new one.")).wrap());
    ScrollArea::vertical().max_height(380.0).show(ui, |ui| {
        Grid::new("keys").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
            for command in Command::all() {
                ui.label(command.name());
                let is_awaited = canvas.rebinding == Some(command);
                let keys = canvas.keymap.shown(command);
                let text = match (is_awaited, keys.is_empty()) {
                    (true, _) => "press a key",
                    (false, true) => "none",
                    (false, false) => &keys,
                };
                let button = ui.add(Button::selectable(is_awaited, text));
                let accessible_name = format!("Key of {}: {text}", command.name());
                button.widget_info(|| {
                    WidgetInfo::labeled(WidgetType::Button, true, &accessible_name)
                });
                if button.clicked() {
                    canvas.rebinding = Some(command);
                }
                ui.end_row();
            }
        });
    });
    if let Some(command) = canvas.rebinding
        && let Some(key) = pressed(ui)
    {
        canvas.keymap.bind(command, [key]);
        canvas.rebinding = None;
    }
    let is_default = canvas.keymap == Keymap::default();
    if ui.add_enabled(!is_default, Button::new("Reset all")).clicked() {
        canvas.keymap = Keymap::default();
    }
}

/// Consumes the pressed key from the input, and returns it with its modifiers.
fn pressed(ui: &Ui) -> Option<KeyboardShortcut> {
    ui.input_mut(|input| {
        let key = input.events.iter().find_map(|event| match event {
            Event::Key { key, pressed: true, repeat: false, modifiers, .. } => {
                let held = [
                    (modifiers.command, Modifiers::COMMAND),
                    (modifiers.shift, Modifiers::SHIFT),
                    (modifiers.alt, Modifiers::ALT),
                ];
                let held = held.into_iter().filter(|(is_held, _)| *is_held);
                let held = held.fold(Modifiers::NONE, |all, (_, modifier)| all | modifier);
                Some(KeyboardShortcut::new(held, *key))
            }
            _ => None,
        })?;
        input.events.retain(|event| !matches!(event, Event::Key { .. }));
        Some(key)
    })
}
