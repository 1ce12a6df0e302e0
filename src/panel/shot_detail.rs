//! Details of a shot: its picture, state, takes and prompt, and the author's changes to them.

use egui::{Color32, Grid, Label, RichText, Sense, Ui, Vec2, WidgetInfo, WidgetType, vec2};

use super::{
    badge,
    context::PanelContext,
    losses,
    picture::{self, Content},
    prompt_field::length_hint,
    selection::Selection,
    shot_actions,
    steering::name_of_use,
    takes_strip::takes_strip,
    theme,
    widgets::icon_button,
    words_editor::{WordsDrafts, words_editor},
};
use crate::{
    recipe::InspirationKind,
    storyboard::{Shot, ShotId, ShotState},
};

/// Shows the shot in front, if there is one.
pub(super) fn shot_detail(
    ui: &mut Ui,
    selection: &mut Selection,
    words: &mut WordsDrafts,
    cx: &mut PanelContext<'_>,
) {
    let Some(id) = selection.front.clone() else { return };
    let shot = cx.project.board().shot(&id);
    title(ui, selection, cx, &id);
    let mut area = theme::scroll("shot detail");
    if std::mem::take(&mut selection.fresh) {
        area = area.vertical_scroll_offset(0.0);
    }
    area.show(ui, |ui| {
        summary(ui, selection, cx, &id, shot);
        if let Some(error) = cx.project.error(&id).map(|error| error.to_string()) {
            let error = format!("Drawing failed: {error}");
            theme::error_box(ui, &error, "Fix the cause, then press `Try again`.");
        }
        takes_strip(ui, selection, cx, &id, shot);
        if let Some(shot) = shot {
            words_editor(ui, words, cx, shot);
            prompt(ui, shot);
        }
        ui.add_space(theme::STEP);
    });
}

fn title(ui: &mut Ui, selection: &mut Selection, cx: &PanelContext<'_>, id: &ShotId) {
    let title = cx.overview.entry(id).map_or(id.as_str(), |entry| &entry.title).to_owned();
    ui.horizontal(|ui| {
        let close = ui.spacing().interact_size.x + theme::STEP;
        ui.allocate_ui(vec2(ui.available_width() - close, ui.spacing().interact_size.y), |ui| {
            ui.set_width(ui.available_width());
            ui.add(Label::new(RichText::new(title).heading().size(16.0)).truncate());
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if icon_button(ui, "✖", "Close the details").clicked() {
                selection.clear();
            }
        });
    });
}

/// Shows the picture, the state and the buttons.
fn summary(
    ui: &mut Ui,
    selection: &Selection,
    cx: &mut PanelContext<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) {
    let Some(entry) = cx.overview.entry(id) else { return };
    let size = picture_size(ui.available_width(), shot);
    ui.horizontal_top(|ui| {
        let take = cx.viewed_take(selection, id);
        let content = match take {
            Some(take) if selection.take.is_some() => Some(Content::take(cx, take, size.x)),
            _ => Content::of(cx, id, size.x),
        };
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        picture::paint(ui, rect, content.as_ref(), "No picture yet", Color32::WHITE);
        let accessible_name = format!("Picture of {}", entry.title);
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &accessible_name));

        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = theme::STEP / 2.0;
            badge::show(ui, entry.state, shot_actions::state_label(entry, cx));
            if entry.state != ShotState::Failed {
                ui.add(Label::new(shot_actions::in_words(entry, cx)).wrap());
            }
            if let Some(shot) = shot {
                facts(ui, shot);
            }
            ui.add_space(theme::STEP / 2.0);
            shot_actions::buttons(ui, entry, cx);
        });
    });
}

/// The size of the large picture: a fraction of the width, in the aspect ratio of the shot.
fn picture_size(width: f32, shot: Option<&Shot>) -> Vec2 {
    let aspect = shot.map_or(1.0, |shot| picture::aspect(shot.recipe.size));
    let width = (width * if aspect > 1.2 { 0.52 } else { 0.42 }).clamp(96.0, 480.0);
    vec2(width, width / aspect)
}

/// Shows kind, size, model, seed and scenes in small type.
fn facts(ui: &mut Ui, shot: &Shot) {
    let recipe = &shot.recipe;
    let facts = [
        format!("{}, {}", shot.kind.name(), recipe.size),
        format!("{}, seed {}", recipe.model, recipe.seed),
        match shot.scenes.as_slice() {
            [] => "not shown in any scene".to_owned(),
            [scene] => format!("in {scene}"),
            [first, others @ ..] => format!("in {first}, also in {}", others.join(", ")),
        },
    ];
    for fact in facts {
        ui.add(Label::new(theme::small(&fact)).truncate()).on_hover_text(fact);
    }
}

/// Shows the pieces of the prompt, with the source of each.
fn prompt(ui: &mut Ui, shot: &Shot) {
    ui.horizontal(|ui| {
        theme::section(ui, "Prompt and sources");
        if ui.small_button("Copy").on_hover_text("Copies the whole prompt").clicked() {
            ui.ctx().copy_text(shot.recipe.prompt.clone());
        }
    });
    let mut pieces: Vec<(String, &str)> =
        shot.sources.iter().map(|piece| (piece.from.to_string(), piece.words.as_str())).collect();
    if !shot.recipe.negative_prompt.is_empty() {
        pieces.push(("negative prompt".into(), &shot.recipe.negative_prompt));
    }
    for inspiration in &shot.recipe.inspirations {
        let words = match &inspiration.kind {
            InspirationKind::Text(words) => words,
            InspirationKind::Image(usage, _) => name_of_use(*usage),
        };
        pieces.push(("inspiration".to_owned(), words));
    }
    for loss in &shot.recipe.losses {
        let less = if loss.unlike { "loss, less of this" } else { "loss" };
        pieces.push((less.to_owned(), losses::title(loss.kind.name())));
    }
    theme::card().show(ui, |ui| {
        let width = ui.available_width();
        let left = (width * 0.36).min(200.0);
        Grid::new(("prompt", &shot.id)).num_columns(2).spacing(vec2(8.0, 6.0)).show(ui, |ui| {
            for (source, words) in pieces {
                cell(ui, left, Label::new(theme::small(source)).wrap());
                cell(ui, width - left - 8.0, Label::new(words).wrap().selectable(true));
                ui.end_row();
            }
        });
        let prompts = [&shot.recipe.prompt, &shot.recipe.negative_prompt];
        for hint in prompts.into_iter().filter_map(|prompt| length_hint(prompt)) {
            ui.add(Label::new(theme::small(hint)).wrap());
        }
    });
}

fn cell(ui: &mut Ui, width: f32, label: Label) {
    ui.vertical(|ui| {
        ui.set_width(width);
        ui.add(label);
    });
}
