//! The takes of a shot, side by side, and what can be done with them.

use egui::{
    Button, Color32, CornerRadius, Key, Modifiers, Rect, Response, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, Vec2, WidgetInfo, WidgetType, vec2,
};

use super::{
    Desk, badge,
    picture::{self, Content},
    put_away::put_away,
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

/// The take that the author looks at: the one clicked, else the one that the game shows.
pub(super) fn looked_at<'a>(
    selection: &Selection,
    desk: &Desk<'a>,
    id: &ShotId,
    shot: Option<&Shot>,
) -> Option<&'a Take> {
    let art = desk.project.art();
    let clicked = |wanted: &TakeId| art.takes(id).iter().find(|take| take.id == *wanted);
    selection
        .take
        .as_ref()
        .and_then(clicked)
        .or_else(|| art.shown(id, shot.map(|shot| &shot.recipe)))
}

/// The strip and its buttons.
pub(super) fn takes_strip(
    ui: &mut Ui,
    state: &mut PanelState,
    desk: &mut Desk<'_>,
    id: &ShotId,
    shot: Option<&Shot>,
) {
    let takes = desk.project.art().takes(id);
    let preview = Content::preview(desk, id);
    let drawing = desk.steps_of(id);
    if takes.is_empty() && drawing.is_none() {
        put_away(ui, desk, id);
        return;
    }
    let accepted = desk.project.art().accepted(id).map(|take| &take.id);
    let chosen = looked_at(&state.selection, desk, id, shot);
    let mut accept = None;

    ScrollArea::horizontal().id_salt(("takes", id)).auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            for (n, take) in takes.iter().enumerate() {
                let is_accepted = accepted == Some(&take.id);
                let is_old = shot.is_some_and(|s| !take.recipe().is_for(&s.recipe));
                let marks = Marks { number: n + 1, is_accepted, is_old };
                let is_chosen = chosen.is_some_and(|chosen| chosen.id == take.id);
                let size = take.provenance.recipe.size;
                let content = Content::take(desk, take, HEIGHT * picture::aspect(size));
                let response = tile(ui, &content, room(size), &marks, is_chosen);
                if response.clicked() {
                    state.selection.take = Some(take.id.clone());
                }
                if response.double_clicked() {
                    accept = Some(take.id.clone());
                }
            }
            if let Some((done, of)) = drawing {
                let size = shot.map_or(Size::new(1, 1), |shot| shot.recipe.size);
                let (rect, response) = ui.allocate_exact_size(room(size), Sense::hover());
                picture::paint(ui, rect, preview.as_ref(), "", Color32::WHITE);
                badge::paint_note(ui.painter(), rect, &format!("{done} of {of}"));
                let spoken = format!("Being drawn, step {done} of {of}");
                response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &spoken));
            }
        });
    });

    let Some(chosen) = chosen else {
        put_away(ui, desk, id);
        return;
    };
    let is_accepted = accepted == Some(&chosen.id);
    let pressed = |key| desk.has_keys && ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let mut discard = pressed(Key::Delete);
    if pressed(Key::Enter) {
        accept = Some(chosen.id.clone());
    }
    let steps = i32::from(pressed(Key::ArrowRight)) - i32::from(pressed(Key::ArrowLeft));
    ui.horizontal(|ui| {
        let name = if is_accepted { "Accepted" } else { "Accept" };
        if ui
            .add_enabled(!is_accepted, theme::primary(name))
            .on_hover_text("The game shows this take from now on (Enter, or double-click)")
            .on_disabled_hover_text("The game shows this take")
            .clicked()
        {
            accept = Some(chosen.id.clone());
        }
        discard |= ui
            .add(Button::new("Discard"))
            .on_hover_text("Puts this take away; `Put away` brings it back (Delete)")
            .clicked();
        if ui
            .button("Edit parts")
            .on_hover_text("Opens this take on the canvas, to draw parts of it anew")
            .clicked()
        {
            state.selection.take = Some(chosen.id.clone());
            state.tab = Tab::Canvas;
        }
        let number = takes.iter().position(|take| take.id == chosen.id).map_or(0, |at| at + 1);
        ui.label(theme::small(format!("take {number} of {}", takes.len())));
        if let Some(take) = put_away(ui, desk, id) {
            state.selection.take = Some(take);
        }
    });

    if let Some(take) = accept.filter(|take| accepted != Some(take)) {
        desk.actions.push(Action::Accept { shot: id.clone(), take });
    }
    if discard {
        state.selection.take = None;
        desk.actions.push(Action::Discard { shot: id.clone(), take: chosen.id.clone() });
    } else if steps != 0
        && let Some(at) = takes.iter().position(|take| take.id == chosen.id)
        && let Some(next) = at.checked_add_signed(steps as isize).and_then(|at| takes.get(at))
    {
        state.selection.take = Some(next.id.clone());
    }
}

/// What is told of a take besides its picture.
pub(super) struct Marks {
    /// From 1.
    pub number: usize,
    pub is_accepted: bool,
    pub is_old: bool,
}

/// The room of a take in a strip.
pub(super) fn room(size: Size) -> Vec2 {
    vec2(HEIGHT * picture::aspect(size), HEIGHT)
}

/// One take in a strip.
pub(super) fn tile(
    ui: &mut Ui,
    content: &Content,
    room: Vec2,
    marks: &Marks,
    chosen: bool,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(room, Sense::click());
    let mut spoken = format!("Take {}", marks.number);
    if marks.is_accepted {
        spoken += ", accepted";
    }
    if marks.is_old {
        spoken += ", from earlier words";
    }
    response.widget_info(|| {
        WidgetInfo::selected(WidgetType::SelectableLabel, ui.is_enabled(), chosen, &spoken)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let tint = if marks.is_old { Color32::from_gray(130) } else { Color32::WHITE };
    picture::paint(ui, rect, Some(content), "", tint);
    if marks.is_accepted {
        badge::paint_tick(ui.painter(), rect);
    }
    if marks.is_old {
        badge::paint_note(ui.painter(), rect, "earlier");
    }
    outline(ui, rect, chosen, response.hovered());
    response.on_hover_text(spoken)
}

/// The frame of a picture that can be clicked at.
pub(super) fn outline(ui: &Ui, rect: Rect, chosen: bool, hovered: bool) {
    let stroke = match (chosen, hovered) {
        (true, _) => Stroke::new(2.0, theme::ACCENT),
        (false, true) => Stroke::new(1.0, theme::WEAK),
        (false, false) => Stroke::new(1.0, theme::LINE),
    };
    ui.painter().rect_stroke(rect, CornerRadius::same(4), stroke, StrokeKind::Inside);
}
