//! Repeats the edit of a take on other shots of the same character, place or item, and shows the results side by
//! side.

use egui::{Label, Margin, ScrollArea, Ui};

use super::candidates::discard;
use crate::{
    art::Take,
    panel::{
        context::PanelContext,
        theme,
        tile::{HEIGHT, TileLabel, job_tile, take_number, tile},
    },
    project::Action,
    storyboard::{Shot, ShotId},
};

/// A related shot, and the result of the edit there.
struct RelatedShot<'a> {
    shot: &'a Shot,
    /// The take that the game shows.
    shown: &'a Take,
    /// The newest take from the same edit.
    result: Option<&'a Take>,
}

impl<'a> RelatedShot<'a> {
    /// The result that the author has neither accepted nor edited yet.
    fn undecided(&self) -> Option<&'a Take> {
        self.result.filter(|result| result.parent() == Some(&self.shown.id))
    }
}

/// Offers to repeat the edit on related shots, and shows the results. Shows nothing for a take without an edit.
pub(super) fn propagation(ui: &mut Ui, cx: &mut PanelContext<'_>, take: &Take) {
    let related_shots = related_shots(cx, take);
    if related_shots.is_empty() {
        return;
    }
    let todo: Vec<ShotId> = (related_shots.iter().filter(|other| other.result.is_none()))
        .map(|other| other.shot.id.clone())
        .filter(|shot| !has_job(cx, shot))
        .collect();
    let undecided: Vec<&Take> = related_shots.iter().filter_map(RelatedShot::undecided).collect();
    ui.horizontal_wrapped(|ui| {
        ui.label(theme::small("Related shots"));
        let edit = format!("Repeat edit ({})", todo.len());
        if !todo.is_empty()
            && ui
                .button(edit)
                .on_hover_text(
                    "Repeats the edit of this take on shots of the same character, place or item",
                )
                .clicked()
        {
            let (shot, take) = (take.shot.clone(), take.id.clone());
            cx.request(Action::PropagateEdit { shot, take, others: todo });
        }
        if undecided.len() > 1 && ui.button("Accept all").clicked() {
            undecided.iter().for_each(|result| accept(cx, result));
        }
    });
    if related_shots.iter().all(|other| other.result.is_none() && !has_job(cx, &other.shot.id)) {
        return;
    }
    let area = ScrollArea::horizontal().id_salt("related shots").auto_shrink([false, true]);
    let below = Margin { bottom: 10, ..Margin::ZERO };
    area.content_margin(below).show(ui, |ui| {
        ui.horizontal(|ui| {
            for other in related_shots {
                ui.push_id(&other.shot.id, |ui| {
                    ui.vertical(|ui| show_related_shot(ui, cx, &other))
                });
            }
        });
    });
}

/// One related shot: its take before and after the edit, and the buttons to accept or discard the result.
fn show_related_shot(ui: &mut Ui, cx: &mut PanelContext<'_>, other: &RelatedShot<'_>) {
    let RelatedShot { shot, shown, result } = other;
    let takes = cx.project.art().takes(&shot.id);
    ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
    ui.horizontal(|ui| {
        // Both takes until the author decides, then only the take that the game shows.
        for take in [Some(*shown), other.undecided()].into_iter().flatten() {
            let is_accepted =
                result.is_some_and(|result| result.id == take.id && take.id == shown.id);
            let label = TileLabel {
                number: take_number(takes, take),
                is_accepted,
                is_outdated: false,
                score: None,
            };
            tile(ui, cx, take, &label, false);
        }
        if result.is_none() && has_job(cx, &shot.id) {
            job_tile(ui, cx, &shot.id, shot.recipe.size);
        }
    });
    ui.set_max_width(HEIGHT * 2.4);
    ui.add(Label::new(theme::small(&shot.title)).truncate());
    if let Some(result) = other.undecided() {
        ui.horizontal(|ui| {
            if ui
                .small_button("Accept")
                .on_hover_text("Makes this take the one that the game shows")
                .clicked()
            {
                accept(cx, result);
            }
            if ui
                .small_button("Discard")
                .on_hover_text("Removes this take; `Discarded takes` restores it")
                .clicked()
            {
                discard(cx, result);
            }
        });
    }
}

/// Other shots of the same subject that have a picture. Takes record the edit that made them, so the results are known
/// after a restart.
fn related_shots<'a>(cx: &PanelContext<'a>, take: &Take) -> Vec<RelatedShot<'a>> {
    let project = cx.project;
    let Some(origin) = take.recipe().origin() else { return Vec::new() };
    let has_same_edit = |other: &&Take| other.recipe().origin().as_ref() == Some(&origin);
    let related_shots = project.board().related(&take.shot).filter_map(|shot| {
        let shown = project.shown(&shot.id)?;
        let result = project.art().takes(&shot.id).iter().rev().find(has_same_edit);
        Some(RelatedShot { shot, shown, result })
    });
    related_shots.collect()
}

/// Whether the shot has a job, or is about to get one.
fn has_job(cx: &PanelContext<'_>, shot: &ShotId) -> bool {
    cx.job_of(shot).is_some() || cx.project.is_searched(shot)
}

fn accept(cx: &mut PanelContext<'_>, take: &Take) {
    cx.request(Action::Accept { shot: take.shot.clone(), take: take.id.clone() });
}
