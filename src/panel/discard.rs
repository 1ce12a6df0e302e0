//! The discarded takes of a shot: a click restores one.

use egui::{Color32, ScrollArea, Sense, Ui, WidgetInfo, WidgetType, containers::menu::MenuButton};

use super::{
    Desk, picture,
    takes_strip::{HEIGHT, content, room},
    theme,
};
use crate::{
    art::{Take, TakeId},
    project::Action,
    recipe::layer::in_words,
    storyboard::ShotId,
};

/// A button that lists the discarded takes. Returns the take that the author restored.
pub(super) fn discarded(ui: &mut Ui, desk: &mut Desk<'_>, shot: &ShotId) -> Option<TakeId> {
    let takes = desk.project.art().discarded(shot);
    if takes.is_empty() {
        return None;
    }
    let mut wanted = None;
    let button = MenuButton::new(format!("Put away: {}", takes.len()));
    let (response, _) = button.ui(ui, |ui| {
        ui.label(theme::small("Click at one to bring it back."));
        ScrollArea::horizontal().max_width(4.0 * HEIGHT).show(ui, |ui| {
            ui.horizontal(|ui| {
                for take in takes.iter().rev() {
                    if one(ui, desk, take) {
                        wanted = Some(take.id.clone());
                    }
                }
            });
        });
    });
    response.on_hover_text("The takes of this shot that were put away");
    let take = wanted.clone()?;
    desk.actions.push(Action::Restore { shot: shot.clone(), take });
    wanted
}

/// One of them; whether it was clicked at.
fn one(ui: &mut Ui, desk: &mut Desk<'_>, take: &Take) -> bool {
    let (rect, response) = ui.allocate_exact_size(room(take.recipe().size), Sense::click());
    let spoken = match &take.recipe().edit {
        Some(edit) => format!("Bring back: {}", in_words(&edit.parts)),
        None => "Bring back".to_owned(),
    };
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &spoken));
    picture::paint(ui, rect, Some(&content(desk, take)), "", Color32::WHITE);
    picture::outline(ui, rect, false, response.hovered());
    response.on_hover_text(spoken).clicked()
}
