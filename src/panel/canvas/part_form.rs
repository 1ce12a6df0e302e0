//! The form for the edit of the selected part.

use egui::{Button, DragValue, Slider, SliderClamping, Ui, vec2};

use crate::{
    mask::Mask,
    panel::{
        context::PanelContext,
        prompt_field::prompt_field,
        steering::{CurveKey, SteeringForms, SteeringOf},
        theme,
        widgets::{parse_seed, percent, text_field},
    },
    recipe::{
        EditKind, Layer, PartEdit, Size,
        part_edit::{MAX_AMOUNT, MAX_REACH},
    },
};

/// The default number of pixels by which masks grow, shrink and feather.
const DEFAULT_PIXELS: u32 = 4;

/// Input that does not belong to the edit.
#[derive(Debug)]
pub(super) struct FormState {
    /// The text of the seed while it is not valid.
    seed: Option<String>,
    /// The number of pixels by which the buttons grow, shrink and feather the mask.
    pixels: u32,
    pub steering: SteeringForms,
}

impl Default for FormState {
    fn default() -> Self {
        Self { seed: None, pixels: DEFAULT_PIXELS, steering: SteeringForms::default() }
    }
}

/// Shows the form. Returns whether a text field has the focus.
pub(super) fn part_form(
    ui: &mut Ui,
    form: &mut FormState,
    cx: &mut PanelContext<'_>,
    layer: &mut Layer,
) -> bool {
    kind_buttons(ui, layer);
    let mut focused = match &mut layer.edit {
        Some(edit) if edit.kind != EditKind::Keep => edit_fields(ui, edit),
        _ => false,
    };
    if let Some(edit) = layer.edit.as_mut().filter(|edit| edit.kind != EditKind::Keep) {
        let PartEdit { inspirations, losses, .. } = edit;
        let (width, height) = layer.mask.size();
        let curves = CurveKey { part: Some(&layer.name), first: 0 };
        let of =
            SteeringOf { curves, images: &mut layer.images, size: Some(Size { width, height }) };
        focused |= form.steering.show(ui, cx, of, inspirations, losses);
    }
    focused |= text_field(ui, "Name", "", 1, &mut layer.name).has_focus();
    mask_buttons(ui, form, layer);
    if let Some(edit) = layer.edit.as_mut().filter(|edit| edit.kind != EditKind::Keep) {
        let more = egui::CollapsingHeader::new("Seed and edges").id_salt("more");
        more.show(ui, |ui| {
            focused |= seed_field(ui, form, edit);
            pixel_setting(ui, "grow", "Extends the mask by this many pixels", &mut edit.grow);
            pixel_setting(
                ui,
                "feather",
                "Fades into the picture over this many pixels",
                &mut edit.feather,
            );
        });
    }
    focused
}

/// Buttons for the kind of edit, and one that deletes the edit.
fn kind_buttons(ui: &mut Ui, layer: &mut Layer) {
    let chosen = layer.edit.as_ref().map(|edit| edit.kind);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for kind in EditKind::ALL {
            let is_chosen = chosen == Some(kind);
            let button = Button::selectable(is_chosen, kind.name()).frame_when_inactive(true);
            if ui.add(button).on_hover_text(description(kind)).clicked() {
                set_kind(layer.edit.get_or_insert_default(), kind);
            }
        }
        if chosen.is_some()
            && ui
                .button("Delete edit")
                .on_hover_text("Deletes the edit of this part. The mask stays")
                .clicked()
        {
            layer.edit = None;
        }
    });
    let explanation = chosen.map_or("Choose what to do with this part.", description);
    ui.add(egui::Label::new(theme::small(explanation)).wrap());
}

/// The fields for prompt, negative prompt and strength. Returns whether a text field has the focus.
fn edit_fields(ui: &mut Ui, edit: &mut PartEdit) -> bool {
    let (name, hint) = match edit.kind {
        EditKind::Remove => ("What to remove", "a painter"),
        EditKind::Replace | EditKind::Add => ("Prompt", "a white spaceship"),
        _ => ("Prompt (optional)", "the picture's prompt"),
    };
    let mut focused = prompt_field(ui, name, name, hint, 2, &mut edit.words).has_focus();
    let (name, hint) = ("Negative prompt", "text, people");
    focused |= prompt_field(ui, name, name, hint, 1, &mut edit.negative_prompt).has_focus();
    let mut strength = edit.strength();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 72.0;
        if percent(ui, &mut strength, "strength").changed() {
            edit.strength = Some(strength.max(0.01));
        }
        let text = match strength {
            ..0.45 => "polish",
            0.45..0.75 => "change",
            _ => "redraw",
        };
        ui.label(theme::small(text));
        if edit.strength.is_some()
            && ui
                .small_button("default")
                .on_hover_text("Resets the strength to the default of this kind of edit")
                .clicked()
        {
            edit.strength = None;
        }
    });
    if edit.kind == EditKind::Embolden {
        let mut amount = edit.amount();
        let slider = Slider::new(&mut amount, 0.1..=MAX_AMOUNT).clamping(SliderClamping::Edits);
        if ui.add(slider.text("amount")).changed() {
            edit.amount = Some(amount);
        }
    }
    focused
}

/// Sets the kind of the edit. Its other values stay, also those that this kind does not use, for when the author changes
/// their mind. A strength suits one kind only.
fn set_kind(edit: &mut PartEdit, kind: EditKind) {
    edit.strength = edit.strength.filter(|_| kind == edit.kind);
    edit.kind = kind;
}

/// The description of a kind of edit, in a sentence.
fn description(kind: EditKind) -> &'static str {
    match kind {
        EditKind::Keep => "Nothing in this part changes.",
        EditKind::Refine => "The same content, improved or varied.",
        EditKind::Replace => "Different content in its place.",
        EditKind::Add => "New content. A rough scribble in colours guides its shape.",
        EditKind::Remove => "The content disappears, and the surroundings fill the gap.",
        EditKind::Embolden => "The same content, exaggerated.",
    }
}

/// Buttons that change the whole mask.
fn mask_buttons(ui: &mut Ui, form: &mut FormState, layer: &mut Layer) {
    let (width, height) = layer.mask.size();
    ui.add_enabled_ui(!layer.locked, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let mut press = |name: &str, tooltip: &str, change: &dyn Fn(&Mask) -> Mask| {
                if ui.small_button(name).on_hover_text(tooltip).clicked() {
                    layer.mask = change(&layer.mask);
                }
            };
            let pixels = form.pixels;
            press("Grow", "Extends the mask on all sides", &|mask| mask.grown(pixels));
            press("Shrink", "Reduces the mask on all sides", &|mask| mask.shrunk(pixels));
            press("Feather", "Softens the edge of the mask", &|mask| mask.feathered(pixels));
            press("Invert", "Swaps inside and outside", &Mask::inverted);
            press("Fill holes", "Adds the areas that the mask encloses", &Mask::without_holes);
            press("Select all", "Covers the whole picture", &|_| Mask::full(width, height));
            press("Clear", "Empties the mask", &|_| Mask::empty(width, height));
            ui.add(DragValue::new(&mut form.pixels).range(1..=256).suffix(" px"))
                .on_hover_text("Pixels by which Grow, Shrink and Feather change the mask");
            if layer.scribble.is_some()
                && ui
                    .small_button("Delete scribble")
                    .on_hover_text("Deletes the scribble of this part")
                    .clicked()
            {
                layer.scribble = None;
            }
        });
    });
}

/// The field for the seed of the part. Returns whether it has the focus.
fn seed_field(ui: &mut Ui, form: &mut FormState, edit: &mut PartEdit) -> bool {
    let mut text =
        form.seed.clone().unwrap_or_else(|| edit.seed.map_or(String::new(), |s| s.to_string()));
    let label = ui.label(theme::small("Seed"));
    let response = ui
        .add(theme::field(&mut text, 1, "from the picture").id_salt("part seed"))
        .labelled_by(label.id);
    match parse_seed(&text) {
        Ok(seed) => {
            edit.seed = seed;
            form.seed = None;
        }
        Err(error) => {
            theme::error_box(ui, &error, "");
            form.seed = Some(text);
        }
    }
    response.has_focus()
}

/// A field for a number of pixels. An unset number is chosen automatically.
fn pixel_setting(ui: &mut Ui, name: &str, explanation: &str, pixels: &mut Option<u32>) {
    ui.horizontal(|ui| {
        let mut own = pixels.is_some();
        if ui.checkbox(&mut own, name).on_hover_text(explanation).changed() {
            *pixels = own.then_some(DEFAULT_PIXELS);
        }
        match pixels {
            Some(pixels) => {
                ui.add(DragValue::new(pixels).range(0..=MAX_REACH).suffix(" px"));
            }
            None => {
                ui.label(theme::small("automatic"));
            }
        }
    });
}
