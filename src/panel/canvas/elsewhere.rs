//! The edit of a take, done to other shots of the same character, place or item, and judged side by side.

use egui::{Color32, Label, Margin, ScrollArea, Ui};

use super::candidates::{discard, number};
use crate::{
    art::Take,
    panel::{
        Desk, badge,
        picture::{self, Content},
        takes_strip::{HEIGHT, Marks, room, tile},
        theme,
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

/// The offer to do the same elsewhere, and what came of it; nothing for a take that no edit made.
pub(super) fn elsewhere(ui: &mut Ui, desk: &mut Desk<'_>, take: &Take) {
    let others = others(desk, take);
    if others.is_empty() {
        return;
    }
    let todo: Vec<ShotId> = (others.iter().filter(|other| other.made.is_none()))
        .map(|other| other.shot.id.clone())
        .filter(|shot| !waits(desk, shot))
        .collect();
    let to_judge: Vec<&Take> = (others.iter())
        .filter_map(|other| other.made.filter(|made| made.id != other.shown.id))
        .collect();
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
            desk.actions.push(Action::EditAlike { shot, take, others: todo });
        }
        if to_judge.len() > 1 && ui.button("Accept all").clicked() {
            to_judge.iter().for_each(|made| accept(desk, made));
        }
    });
    if others.iter().all(|other| other.made.is_none() && !waits(desk, &other.shot.id)) {
        return;
    }
    let area = ScrollArea::horizontal().id_salt("elsewhere").auto_shrink([false, true]);
    let below = Margin { bottom: 10, ..Margin::ZERO };
    area.content_margin(below).show(ui, |ui| {
        ui.horizontal(|ui| {
            for other in others {
                ui.push_id(&other.shot.id, |ui| ui.vertical(|ui| one(ui, desk, &other)));
            }
        });
    });
}

/// One shot: what it showed, what the edit made of it, and the verdict.
fn one(ui: &mut Ui, desk: &mut Desk<'_>, other: &Other<'_>) {
    let Other { shot, shown, made } = other;
    let takes = desk.project.art().takes(&shot.id);
    ui.spacing_mut().item_spacing = egui::vec2(2.0, 2.0);
    ui.horizontal(|ui| {
        let is_judged = made.is_some_and(|made| made.id == shown.id);
        // Before the verdict both, after it what is shown.
        let pictures = [Some(*shown).filter(|_| !is_judged), *made];
        for take in pictures.into_iter().flatten() {
            let size = take.recipe().size;
            let marks =
                Marks { number: number(takes, take), is_accepted: is_judged, is_old: false };
            let content = Content::take(desk, take, HEIGHT * picture::aspect(size));
            tile(ui, &content, room(size), &marks, false);
        }
        if made.is_none() && waits(desk, &shot.id) {
            let (rect, _) = ui.allocate_exact_size(room(shot.recipe.size), egui::Sense::hover());
            let preview = Content::preview(desk, &shot.id);
            picture::paint(ui, rect, preview.as_ref(), "", Color32::WHITE);
            badge::paint_note(ui.painter(), rect, "waits");
        }
    });
    ui.set_max_width(HEIGHT * 2.4);
    ui.add(Label::new(theme::small(&shot.title)).truncate());
    if let Some(made) = made.filter(|made| made.id != shown.id) {
        ui.horizontal(|ui| {
            if ui.small_button("Accept").on_hover_text("The game shows it from now on").clicked() {
                accept(desk, made);
            }
            if ui.small_button("Discard").on_hover_text("Puts it away").clicked() {
                discard(desk, made);
            }
        });
    }
}

/// The other shots of the same subject that have a picture. What was done alike is known by the takes
/// themselves, and so it survives the end of the program.
fn others<'a>(desk: &Desk<'a>, take: &Take) -> Vec<Other<'a>> {
    let project = desk.project;
    let Some(origin) = take.recipe().origin() else { return Vec::new() };
    let alike = |other: &&Take| other.recipe().origin().as_ref() == Some(&origin);
    let others = project.board().kin(&take.shot).filter_map(|shot| {
        let shown = project.shown(shot)?;
        let made = project.art().takes(&shot.id).iter().rev().find(alike);
        Some(Other { shot, shown, made })
    });
    others.collect()
}

/// Whether something is on its way for a shot.
fn waits(desk: &Desk<'_>, shot: &ShotId) -> bool {
    desk.job_of(shot).is_some() || desk.project.is_searched(shot)
}

fn accept(desk: &mut Desk<'_>, take: &Take) {
    desk.actions.push(Action::Accept { shot: take.shot.clone(), take: take.id.clone() });
}
