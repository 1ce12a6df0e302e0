//! The discarded takes of a shot. A click restores one.

use egui::{Color32, ScrollArea, Sense, Ui, WidgetInfo, WidgetType, containers::menu::MenuButton};

use super::{
    context::PanelContext,
    picture, theme,
    tile::{HEIGHT, content, tile_size},
};
use crate::{
    art::{Take, TakeId},
    project::Action,
    storyboard::ShotId,
};

/// A menu of the discarded takes. Returns the take that the author restored.
pub(super) fn discarded_menu(
    ui: &mut Ui,
    cx: &mut PanelContext<'_>,
    shot: &ShotId,
) -> Option<TakeId> {
    let takes = cx.project.art().discarded(shot);
    if takes.is_empty() {
        return None;
    }
    let mut wanted = None;
    let button = MenuButton::new(format!("Discarded takes: {}", takes.len()));
    let (response, _) = button.ui(ui, |ui| {
        ui.label(theme::small("Click a take to restore it."));
        ScrollArea::horizontal().max_width(4.0 * HEIGHT).show(ui, |ui| {
            ui.horizontal(|ui| {
                for take in takes.iter().rev() {
                    if discarded_tile(ui, cx, take) {
                        wanted = Some(take.id.clone());
                    }
                }
            });
        });
    });
    response.on_hover_text("Shows the discarded takes of this shot");
    let take = wanted.clone()?;
    cx.request(Action::Restore { shot: shot.clone(), take });
    wanted
}

/// Shows one discarded take. Returns whether it was clicked.
fn discarded_tile(ui: &mut Ui, cx: &mut PanelContext<'_>, take: &Take) -> bool {
    let (rect, response) = ui.allocate_exact_size(tile_size(take.recipe().size), Sense::click());
    let name = match &take.recipe().edit {
        Some(edit) => format!("Restore: {}", edit.in_words()),
        None => "Restore".to_owned(),
    };
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &name));
    picture::paint(ui, rect, Some(&content(cx, take)), "", Color32::WHITE);
    picture::outline(ui, rect, false, response.hovered());
    response.on_hover_text(name).clicked()
}
