//! Losses: what steers a part or a picture while it is drawn.

use egui::{Checkbox, DragValue, Slider, SliderClamping, Ui, vec2};

use super::curves::{CurveKey, Curves};
use crate::{
    panel::{
        losses::title,
        theme,
        widgets::{icon_button, percent, text_field},
    },
    recipe::{Colour, Loss, LossKind, MAX_COLOURS, MAX_LOSSES, MAX_WEIGHT},
};

/// A loss that a button adds.
struct Preset {
    name: &'static str,
    tooltip: &'static str,
    kind: fn() -> LossKind,
    unlike: bool,
}

const PRESETS: [Preset; 7] = [
    Preset {
        name: "Show this",
        tooltip: "Steers towards what a text says",
        kind: || LossKind::Text(String::new()),
        unlike: false,
    },
    Preset {
        name: "Less of this",
        tooltip: "Steers away from what a text says",
        kind: || LossKind::Text(String::new()),
        unlike: true,
    },
    Preset {
        name: "Change this",
        tooltip: "Steers from what one text says to what another says, and keeps the rest",
        kind: || LossKind::Direction { from: String::new(), to: String::new() },
        unlike: false,
    },
    Preset {
        name: "In these colours",
        tooltip: "Steers the colours to those of a palette",
        kind: || LossKind::Palette(vec![Colour([0x20, 0x30, 0x60]), Colour([0xe0, 0xb0, 0x40])]),
        unlike: false,
    },
    Preset {
        name: "Darker or lighter",
        tooltip: "Steers the mean lightness to a value",
        kind: || LossKind::Lightness(0.3),
        unlike: false,
    },
    Preset {
        name: "Calmer",
        tooltip: "Steers to smooth areas, with fewer details",
        kind: || LossKind::TotalVariation,
        unlike: false,
    },
    Preset {
        name: "More or less colourful",
        tooltip: "Steers the mean saturation to a value",
        kind: || LossKind::Saturation(0.2),
        unlike: false,
    },
];

/// Shows the losses. Returns whether a text field has the focus.
pub(super) fn losses_form(
    ui: &mut Ui,
    curves: &Curves,
    key: CurveKey<'_>,
    losses: &mut Vec<Loss>,
) -> bool {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        let has_room = losses.len() < MAX_LOSSES;
        for Preset { name, tooltip, kind, unlike } in PRESETS {
            let button = egui::Button::new(name);
            if ui.add_enabled(has_room, button).on_hover_text(tooltip).clicked() {
                losses.push(Loss { unlike, ..Loss::new(kind()) });
            }
        }
    });
    let (mut focused, mut removed) = (false, None);
    for (index, loss) in losses.iter_mut().enumerate() {
        theme::card().inner_margin(6).show(ui, |ui| {
            ui.push_id(index, |ui| {
                ui.horizontal(|ui| {
                    ui.label(title(loss.kind.name()));
                    curves.cost(ui, loss);
                    if icon_button(ui, "x", "Remove this loss").clicked() {
                        removed = Some(index);
                    }
                });
                focused |= target(ui, &mut loss.kind);
                numbers(ui, loss);
                curves.show(ui, key, index, loss);
            });
        });
    }
    if let Some(index) = removed {
        losses.remove(index);
    }
    focused
}

/// The fields for the target. Returns whether a text field has the focus.
fn target(ui: &mut Ui, kind: &mut LossKind) -> bool {
    match kind {
        LossKind::Text(text) => {
            text_field(ui, "What it shows", "a green coat", 1, text).has_focus()
        }
        LossKind::Direction { from, to } => {
            let is_typing = text_field(ui, "From", "a coat in daylight", 1, from).has_focus();
            text_field(ui, "To", "a coat at night", 1, to).has_focus() || is_typing
        }
        LossKind::Palette(colours) => {
            palette(ui, colours);
            false
        }
        LossKind::Saturation(target) => {
            percent(ui, target, "saturation");
            false
        }
        LossKind::Lightness(target) => {
            percent(ui, target, "lightness");
            false
        }
        LossKind::Custom { value, .. } => text_field(ui, "Value", "", 1, value).has_focus(),
        LossKind::TotalVariation
        | LossKind::Style(_)
        | LossKind::Content(_)
        | LossKind::Outline(_)
        | LossKind::Colours(_)
        | LossKind::Latents(_) => false,
    }
}

/// The colours of a palette, with buttons that change, add and remove them.
fn palette(ui: &mut Ui, colours: &mut Vec<Colour>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for Colour(rgb) in &mut *colours {
            ui.color_edit_button_srgb(rgb).on_hover_text("Change this colour");
        }
        if colours.len() < MAX_COLOURS && icon_button(ui, "+", "Add a colour").clicked() {
            colours.push(Colour([0xf0, 0xf0, 0xe0]));
        }
        if colours.len() > 1 && icon_button(ui, "-", "Remove the last colour").clicked() {
            colours.pop();
        }
    });
}

/// Weight, stop value and direction.
fn numbers(ui: &mut Ui, loss: &mut Loss) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 72.0;
        let slider = Slider::new(&mut loss.weight, 0.1..=MAX_WEIGHT).logarithmic(true);
        ui.add(slider.max_decimals(2).clamping(SliderClamping::Edits).text("weight"));
    });
    ui.horizontal_wrapped(|ui| {
        let unlike = Checkbox::new(&mut loss.unlike, "less of this");
        ui.add(unlike).on_hover_text("Steers the part away from this");
        let mut stops = loss.stop.is_some();
        let tooltip = "Stops steering when the loss reaches this value: see its curve";
        if ui.checkbox(&mut stops, "stop at").on_hover_text(tooltip).changed() {
            loss.stop = stops.then_some(0.2);
        }
        if let Some(stop) = &mut loss.stop {
            ui.add(DragValue::new(stop).range(0.0..=100.0).speed(0.01).max_decimals(2));
        }
    });
}
