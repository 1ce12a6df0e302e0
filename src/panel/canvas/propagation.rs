//! The edit of a take, done to other shots of the same character, place or item, and judged side by side.

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

/// Another shot, and what came of the edit there so far.
struct Other<'a> {
    shot: &'a Shot,
    /// What it shows now.
    shown: &'a Take,
    /// The newest take that the same edit made.
    made: Option<&'a Take>,
}

impl<'a> Other<'a> {
    /// What was made of what is shown. Whoever has accepted it, or went on otherwise, has judged.
    fn to_judge(&self) -> Option<&'a Take> {
        self.made.filter(|made| made.parent() == Some(&self.shown.id))
    }
}

/// The offer to do the same elsewhere, and what came of it; nothing for a take that no edit made.
pub(super) fn propagation(ui: &mut Ui, cx: &mut PanelContext<'_>, take: &Take) {
    let others = others(cx, take);
    if others.is_empty() {
        return;
    }
    let todo: Vec<ShotId> = (others.iter().filter(|other| other.made.is_none()))
        .map(|other| other.shot.id.clone())
        .filter(|shot| !waits(cx, shot))
        .collect();
    let to_judge: Vec<&Take> = others.iter().filter_map(Other::to_judge).collect();
    ui.horizontal_wrapped(|ui| {
        ui.label(theme::small("The same subject elsewhere"));
        let edit = format!("Same edit on {} more", todo.len());
        if !todo.is_empty()
            && ui
                .button(edit)
                .on_hover_text(
                    "Does to the pictures of these shots what made this take, where they show the same",
                )
                .clicked()
        {
            let (shot, take) = (take.shot.clone(), take.id.clone());
            cx.actions.push(Action::PropagateEdit { shot, take, others: todo });
        }
        if to_judge.len() > 1 && ui.button("Accept all").clicked() {
            to_judge.iter().for_each(|made| accept(cx, made));
        }
    });
    if others.iter().all(|other| other.made.is_none() && !waits(cx, &other.shot.id)) {
        return;
    }
    let area = ScrollArea::horizontal().id_salt("elsewhere").auto_shrink([false, true]);
    let below = Margin { bottom: 10, ..Margin::ZERO };
    area.content_margin(below).show(ui, |ui| {
        ui.horizontal(|ui| {
            for other in others {
                ui.push_id(&other.shot.id, |ui| ui.vertical(|ui| one(ui, cx, &other)));
            }
        });
    });
}

/// One shot: what it showed, what the edit made of it, and the verdict.
fn one(ui: &mut Ui, cx: &mut PanelContext<'_>, other: &Other<'_>) {
    let Other { shot, shown, made } = other;
    let takes = cx.project.art().takes(&shot.id);
    ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
    ui.horizontal(|ui| {
        // Before the verdict both, after it what is shown.
        for take in [Some(*shown), other.to_judge()].into_iter().flatten() {
            let is_accepted = made.is_some_and(|made| made.id == take.id && take.id == shown.id);
            let told = TileLabel { number: take_number(takes, take), is_accepted, is_old: false };
            tile(ui, cx, take, &told, false);
        }
        if made.is_none() && waits(cx, &shot.id) {
            job_tile(ui, cx, &shot.id, shot.recipe.size);
        }
    });
    ui.set_max_width(HEIGHT * 2.4);
    ui.add(Label::new(theme::small(&shot.title)).truncate());
    if let Some(made) = other.to_judge() {
        ui.horizontal(|ui| {
            if ui.small_button("Accept").on_hover_text("The game shows it from now on").clicked() {
                accept(cx, made);
            }
            if ui.small_button("Discard").on_hover_text("Puts it away").clicked() {
                discard(cx, made);
            }
        });
    }
}

/// The other shots of the same subject that have a picture. What was done alike is known by the takes
/// themselves, and so it survives the end of the program.
fn others<'a>(cx: &PanelContext<'a>, take: &Take) -> Vec<Other<'a>> {
    let project = cx.project;
    let Some(origin) = take.recipe().origin() else { return Vec::new() };
    let alike = |other: &&Take| other.recipe().origin().as_ref() == Some(&origin);
    let others = project.board().kin(&take.shot).filter_map(|shot| {
        let shown = project.shown(&shot.id)?;
        let made = project.art().takes(&shot.id).iter().rev().find(alike);
        Some(Other { shot, shown, made })
    });
    others.collect()
}

/// Whether something is on its way for a shot.
fn waits(cx: &PanelContext<'_>, shot: &ShotId) -> bool {
    cx.job_of(shot).is_some() || cx.project.is_searched(shot)
}

fn accept(cx: &mut PanelContext<'_>, take: &Take) {
    cx.actions.push(Action::Accept { shot: take.shot.clone(), take: take.id.clone() });
}
