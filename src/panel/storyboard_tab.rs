//! The storyboard tab: all shots, and details of the selected one.

use egui::{ComboBox, Frame, Margin, Panel, Ui};

use super::{
    badge,
    context::PanelContext,
    filter::Filter,
    grid,
    selection::Selection,
    shot_detail::shot_detail,
    state::PanelState,
    theme::{self, STEP},
};
use crate::{
    project::Action,
    storyboard::{ShotId, ShotKind, ShotState},
};

/// The minimum width for details next to the grid, in points. Below it, the details are under the grid.
const WIDE: f32 = 860.0;

/// The grid with its filter and buttons, and the details of the selected shot.
pub(super) fn storyboard_tab(ui: &mut Ui, state: &mut PanelState, cx: &mut PanelContext<'_>) {
    state.selection.retain(|id| cx.overview.entry(id).is_some());
    if state.selection.front.is_some() {
        let available = ui.available_size();
        let frame = Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO });
        let panel = if available.x >= WIDE {
            let frame = Frame::new().inner_margin(Margin { left: 12, ..Margin::ZERO });
            Panel::right(ui.id().with("detail beside"))
                .default_size(available.x * 0.5)
                .size_range(320.0..=available.x - 260.0)
                .frame(frame)
        } else {
            Panel::bottom(ui.id().with("detail below"))
                .default_size(available.y * 0.6)
                .size_range(140.0..=(available.y - 190.0).max(150.0))
                .frame(frame)
        };
        panel.resizable(true).show(ui, |ui| {
            let PanelState { selection, words, .. } = state;
            shot_detail(ui, selection, words, cx);
        });
    }
    filter_bar(ui, &mut state.filter);
    draw_buttons(ui, &state.selection, cx);
    grid::grid(ui, &mut state.grid, &state.filter, &mut state.selection, cx);
}

fn filter_bar(ui: &mut Ui, filter: &mut Filter) {
    ui.horizontal(|ui| {
        let boxes = 2.0 * (112.0 + STEP) + if filter.is_empty() { 0.0 } else { 64.0 };
        let search = theme::field(&mut filter.text, 1, "Search")
            .id_salt("search")
            .desired_width((ui.available_width() - boxes).max(80.0));
        let response = ui.add(search);
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::WidgetType::TextEdit, true, "Search shots")
        });
        response.on_hover_text("Searches the id, the title and the prompt");

        let text = filter.state.map_or("All states", ShotState::name);
        ComboBox::from_id_salt("state filter").width(112.0).selected_text(text).show_ui(ui, |ui| {
            ui.selectable_value(&mut filter.state, None, "All states");
            for state in ShotState::ALL {
                ui.horizontal(|ui| {
                    badge::mark(ui, state);
                    ui.selectable_value(&mut filter.state, Some(state), state.name());
                });
            }
        });
        let text = filter.kind.map_or("All kinds", ShotKind::name);
        ComboBox::from_id_salt("kind filter").width(112.0).selected_text(text).show_ui(ui, |ui| {
            ui.selectable_value(&mut filter.kind, None, "All kinds");
            for kind in ShotKind::ALL {
                ui.selectable_value(&mut filter.kind, Some(kind), kind.name());
            }
        });
        if !filter.is_empty()
            && ui.button("Clear").on_hover_text("Clears the search and the filters").clicked()
        {
            *filter = Filter::default();
        }
    });
}

fn draw_buttons(ui: &mut Ui, selection: &Selection, cx: &mut PanelContext<'_>) {
    let needed = cx.overview.needed;
    let selected: Vec<ShotId> = selection.shots.iter().cloned().collect();
    ui.horizontal_wrapped(|ui| {
        let all = theme::primary(format!("Draw all needed ({needed})"));
        if ui
            .add_enabled(needed > 0, all)
            .on_hover_text("Queues all pictures that are missing, stale or failed, in story order")
            .on_disabled_hover_text("Every picture is drawn or in the queue")
            .clicked()
        {
            cx.request(Action::DrawNeeded);
        }
        if selected.len() > 1
            && ui
                .button(format!("Draw selected ({})", selected.len()))
                .on_hover_text("Draws the selected shots that are missing, stale or failed")
                .clicked()
        {
            cx.request(Action::Draw(selected));
        }
    });
}
