//! Losses: what steers a part or a picture while it is drawn.

use egui::{Checkbox, DragValue, Ui, vec2};

use super::{
    SteeringOf,
    curves::Curves,
    image_chooser::{Entry, ImageChooser},
    rows::{self, Row, rows, steps, weight},
};
use crate::{
    panel::{
        context::PanelContext,
        losses::title,
        theme,
        widgets::{icon_button, percent, text_field},
    },
    recipe::{BlobId, Colour, ImageUse, Loss, LossKind, MAX_COLOURS, MAX_LOSSES},
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

/// A loss whose image is chosen before it is added.
struct ImagePreset {
    name: &'static str,
    tooltip: &'static str,
    kind: fn(BlobId) -> LossKind,
    /// The use of the image, which decides the map that the picker extracts from it.
    usage: ImageUse,
}

const IMAGE_PRESETS: [ImagePreset; 5] = [
    ImagePreset {
        name: "Look like this",
        tooltip: "Steers to the style of an image: its strokes, colours and contrasts",
        kind: LossKind::Style,
        usage: ImageUse::Style,
    },
    ImagePreset {
        name: "Like this picture",
        tooltip: "Steers to what an image of the same shape shows at the same places",
        kind: LossKind::Content,
        usage: ImageUse::Content,
    },
    ImagePreset {
        name: "Hold this outline",
        tooltip: "Steers edges to the lines of a drawing of the same shape",
        kind: LossKind::Outline,
        usage: ImageUse::Outline,
    },
    ImagePreset {
        name: "Roughly these colours",
        tooltip: "Steers to the rough colours of an image of the same shape, at the same places",
        kind: LossKind::Colours,
        usage: ImageUse::Scribble,
    },
    ImagePreset {
        name: "Stay close to this",
        tooltip: "Steers everything, also details, to an image of the same shape",
        kind: LossKind::Latents,
        usage: ImageUse::Content,
    },
];

/// Shows the losses. Returns whether a text field has the focus.
pub(super) fn losses_form(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    chooser: &mut ImageChooser,
    of: &mut SteeringOf<'_>,
    curves: &Curves,
    losses: &mut Vec<Loss>,
) -> bool {
    let before = losses.len();
    buttons(ui, chooser, losses);
    let mut is_typing = false;
    for ImagePreset { name, kind, usage, .. } in IMAGE_PRESETS {
        let chosen = chooser.picker(ui, cx, &Entry::NewLoss(name), name, usage, of);
        is_typing |= chosen.is_typing;
        losses.extend(chosen.id.map(|id| Loss::new(kind(id))));
    }
    let of_rows = rows(ui, losses, before, |ui, index, loss| {
        let is_removed =
            rows::title(ui, title(loss.kind.name()), "loss", |ui| curves.cost(ui, loss));
        let is_typing = target(ui, cx, chooser, of, index, &mut loss.kind);
        weight(ui, &mut loss.weight);
        let end = loss.end();
        steps(ui, &mut loss.from, &mut loss.to, end);
        options(ui, loss);
        curves.show(ui, of.curves, index, loss);
        Row { is_removed, is_typing }
    });
    is_typing || of_rows
}

/// The buttons that add a loss.
fn buttons(ui: &mut Ui, chooser: &mut ImageChooser, losses: &mut Vec<Loss>) {
    let has_room = losses.len() < MAX_LOSSES;
    ui.add_enabled_ui(has_room, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for Preset { name, tooltip, kind, unlike } in PRESETS {
                if ui.button(name).on_hover_text(tooltip).clicked() {
                    losses.push(Loss { unlike, ..Loss::new(kind()) });
                }
            }
        });
        ui.label(theme::small("With an image"));
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for ImagePreset { name, tooltip, .. } in IMAGE_PRESETS {
                chooser.button(ui, Entry::NewLoss(name), name, tooltip);
            }
        });
    });
}

/// The fields for the target. Returns whether a text field has the focus.
fn target(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    chooser: &mut ImageChooser,
    of: &mut SteeringOf<'_>,
    index: usize,
    kind: &mut LossKind,
) -> bool {
    let name = title(kind.name()).to_owned();
    let (id, usage) = match kind {
        LossKind::Text(text) => {
            return text_field(ui, "What it shows", "a green coat", 1, text).has_focus();
        }
        LossKind::Direction { from, to } => {
            let is_typing = text_field(ui, "From", "a coat in daylight", 1, from).has_focus();
            return text_field(ui, "To", "a coat at night", 1, to).has_focus() || is_typing;
        }
        LossKind::Palette(colours) => {
            palette(ui, colours);
            return false;
        }
        LossKind::Saturation(target) => {
            percent(ui, target, "saturation");
            return false;
        }
        LossKind::Lightness(target) => {
            percent(ui, target, "lightness");
            return false;
        }
        LossKind::Custom { value, .. } => {
            return text_field(ui, "Value", "", 1, value).has_focus();
        }
        LossKind::TotalVariation => return false,
        LossKind::Style(id) => (id, ImageUse::Style),
        LossKind::Outline(id) => (id, ImageUse::Outline),
        LossKind::Colours(id) => (id, ImageUse::Scribble),
        LossKind::Content(id) | LossKind::Latents(id) => (id, ImageUse::Content),
    };
    let entry = Entry::Loss(index, id.clone());
    chooser.image(ui, cx, &entry, &name, usage, id, of)
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

/// Direction, gradient and stop value.
fn options(ui: &mut Ui, loss: &mut Loss) {
    ui.horizontal_wrapped(|ui| {
        let unlike = Checkbox::new(&mut loss.unlike, "less of this");
        ui.add(unlike).on_hover_text("Steers the part away from this");
        let tooltip = "Computes the direction through the network: slower, and closer to pictures of the model";
        ui.checkbox(&mut loss.strict, "strict").on_hover_text(tooltip);
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
