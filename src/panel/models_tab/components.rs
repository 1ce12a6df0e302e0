//! The rows of components that are files of their own: autoencoders, text encoders, adapters and networks of losses.

use egui::{Button, Label, Response, RichText, Ui};

use super::rows::{card, find, fits, named};
use crate::{
    generator::FoundModel,
    model::{BaseModel, ComponentPlace},
    panel::{
        theme,
        widgets::{byte_size, capitalized},
    },
    recipe::{
        Style,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
};

/// A component that a model can use. `all` are the files that were found.
pub(super) fn component(ui: &mut Ui, found: &FoundModel, style: &mut Style, all: &[FoundModel]) {
    let (path, name) = (found.path_name(), found.name());
    let places = found.inspection.places();
    let used = places.iter().copied().find(|place| is_in(style, *place, &path));
    let base = found.inspection.base;
    let of_model = find(all, &style.model).and_then(|model| model.inspection.base);
    let is_built_in = [BUILT_IN_MODEL, LATENTS_MODEL].contains(&style.model.as_str());
    let is_enabled = fits(base, of_model) && !is_built_in;
    let mut chosen = None;
    let response = card(
        ui,
        &name,
        used.is_some(),
        |ui| match (used, places) {
            (Some(_), _) => named(ui.button("Remove"), &format!("Remove {name}")),
            (None, [place]) => {
                let text = format!("Use as {}", place.name());
                let response = ui.add_enabled(is_enabled, Button::new(&text));
                if response.clicked() {
                    chosen = Some(*place);
                }
                explained(response, &format!("{text}: {name}"))
            }
            (None, places) => {
                let menu = |ui: &mut Ui| {
                    for place in places {
                        if ui.button(place.name()).clicked() {
                            chosen = Some(*place);
                        }
                    }
                };
                let button = |ui: &mut Ui| ui.menu_button("Use as…", menu).response;
                explained(ui.add_enabled_ui(is_enabled, button).inner, &format!("Use {name} as"))
            }
        },
        |ui| {
            let kind = capitalized(&found.inspection.kind.to_string());
            let bytes = byte_size(found.inspection.bytes());
            let text = match found.inspection.component_memory().filter(|bytes| *bytes > 0) {
                Some(memory) => format!("{kind}, {bytes}, needs {} of memory", byte_size(memory)),
                None => format!("{kind}, {bytes}"),
            };
            ui.add(Label::new(theme::small(text)).wrap()).on_hover_text(&path);
            if let Some(place) = used {
                let text = RichText::new(format!("In use as {}", place.name()));
                ui.label(text.small().color(theme::WEAK));
            }
        },
    );
    match (used, chosen) {
        (Some(place), _) if response.clicked() => remove(style, place, &path),
        (None, Some(place)) => put(style, place, path, of_model),
        _ => {}
    }
}

/// A button that needs a fitting model.
fn explained(button: Response, name: &str) -> Response {
    let wrong = "It does not fit the chosen model. Choose a model of the same base first";
    named(button.on_disabled_hover_text(wrong), name)
}

fn is_in(style: &Style, place: ComponentPlace, path: &str) -> bool {
    match place {
        ComponentPlace::Vae => style.vae.as_deref() == Some(path),
        ComponentPlace::TextEncoder => style.text_encoders.iter().any(|it| it == path),
        ComponentPlace::Optional(component) => {
            style.components.get(component).is_some_and(|it| it == path)
        }
    }
}

/// `base` is that of the model.
fn put(style: &mut Style, place: ComponentPlace, path: String, base: Option<BaseModel>) {
    match place {
        ComponentPlace::Vae => style.vae = Some(path),
        ComponentPlace::TextEncoder => {
            // Another one replaces the last one.
            let most = if matches!(base, None | Some(BaseModel::Xl)) { 2 } else { 1 };
            style.text_encoders.truncate(most - 1);
            style.text_encoders.push(path);
        }
        ComponentPlace::Optional(component) => {
            style.components.insert(component.to_owned(), path);
        }
    }
}

fn remove(style: &mut Style, place: ComponentPlace, path: &str) {
    match place {
        ComponentPlace::Vae => style.vae = None,
        ComponentPlace::TextEncoder => style.text_encoders.retain(|it| it != path),
        ComponentPlace::Optional(component) => drop(style.components.remove(component)),
    }
}
