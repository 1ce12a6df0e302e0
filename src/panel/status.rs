//! The panel without a project, while the story is loading or if it is invalid.

use egui::{Label, RichText, Ui};

use super::theme::{self, STEP};

/// The reason why there is no project yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoryStatus<'a> {
    /// No story was given.
    NoStory,
    /// The story is being read.
    Loading,
    /// The story cannot be read or is invalid. The message names file, line and column, if known.
    Failed(&'a str),
}

/// Shows this status in place of [`panel_ui`](super::panel_ui) while there is no project.
pub fn panel_status_ui(ui: &mut Ui, status: StoryStatus<'_>) {
    ui.scope(|ui| {
        ui.set_style(theme::style());
        theme::background_frame().show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            match status {
                StoryStatus::NoStory => theme::empty_state(
                    ui,
                    "No story yet",
                    "Give `IllustratorPlugin` a story file, or put `Scene` components on the game's \
                     entities. The pictures that they need appear here.",
                ),
                StoryStatus::Loading => {
                    ui.add_space(4.0 * STEP);
                    ui.vertical_centered(|ui| {
                        ui.spinner();
                        ui.label("Loading the story");
                    });
                }
                StoryStatus::Failed(error) => failed(ui, error),
            }
        });
    });
}

fn failed(ui: &mut Ui, error: &str) {
    ui.add(Label::new(RichText::new("The story cannot be shown").heading()).wrap());
    egui::ScrollArea::vertical().id_salt("story error").show(ui, |ui| {
        theme::error_box(
            ui,
            error,
            "Correct this and restart the game. A game that watches its files reloads a corrected story automatically.",
        );
    });
}
