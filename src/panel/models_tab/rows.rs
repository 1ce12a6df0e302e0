//! The rows of models, LoRAs and other files.

use std::path::Path;

use egui::{Align, Button, Label, Layout, Response, RichText, Ui};

use crate::{
    generator::FoundModel,
    memory::{Fit, Memory},
    model::{
        BaseModel,
        inspect::Obstacle,
        licence::{Sale, Terms},
    },
    panel::{
        style_draft::set_model,
        theme,
        widgets::{byte_size, capitalized},
    },
    recipe::{
        Lora, MAX_LORAS, Style,
        style::{BUILT_IN_MODEL, LATENTS_MODEL},
    },
};

/// The models that need no files.
pub(super) fn built_in(ui: &mut Ui, style: &mut Style, filter: &str) {
    for (name, what) in [
        (BUILT_IN_MODEL, "The built-in diffusion model, for trying and planning"),
        (LATENTS_MODEL, "Losses and an optimizer instead of a diffusion network"),
    ] {
        if name.contains(filter) {
            let chosen = row(ui, name, style.model == name, |ui| {
                ui.label(theme::small(what));
            });
            if chosen {
                set_model(style, name.to_owned());
                style.loras.clear();
                style.components.clear();
            }
        }
    }
}

/// A model. `all` are the files that were found. `more` shows more about it, and gets whether the style uses it.
pub(super) fn model(
    ui: &mut Ui,
    model: &FoundModel,
    memory: Option<Memory>,
    style: &mut Style,
    all: &[FoundModel],
    more: impl FnOnce(&mut Ui, bool),
) {
    let path = model.path_name();
    let is_used = style.model == path;
    let chosen = row(ui, &model.name(), is_used, |ui| {
        let base = model.inspection.base_name().unwrap_or("Unknown base");
        ui.label(theme::small(format!("{base}, {}", byte_size(model.inspection.bytes()))))
            .on_hover_text(&path);
        if let Some(needs) = model.inspection.memory {
            memory_label(ui, needs.usual.peak(), needs.least(), memory);
        }
        licence_label(ui, model.inspection.licence.as_deref(), model.inspection.terms());
        for obstacle in &model.inspection.obstacles {
            obstacle_label(ui, obstacle, is_used.then_some(&*style));
        }
        more(ui, is_used);
    });
    if chosen {
        set_model(style, path);
        style.loras.retain(|lora| {
            let of_lora = find(all, &lora.file);
            of_lora.is_none_or(|lora| fits(lora.inspection.base, model.inspection.base))
        });
        style.components.retain(|_, file| {
            let found = find(all, file);
            found.is_none_or(|found| fits(found.inspection.base, model.inspection.base))
        });
    }
}

/// A reason why a model does not run, or runs only in part. `style` is the style that uses it.
fn obstacle_label(ui: &mut Ui, obstacle: &Obstacle, style: Option<&Style>) {
    let is_solved =
        |style: &Style| obstacle.is_solved_by(!style.text_encoders.is_empty(), style.vae.is_some());
    let text = match obstacle {
        _ if style.is_some_and(is_solved) => return,
        Obstacle::NoTextEncoder => {
            "Has no text encoder: use one below, under Components".to_owned()
        }
        Obstacle::NoVae => "Has no VAE: use one below, under Components".to_owned(),
        obstacle if obstacle.is_solved_by(true, true) => {
            "Has no text encoder and no VAE: use some below, under Components".to_owned()
        }
        other => other.to_string(),
    };
    let color = if style.is_some() { theme::ERROR } else { theme::WARNING };
    ui.add(Label::new(RichText::new(text).small().color(color)).wrap());
}

/// A LoRA. `all` are the files that were found.
pub(super) fn lora(ui: &mut Ui, lora: &FoundModel, style: &mut Style, all: &[FoundModel]) {
    let path = lora.path_name();
    let at = style.loras.iter().position(|it| it.file == path);
    let base = lora.inspection.base;
    let of_model = find(all, &style.model).and_then(|model| model.inspection.base);
    let is_built_in = [BUILT_IN_MODEL, LATENTS_MODEL].contains(&style.model.as_str());
    let fits = fits(base, of_model) && !is_built_in;
    let response = card(
        ui,
        &lora.name(),
        at.is_some(),
        |ui| {
            let name = lora.name();
            match at {
                Some(_) => named(ui.button("Remove"), &format!("Remove {name}")),
                None => {
                    let is_enabled = fits && style.loras.len() < MAX_LORAS;
                    let button = ui.add_enabled(is_enabled, Button::new("Add"));
                    let base = base.map_or("another base", BaseModel::name);
                    let wrong = format!("This LoRA is for {base}. Choose such a model first");
                    named(button.on_disabled_hover_text(wrong), &format!("Add {name}"))
                }
            }
        },
        |ui| {
            let base = base.map_or("an unknown base", BaseModel::name);
            let text = format!("For {base}, {}", byte_size(lora.inspection.bytes()));
            ui.label(theme::small(text)).on_hover_text(&path);
            if let Some(licence) = &lora.inspection.licence {
                licence_label(ui, Some(licence), lora.inspection.terms());
            }
        },
    );
    match at {
        Some(at) if response.clicked() => drop(style.loras.remove(at)),
        None if response.clicked() => style.loras.push(Lora { file: path.clone(), weight: 1.0 }),
        _ => {}
    }
}

/// A file that is neither a model nor a LoRA that works here. `more` shows more about it.
pub(super) fn other(ui: &mut Ui, other: &FoundModel, more: impl FnOnce(&mut Ui)) {
    theme::card().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.add(Label::new(RichText::new(other.name()).strong()).truncate())
            .on_hover_text(other.path_name());
        let kind = capitalized(&other.inspection.kind.to_string());
        ui.add(Label::new(theme::small(kind)).wrap());
        let reasons = other.inspection.obstacles.iter().map(ToString::to_string);
        ui.add(Label::new(theme::small(reasons.collect::<Vec<_>>().join("; "))).wrap());
        more(ui);
    });
}

/// A row with a button that chooses it. Returns whether it was clicked.
fn row(ui: &mut Ui, name: &str, is_chosen: bool, content: impl FnOnce(&mut Ui)) -> bool {
    let response = card(
        ui,
        name,
        is_chosen,
        |ui| {
            let text = if is_chosen { "In use" } else { "Use" };
            named(ui.add_enabled(!is_chosen, Button::new(text)), &format!("Use {name}"))
        },
        content,
    );
    response.clicked()
}

/// A card with a name, a button on the right, and lines below. Returns the response of the button.
pub(super) fn card(
    ui: &mut Ui,
    name: &str,
    is_chosen: bool,
    button: impl FnOnce(&mut Ui) -> Response,
    content: impl FnOnce(&mut Ui),
) -> Response {
    let frame = match is_chosen {
        true => theme::card().stroke(egui::Stroke::new(1.0, theme::ACCENT)),
        false => theme::card(),
    };
    frame
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 2.0;
            let header = |ui: &mut Ui| {
                let response = button(ui);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(name).strong()).truncate());
                });
                response
            };
            let row =
                |ui: &mut Ui| ui.with_layout(Layout::right_to_left(Align::Center), header).inner;
            let response = ui.horizontal(row).inner;
            content(ui);
            response
        })
        .inner
}

/// A button with a name for screen readers.
pub(super) fn named(button: Response, name: &str) -> Response {
    let is_enabled = button.enabled();
    button.widget_info(|| egui::WidgetInfo::labeled(egui::WidgetType::Button, is_enabled, name));
    button
}

/// The memory for a picture, in bytes, usually and at least, and whether models may use as much.
pub(super) fn memory_label(ui: &mut Ui, usual: u64, least: u64, memory: Option<Memory>) {
    let fit = memory.map_or(Fit::Fits, |memory| memory.fit(usual, least));
    let Memory { available, total, .. } = memory.unwrap_or_default();
    let [usual, least, available, total] = [usual, least, available, total].map(byte_size);
    let text = match fit {
        Fit::Fits => theme::small(format!("Needs about {usual} of memory")),
        Fit::FitsLow => theme::small(format!(
            "Uses about {least} of memory, and is a little slower than with {usual}"
        )),
        Fit::Tight => {
            let text =
                format!("Needs about {least} of memory, more than the {available} that are free");
            RichText::new(text).small().color(theme::WARNING)
        }
        Fit::TooLarge => {
            let text = format!("Needs about {least} of memory, but models may use {total}");
            RichText::new(text).small().color(theme::ERROR)
        }
    };
    ui.add(Label::new(text).wrap());
}

/// A licence, and what it allows if its terms are known.
pub(super) fn licence_label(ui: &mut Ui, licence: Option<&str>, terms: Option<&Terms>) {
    let (text, note) = match (licence, terms) {
        (None, _) => (
            RichText::new("No licence is named: look it up before you publish pictures")
                .small()
                .color(theme::WARNING),
            "",
        ),
        (Some(name), None) => (
            RichText::new(format!("Licence {name}: read it before you publish pictures"))
                .small()
                .color(theme::WARNING),
            "",
        ),
        (Some(name), Some(terms)) => {
            let text = RichText::new(format!("Licence {name}: {}", terms.sale.text())).small();
            let color = match terms.sale {
                Sale::Allowed => theme::WEAK,
                Sale::Limited => theme::WARNING,
                Sale::Forbidden => theme::ERROR,
            };
            (text.color(color), terms.note.as_str())
        }
    };
    let response = ui.add(Label::new(text).wrap());
    if !note.is_empty() {
        response.on_hover_text(note);
    }
}

/// Whether a LoRA or a component of one base works with a model of another. An unknown base may work.
pub(super) fn fits(lora: Option<BaseModel>, model: Option<BaseModel>) -> bool {
    lora.is_none() || model.is_none() || lora == model
}

pub(super) fn find<'a>(all: &'a [FoundModel], path: &str) -> Option<&'a FoundModel> {
    all.iter().find(|found| found.path == Path::new(path))
}
