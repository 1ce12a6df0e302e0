//! The takes of a shot, side by side, and what can be done with them.

use egui::{
    Button, Color32, Key, Modifiers, Response, ScrollArea, Sense, Ui, Vec2, WidgetInfo, WidgetType,
    vec2,
};

use super::{
    Desk, badge,
    discard::discarded,
    picture::{self, Content},
    state::{PanelState, Selection, Tab},
    theme,
};
use crate::{
    art::{Take, TakeId},
    project::Action,
    recipe::Size,
    storyboard::{Shot, ShotId},
};

/// How high a take stands in a strip.
pub(super) const HEIGHT: f32 = 64.0;

/// The take that the author looks at: the one clicked, else the one that the game shows, whatever is tried on.
pub(super) fn looked_at<'a>(
    selection: &Selection,
    desk: &Desk<'a>,
    shot: &ShotId,
) -> Option<&'a Take> {
    let (art, board) = (desk.project.art(), desk.project.board());
    let clicked = |wanted: &TakeId| art.take(shot, wanted).ok();
    let recipe = board.shot(shot).map(|shot| &shot.recipe);
    selection.take.as_ref().and_then(clicked).or_else(|| art.shown(shot, recipe))
}

/// The strip and its buttons.
pub(super) fn takes_strip(
    ui: &mut Ui,
    state: &mut PanelState,
    desk: &mut Desk<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) {
    let chosen = looked_at(&state.selection, desk, id);
    let double_clicked = tiles(ui, state, desk, id, shot);
    let Some(chosen) = chosen else {
        discarded(ui, desk, id);
        return;
    };
    let accept = buttons(ui, state, desk, chosen).then(|| chosen.id.clone()).or(double_clicked);
    let accepted = desk.project.art().accepted(id).map(|take| &take.id);
    if let Some(take) = accept.filter(|take| accepted != Some(take)) {
        desk.actions.push(Action::Accept { shot: id.clone(), take });
    }
}

/// All takes, and the one that is being drawn; the take that was double-clicked.
fn tiles(
    ui: &mut Ui,
    state: &mut PanelState,
    desk: &mut Desk<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) -> Option<TakeId> {
    let takes = desk.project.art().takes(id);
    let is_drawn = desk.steps_of(id).is_some();
    if takes.is_empty() && !is_drawn {
        return None;
    }
    let accepted = desk.project.art().accepted(id).map(|take| &take.id);
    let chosen = looked_at(&state.selection, desk, id);
    let mut double_clicked = None;
    ScrollArea::horizontal().id_salt(("takes", id)).auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (n, take) in takes.iter().enumerate() {
                let is_accepted = accepted == Some(&take.id);
                let is_old = shot.is_some_and(|s| !take.recipe().is_for(&s.recipe));
                let told = Told { number: n + 1, is_accepted, is_old };
                let is_chosen = chosen.is_some_and(|chosen| chosen.id == take.id);
                let response = tile(ui, desk, take, &told, is_chosen);
                if response.clicked() {
                    state.selection.take = Some(take.id.clone());
                }
                if response.double_clicked() {
                    double_clicked = Some(take.id.clone());
                }
            }
            if is_drawn {
                let size = shot.map_or(Size::new(1, 1), |shot| shot.recipe.size);
                forming_tile(ui, desk, id, size);
            }
        });
    });
    double_clicked
}

/// What can be done with a take, by button or key; whether it is to be accepted.
fn buttons(ui: &mut Ui, state: &mut PanelState, desk: &mut Desk<'_>, take: &Take) -> bool {
    let takes = desk.project.art().takes(&take.shot);
    let is_accepted = desk.project.art().accepted(&take.shot).is_some_and(|it| it.id == take.id);
    let pressed = |key| desk.has_keys && ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (mut accept, mut discard) = (pressed(Key::Enter), pressed(Key::Delete));
    let steps = isize::from(pressed(Key::ArrowRight)) - isize::from(pressed(Key::ArrowLeft));
    let at = number(takes, take);
    let next = at.checked_add_signed(steps).and_then(|next| takes.get(next.checked_sub(1)?));
    if let Some(next) = next.filter(|_| steps != 0) {
        state.selection.take = Some(next.id.clone());
    }
    ui.horizontal(|ui| {
        let name = if is_accepted { "Accepted" } else { "Accept" };
        accept |= ui
            .add_enabled(!is_accepted, theme::primary(name))
            .on_hover_text("The game shows this take from now on (Enter, or double-click)")
            .on_disabled_hover_text("The game shows this take")
            .clicked();
        discard |= ui
            .add(Button::new("Discard"))
            .on_hover_text("Puts this take away; `Put away` brings it back (Delete)")
            .clicked();
        if ui
            .button("Edit parts")
            .on_hover_text("Opens this take on the canvas, to draw parts of it anew")
            .clicked()
        {
            state.selection.take = Some(take.id.clone());
            state.tab = Tab::Canvas;
        }
        ui.label(theme::small(format!("take {at} of {}", takes.len())));
        if let Some(back) = discarded(ui, desk, &take.shot) {
            state.selection.take = Some(back);
        }
    });
    if discard {
        state.selection.take = None;
        let (shot, take) = (take.shot.clone(), take.id.clone());
        desk.actions.push(Action::Discard { shot, take });
    }
    accept
}

/// What is told of a take besides its picture.
pub(super) struct Told {
    /// From 1.
    pub number: usize,
    pub is_accepted: bool,
    pub is_old: bool,
}

/// The place of a take among those of its shot, from 1.
pub(super) fn number(takes: &[Take], take: &Take) -> usize {
    takes.iter().position(|other| other.id == take.id).map_or(0, |at| at + 1)
}

/// The room of a picture of this size in a strip.
pub(super) fn room(size: Size) -> Vec2 {
    vec2(HEIGHT * picture::aspect(size), HEIGHT)
}

/// A take as it is seen in a strip.
pub(super) fn content(desk: &mut Desk<'_>, take: &Take) -> Content {
    Content::take(desk, take, room(take.recipe().size).x)
}

/// A picture of this size that waits or is being drawn, in a strip.
pub(super) fn forming_tile(ui: &mut Ui, desk: &mut Desk<'_>, shot: &ShotId, size: Size) {
    let (rect, response) = ui.allocate_exact_size(room(size), Sense::hover());
    let preview = Content::preview(desk, shot);
    picture::paint(ui, rect, preview.as_ref(), "", Color32::WHITE);
    let (note, spoken) = match desk.steps_of(shot) {
        Some((done, of)) => {
            (format!("{done} of {of}"), format!("Being drawn, step {done} of {of}"))
        }
        None => ("waits".to_owned(), "Waits to be drawn".to_owned()),
    };
    badge::paint_note(ui.painter(), rect, &note);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &spoken));
}

/// One take in a strip.
pub(super) fn tile(
    ui: &mut Ui,
    desk: &mut Desk<'_>,
    take: &Take,
    told: &Told,
    chosen: bool,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(room(take.recipe().size), Sense::click());
    let mut spoken = format!("Take {}", told.number);
    if told.is_accepted {
        spoken += ", accepted";
    }
    if told.is_old {
        spoken += ", from earlier words";
    }
    response.widget_info(|| {
        WidgetInfo::selected(WidgetType::SelectableLabel, ui.is_enabled(), chosen, &spoken)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let tint = if told.is_old { Color32::from_gray(130) } else { Color32::WHITE };
    picture::paint(ui, rect, Some(&content(desk, take)), "", tint);
    if told.is_accepted {
        badge::paint_tick(ui.painter(), rect);
    }
    if told.is_old {
        badge::paint_note(ui.painter(), rect, "earlier");
    }
    picture::outline(ui, rect, chosen, response.hovered());
    response.on_hover_text(spoken)
}
