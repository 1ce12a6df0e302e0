//! The rows of a list of inspirations or losses.

use egui::{DragValue, Slider, SliderClamping, Ui};

use crate::{
    panel::{theme, widgets::icon_button},
    recipe::MAX_WEIGHT,
};

/// What a row found.
#[derive(Default)]
pub(super) struct Row {
    pub is_removed: bool,
    /// Whether a text field has the focus.
    pub is_typing: bool,
}

/// Shows a card for each item, and removes the item whose row says so. Items from index `before` on are new. Returns whether
/// a text field has the focus.
pub(super) fn rows<T>(
    ui: &mut Ui,
    items: &mut Vec<T>,
    before: usize,
    mut row: impl FnMut(&mut Ui, usize, &mut T) -> Row,
) -> bool {
    let (mut removed, mut is_typing) = (None, false);
    for (index, item) in items.iter_mut().enumerate() {
        let shown = theme::card().inner_margin(6).show(ui, |ui| {
            ui.push_id(index, |ui| {
                ui.set_width(ui.available_width());
                let row = row(ui, index, item);
                removed = row.is_removed.then_some(index).or(removed);
                is_typing |= row.is_typing;
            });
        });
        if index >= before {
            // A new one may be below the visible area.
            shown.response.scroll_to_me(None);
        }
    }
    if let Some(index) = removed {
        items.remove(index);
    }
    is_typing
}

/// The name of an item with a button that removes it. Returns whether it was clicked.
pub(super) fn title(ui: &mut Ui, name: &str, what: &str, more: impl FnOnce(&mut Ui)) -> bool {
    ui.horizontal(|ui| {
        ui.label(name);
        more(ui);
        icon_button(ui, "x", &format!("Remove this {what}")).clicked()
    })
    .inner
}

/// A slider for a weight.
pub(super) fn weight(ui: &mut Ui, weight: &mut f32) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().slider_width = 72.0;
        let slider = Slider::new(weight, 0.1..=MAX_WEIGHT).logarithmic(true);
        ui.add(slider.max_decimals(2).clamping(SliderClamping::Edits).text("weight"));
    });
}

/// The steps in which an item acts. `end` is the one that is meant by no `to`.
pub(super) fn steps(ui: &mut Ui, from: &mut f32, to: &mut Option<f32>, end: f32) {
    ui.horizontal_wrapped(|ui| {
        let [mut first, mut last] = [*from, end].map(|share| share * 100.0);
        let tooltip = "The first steps decide the layout, the last ones details";
        ui.label(theme::small("steps")).on_hover_text(tooltip);
        if ui.add(DragValue::new(&mut first).range(0.0..=last - 1.0).suffix(" %")).changed() {
            *from = first / 100.0;
        }
        ui.label(theme::small("to"));
        if ui.add(DragValue::new(&mut last).range(first + 1.0..=100.0).suffix(" %")).changed() {
            *to = Some(last / 100.0);
        }
    });
}
