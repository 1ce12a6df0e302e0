//! What is to be done to the chosen part.

use egui::{Button, DragValue, Slider, SliderClamping, Ui, vec2};

use crate::{
    mask::Mask,
    panel::{
        theme,
        widgets::{parse_seed, percent},
    },
    recipe::{
        EditKind, Layer, PartEdit,
        part::{MAX_AMOUNT, MAX_REACH},
    },
};

/// By how many pixels masks grow, shrink and fade until the author says otherwise.
const USUAL_REACH: u32 = 4;

/// What is typed but not part of the edit.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    /// What makes no sense yet.
    seed: Option<String>,
    /// By how many pixels a press grows or shrinks.
    reach: u32,
}

impl Default for Typed {
    fn default() -> Self {
        Self { seed: None, reach: USUAL_REACH }
    }
}

/// The form; whether a field of text has the keyboard.
pub(super) fn part_form(ui: &mut Ui, typed: &mut Typed, layer: &mut Layer) -> bool {
    kinds(ui, layer);
    let mut focused = match &mut layer.edit {
        Some(edit) if edit.kind != EditKind::Keep => said(ui, edit),
        _ => false,
    };
    focused |= field(ui, "Name of the part", "", 1, &mut layer.name);
    shape(ui, typed, layer);
    if let Some(edit) = layer.edit.as_mut().filter(|edit| edit.kind != EditKind::Keep) {
        let more = egui::CollapsingHeader::new("Seed and edges").id_salt("more");
        more.show(ui, |ui| {
            focused |= seed(ui, typed, edit);
            reach(ui, "grow", "Reaches so many pixels further", &mut edit.grow);
            reach(ui, "feather", "Fades into the old over so many pixels", &mut edit.feather);
        });
    }
    focused
}

/// A field with its name; whether it has the keyboard.
fn field(ui: &mut Ui, name: &str, hint: &str, rows: usize, text: &mut String) -> bool {
    let label = ui.label(theme::small(name));
    let edit = theme::field(text, rows, hint).id_salt(name);
    ui.add(edit).labelled_by(label.id).has_focus()
}

/// What is to be done, all at a glance; a second press takes it back.
fn kinds(ui: &mut Ui, layer: &mut Layer) {
    let chosen = layer.edit.as_ref().map(|edit| edit.kind);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for kind in EditKind::ALL {
            let is_it = chosen == Some(kind);
            let button = Button::selectable(is_it, kind.name()).frame_when_inactive(true);
            if ui.add(button).on_hover_text(explained(kind)).clicked() {
                choose(layer, Some(kind).filter(|_| !is_it));
            }
        }
    });
    let explanation = chosen.map_or("What is to be done with it?", explained);
    ui.add(egui::Label::new(theme::small(explanation)).wrap());
}

/// Words and strength; whether a field has the keyboard.
fn said(ui: &mut Ui, edit: &mut PartEdit) -> bool {
    let (name, hint) = match edit.kind {
        EditKind::Remove => ("What is to go", "a painter"),
        EditKind::Replace | EditKind::Add => ("What it is to show", "a white spaceship"),
        _ => ("What it shows, if anything is to be said", "the words of the picture"),
    };
    let mut focused = field(ui, name, hint, 2, &mut edit.words);
    focused |= field(ui, "Not wanted in it", "text, people", 1, &mut edit.negative_prompt);
    let mut strength = edit.strength();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 72.0;
        if percent(ui, &mut strength, "strength").changed() {
            edit.strength = Some(strength.max(0.01));
        }
        let text = match strength {
            ..0.45 => "polish",
            0.45..0.75 => "change",
            _ => "anew",
        };
        ui.label(theme::small(text));
        if edit.strength.is_some()
            && ui.small_button("usual").on_hover_text("As it suits what is done").clicked()
        {
            edit.strength = None;
        }
    });
    if edit.kind == EditKind::Embolden {
        let mut amount = edit.amount();
        let slider = Slider::new(&mut amount, 0.1..=MAX_AMOUNT).clamping(SliderClamping::Edits);
        if ui.add(slider.text("how much bolder")).changed() {
            edit.amount = Some(amount);
        }
    }
    focused
}

/// Another kind, with what was said so far as far as it fits; or nothing at all.
fn choose(layer: &mut Layer, kind: Option<EditKind>) {
    let said = layer.edit.take().unwrap_or_default();
    layer.edit = kind.map(|kind| {
        let amount = said.amount.filter(|_| kind == EditKind::Embolden);
        // What is kept is exactly what is marked.
        let [grow, feather] =
            [said.grow, said.feather].map(|pixels| pixels.filter(|_| kind != EditKind::Keep));
        PartEdit { kind, strength: None, amount, grow, feather, ..said }
    });
}

/// What a kind does, in a sentence.
fn explained(kind: EditKind) -> &'static str {
    match kind {
        EditKind::Keep => "Not a bit of it changes, whatever happens below it.",
        EditKind::Refine => "The same thing, better or a little different.",
        EditKind::Replace => "Something else in its place.",
        EditKind::Add => "Something that is not there yet; scribble it roughly in colours.",
        EditKind::Remove => "It goes, and its surroundings close over it.",
        EditKind::Embolden => "More of what is there.",
    }
}

/// What changes the mask as a whole.
fn shape(ui: &mut Ui, typed: &mut Typed, layer: &mut Layer) {
    let (width, height) = layer.mask.size();
    ui.add_enabled_ui(!layer.locked, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let mut press = |name: &str, change: &dyn Fn(&Mask) -> Mask| {
                if ui.small_button(name).clicked() {
                    layer.mask = change(&layer.mask);
                }
            };
            let pixels = typed.reach;
            press("Grow", &|mask| mask.grown(pixels));
            press("Shrink", &|mask| mask.shrunk(pixels));
            press("Feather", &|mask| mask.feathered(pixels));
            press("Invert", &Mask::inverted);
            press("Fill holes", &Mask::without_holes);
            press("All", &|_| Mask::full(width, height));
            press("Nothing", &|_| Mask::empty(width, height));
            ui.add(DragValue::new(&mut typed.reach).range(1..=256).suffix(" px"))
                .on_hover_text("By how much Grow, Shrink and Feather change it");
            if layer.scribble.is_some()
                && ui
                    .small_button("Drop scribble")
                    .on_hover_text("Forgets the rough shape")
                    .clicked()
            {
                layer.scribble = None;
            }
        });
    });
}

/// The part's own seed; whether its field has the keyboard.
fn seed(ui: &mut Ui, typed: &mut Typed, edit: &mut PartEdit) -> bool {
    let mut text =
        typed.seed.clone().unwrap_or_else(|| edit.seed.map_or(String::new(), |s| s.to_string()));
    let label = ui.label(theme::small("Seed"));
    let response = ui
        .add(theme::field(&mut text, 1, "the picture's").id_salt("part seed"))
        .labelled_by(label.id);
    match parse_seed(&text) {
        Ok(seed) => {
            edit.seed = seed;
            typed.seed = None;
        }
        Err(error) => {
            theme::error_box(ui, &error, "");
            typed.seed = Some(text);
        }
    }
    response.has_focus()
}

/// Pixels that are chosen by themselves unless somebody says so.
fn reach(ui: &mut Ui, name: &str, explanation: &str, pixels: &mut Option<u32>) {
    ui.horizontal(|ui| {
        let mut own = pixels.is_some();
        if ui.checkbox(&mut own, name).on_hover_text(explanation).changed() {
            *pixels = own.then_some(USUAL_REACH);
        }
        match pixels {
            Some(pixels) => {
                ui.add(DragValue::new(pixels).range(0..=MAX_REACH).suffix(" px"));
            }
            None => {
                ui.label(theme::small("as it suits the part"));
            }
        }
    });
}
