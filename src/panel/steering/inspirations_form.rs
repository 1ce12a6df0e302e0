//! Inspirations: the texts and images that a part or a picture follows.

use egui::{Ui, vec2};

use super::{
    SteeringOf,
    image_chooser::{Entry, ImageChooser},
    rows::{Row, rows, steps, title, weight},
};
use crate::{
    panel::{context::PanelContext, widgets::text_field},
    recipe::{ImageUse, Inspiration, InspirationKind, MAX_INSPIRATIONS},
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
        ImageUse::Reference => (
            "This person or thing",
            "A picture of a person, a place or a thing that the words name. FLUX.2 Klein sees it",
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
    let of_rows = rows(ui, inspirations, before, |ui, index, inspiration| {
        row(ui, cx, chooser, of, index, inspiration)
    });
    is_typing || of_rows
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

/// One inspiration.
fn row(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    chooser: &mut ImageChooser,
    of: &mut SteeringOf<'_>,
    index: usize,
    inspiration: &mut Inspiration,
) -> Row {
    let name = match &inspiration.kind {
        InspirationKind::Text(_) => "Also this",
        InspirationKind::Image(usage, _) => name_of_use(*usage),
    };
    let is_removed = title(ui, name, "inspiration", |_| {});
    let is_typing = match &mut inspiration.kind {
        InspirationKind::Text(text) => text_field(ui, "Text", "velvet", 1, text).has_focus(),
        InspirationKind::Image(usage, id) => {
            let entry = Entry::Inspiration(index, id.clone());
            chooser.image(ui, cx, &entry, name, *usage, id, of)
        }
    };
    weight(ui, &mut inspiration.weight);
    let end = inspiration.end();
    steps(ui, &mut inspiration.from, &mut inspiration.to, end);
    Row { is_removed, is_typing }
}
