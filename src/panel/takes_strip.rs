//! The takes of a shot side by side, those with a score ordered by it, and their actions.

use egui::{Button, Key, Modifiers, ScrollArea, Ui};

use super::{
    context::PanelContext,
    discarded::discarded_menu,
    selection::{Selection, Tab},
    theme,
    tile::{TileLabel, job_tile, take_number, tile},
};
use crate::{
    art::{RankedTake, Take, TakeId, ranked},
    project::Action,
    recipe::Size,
    storyboard::{Shot, ShotId},
};

/// Shows the strip and its buttons.
pub(super) fn takes_strip(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) {
    let chosen = cx.viewed_take(selection, id);
    let double_clicked = tiles(ui, selection, cx, id, shot);
    let Some(chosen) = chosen else {
        discarded_menu(ui, cx, id);
        return;
    };
    let accept = buttons(ui, selection, cx, chosen).then(|| chosen.id.clone()).or(double_clicked);
    let accepted = cx.project.art().accepted(id).map(|take| &take.id);
    if let Some(take) = accept.filter(|take| accepted != Some(take)) {
        cx.request(Action::Accept { shot: id.clone(), take });
    }
}

/// Shows all takes and the current job. Returns the take that was double-clicked.
fn tiles(
    ui: &mut Ui,
    selection: &mut Selection,
    cx: &mut PanelContext<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) -> Option<TakeId> {
    let takes = cx.project.art().takes(id);
    let is_drawn = cx.steps_of(id).is_some();
    if takes.is_empty() && !is_drawn {
        return None;
    }
    let accepted = cx.project.art().accepted(id).map(|take| &take.id);
    let chosen = cx.viewed_take(selection, id);
    let mut double_clicked = None;
    ScrollArea::horizontal().id_salt(("takes", id)).auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            for RankedTake { take, score } in ranked(takes) {
                let is_accepted = accepted == Some(&take.id);
                let is_outdated = shot.is_some_and(|s| !take.is_for(&s.recipe));
                let number = take_number(takes, take);
                let label = TileLabel { number, is_accepted, is_outdated, score };
                let is_chosen = chosen.is_some_and(|chosen| chosen.id == take.id);
                let response = tile(ui, cx, take, &label, is_chosen);
                if response.clicked() {
                    selection.take = Some(take.id.clone());
                }
                if response.double_clicked() {
                    double_clicked = Some(take.id.clone());
                }
            }
            if is_drawn {
                let size = shot.map_or(Size::new(1, 1), |shot| shot.recipe.size);
                job_tile(ui, cx, id, size);
            }
        });
    });
    double_clicked
}

/// Handles the actions of a take, by button or key. Returns whether to accept it.
fn buttons(ui: &mut Ui, selection: &mut Selection, cx: &mut PanelContext<'_>, take: &Take) -> bool {
    let takes = cx.project.art().takes(&take.shot);
    let is_accepted = cx.project.art().accepted(&take.shot).is_some_and(|it| it.id == take.id);
    let pressed = |key| cx.has_keys && ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (mut accept, mut discard) = (pressed(Key::Enter), pressed(Key::Delete));
    let steps = isize::from(pressed(Key::ArrowRight)) - isize::from(pressed(Key::ArrowLeft));
    if steps != 0 {
        let order = ranked(takes);
        let at = order.iter().position(|ranked| ranked.take.id == take.id);
        if let Some(next) = at.and_then(|at| order.get(at.checked_add_signed(steps)?)) {
            selection.take = Some(next.take.id.clone());
        }
    }
    ui.horizontal(|ui| {
        let name = if is_accepted { "Accepted" } else { "Accept" };
        accept |= ui
            .add_enabled(!is_accepted, theme::primary(name))
            .on_hover_text("Makes this take the one that the game shows (Enter or double-click)")
            .on_disabled_hover_text("This take is accepted")
            .clicked();
        discard |= ui
            .add(Button::new("Discard"))
            .on_hover_text("Removes this take; `Discarded takes` restores it (Delete)")
            .clicked();
        if ui
            .button("Edit parts")
            .on_hover_text("Opens this take on the canvas, to edit parts of it")
            .clicked()
        {
            selection.take = Some(take.id.clone());
            cx.next_tab = Some(Tab::Canvas);
        }
        let number = take_number(takes, take);
        ui.label(theme::small(format!("take {number} of {}", takes.len())));
        if let Some(back) = discarded_menu(ui, cx, &take.shot) {
            selection.take = Some(back);
        }
    });
    if discard {
        selection.take = None;
        let (shot, take) = (take.shot.clone(), take.id.clone());
        cx.request(Action::Discard { shot, take });
    }
    accept
}
