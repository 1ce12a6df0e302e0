//! The list of low-rank adapters of the style.

use egui::{DragValue, Ui};

use super::{theme, widgets::icon_button};
use crate::recipe::{Lora, MAX_LORA_WEIGHT, MAX_LORAS};

/// Shows a row for each adapter, and a button that adds one.
pub(super) fn loras_form(ui: &mut Ui, loras: &mut Vec<Lora>) {
    let mut removed = None;
    for (at, Lora { file, weight }) in loras.iter_mut().enumerate() {
        ui.horizontal(|ui| {
            let label = ui.label(theme::small(format!("LoRA {}", at + 1)));
            let weight = DragValue::new(weight).range(-MAX_LORA_WEIGHT..=MAX_LORA_WEIGHT);
            let width = (ui.available_width() - 110.0).max(60.0);
            let field = theme::field(file, 1, "loras/ink.safetensors").desired_width(width);
            ui.add(field.id_salt(("lora", at))).labelled_by(label.id);
            ui.add(weight.speed(0.05))
                .on_hover_text("How much of its change is applied. A negative weight reverses it");
            if icon_button(ui, "x", &format!("Remove LoRA {}", at + 1)).clicked() {
                removed = Some(at);
            }
        });
    }
    if let Some(at) = removed {
        loras.remove(at);
    }
    let add = ui.add_enabled(loras.len() < MAX_LORAS, egui::Button::new("Add a LoRA"));
    let add = add.on_hover_text("A file that changes the model, such as a style or a character");
    if add.clicked() {
        loras.push(Lora { file: String::new(), weight: 1.0 });
    }
}
