//! Inspirations: the texts and images that a part or a picture follows.

use egui::{DragValue, Slider, SliderClamping, Ui, vec2};

use super::{
    SteeringOf,
    image_chooser::{Entry, ImageChooser},
};
use crate::{
    panel::{
        context::PanelContext,
        theme,
        widgets::{icon_button, text_field},
    },
    recipe::{ImageUse, Inspiration, InspirationKind, MAX_INSPIRATIONS, MAX_WEIGHT},
};

/// The name of a use in plain words, and its explanation.
const fn words(usage: ImageUse) -> (&'static str, &'static str) {
    match usage {
        ImageUse::Style => {
            ("Look like this", "In the style of an image: its strokes, colours and contrasts")
        }
        ImageUse::Content => (
            "Laid out like this",
            "Shapes and light where another image of the same shape has them",
        ),
        ImageUse::Outline => (
            "Hold this outline",
            "Edges along the lines of a drawing of the same shape: dark lines on a light ground",
        ),
        ImageUse::Scribble => (
            "Roughly these colours",
            "Rough colours where an image of the same shape has them, free where it is transparent",
        ),
    }
}

/// The name of a use in plain words.
pub(in crate::panel) const fn name_of_use(usage: ImageUse) -> &'static str {
    words(usage).0
}

/// Shows the inspirations. Returns whether a text field has the focus.
pub(super) fn inspirations_form(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    chooser: &mut ImageChooser,
    of: &mut SteeringOf<'_>,
    inspirations: &mut Vec<Inspiration>,
) -> bool {
    let before = inspirations.len();
    buttons(ui, chooser, inspirations);
    let mut is_typing = false;
    for usage in ImageUse::ALL {
        let entry = Entry::NewInspiration(usage);
        let chosen = chooser.picker(ui, cx, &entry, name_of_use(usage), usage, of);
        is_typing |= chosen.is_typing;
        let new = chosen.id.map(|id| Inspiration::new(InspirationKind::Image(usage, id)));
        inspirations.extend(new);
    }
    let mut removed = None;
    for (index, inspiration) in inspirations.iter_mut().enumerate() {
        let shown = theme::card().inner_margin(6).show(ui, |ui| {
            ui.push_id(index, |ui| {
                ui.set_width(ui.available_width());
                let (is_removed, is_typing_here) = row(ui, cx, chooser, of, index, inspiration);
                removed = is_removed.then_some(index).or(removed);
                is_typing |= is_typing_here;
            });
        });
        if index >= before {
            // A new one may be below the visible area.
            shown.response.scroll_to_me(None);
        }
    }
    if let Some(index) = removed {
        inspirations.remove(index);
    }
    is_typing
}

/// The buttons that add an inspiration.
fn buttons(ui: &mut Ui, chooser: &mut ImageChooser, inspirations: &mut Vec<Inspiration>) {
    let has_room = inspirations.len() < MAX_INSPIRATIONS;
    ui.add_enabled_ui(has_room, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for usage in ImageUse::ALL {
                let (name, tooltip) = words(usage);
                chooser.button(ui, Entry::NewInspiration(usage), name, tooltip);
            }
            let tooltip = "Another text beside the prompt, with its own weight";
            if ui.button("Also this").on_hover_text(tooltip).clicked() {
                inspirations.push(Inspiration::new(InspirationKind::Text(String::new())));
            }
        });
    });
}

/// One inspiration. Returns whether it was removed, and whether a text field has the focus.
fn row(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    chooser: &mut ImageChooser,
    of: &mut SteeringOf<'_>,
    index: usize,
    inspiration: &mut Inspiration,
) -> (bool, bool) {
    let mut is_removed = false;
    let name = match &inspiration.kind {
        InspirationKind::Text(_) => "Also this",
        InspirationKind::Image(usage, _) => name_of_use(*usage),
    };
    ui.horizontal(|ui| {
        ui.label(name);
        is_removed = icon_button(ui, "x", "Remove this inspiration").clicked();
    });
    let is_typing = match &mut inspiration.kind {
        InspirationKind::Text(text) => text_field(ui, "Text", "velvet", 1, text).has_focus(),
        InspirationKind::Image(usage, id) => {
            let entry = Entry::Inspiration(index, id.clone());
            chooser.image(ui, cx, &entry, name, *usage, id, of)
        }
    };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 72.0;
        let slider = Slider::new(&mut inspiration.weight, 0.1..=MAX_WEIGHT).logarithmic(true);
        ui.add(slider.max_decimals(2).clamping(SliderClamping::Edits).text("weight"));
    });
    steps(ui, inspiration);
    (is_removed, is_typing)
}

/// The steps that follow the inspiration.
fn steps(ui: &mut Ui, inspiration: &mut Inspiration) {
    ui.horizontal_wrapped(|ui| {
        let mut from = inspiration.from * 100.0;
        let mut to = inspiration.end() * 100.0;
        let tooltip = "The first steps decide the layout, the last ones details";
        ui.label(theme::small("steps")).on_hover_text(tooltip);
        if ui.add(DragValue::new(&mut from).range(0.0..=to - 1.0).suffix(" %")).changed() {
            inspiration.from = from / 100.0;
        }
        ui.label(theme::small("to"));
        if ui.add(DragValue::new(&mut to).range(from + 1.0..=100.0).suffix(" %")).changed() {
            inspiration.to = Some(to / 100.0);
        }
    });
}
