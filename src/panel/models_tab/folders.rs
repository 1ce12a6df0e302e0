//! The list of the folders that are searched.

use std::path::{Path, PathBuf};

use egui::{Button, Key, Label, RichText, Ui};

use crate::{
    panel::{context::PanelContext, theme, widgets::icon_button},
    project::Action,
};

/// The folder that is being typed.
#[derive(Debug, Default)]
pub(super) struct FoldersForm {
    typed: String,
}

impl FoldersForm {
    /// Shows the folders, and a field that adds one. Returns whether the author wants to search again.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelContext<'_>,
        added: &[String],
        shared: &[PathBuf],
    ) -> bool {
        theme::section(ui, "Folders with models");
        for (at, folder) in added.iter().enumerate() {
            ui.horizontal(|ui| {
                if icon_button(ui, "x", &format!("Remove {folder}")).clicked() {
                    let mut others = added.to_vec();
                    others.remove(at);
                    cx.request(Action::SetModelFolders(others));
                }
                folder_label(ui, Path::new(folder));
            });
        }
        // The cache may be created by the first download.
        for folder in shared.iter().filter(|folder| folder.is_dir()) {
            folder_label(ui, folder);
        }
        let label = ui.label(theme::small("Another folder"));
        ui.horizontal(|ui| {
            let width = (ui.available_width() - 190.0).max(80.0);
            let field = theme::field(&mut self.typed, 1, "/home/me/ComfyUI/models");
            let field = ui.add(field.desired_width(width)).labelled_by(label.id);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let typed = self.typed.trim().trim_end_matches(['/', '\\']);
            let is_new = !typed.is_empty() && !added.iter().any(|folder| folder == typed);
            let add = ui.add_enabled(is_new, Button::new("Add"));
            let add = add.on_hover_text("The files stay where they are");
            if add.clicked() || entered && is_new {
                let folders = added.iter().cloned().chain([typed.to_owned()]).collect();
                cx.request(Action::SetModelFolders(folders));
                self.typed.clear();
            }
            ui.button("Search again").on_hover_text("Finds new files in these folders").clicked()
        })
        .inner
    }
}

/// The path of a folder, and whether it is missing.
fn folder_label(ui: &mut Ui, folder: &Path) {
    let text = folder.display().to_string();
    if folder.is_dir() {
        ui.add(Label::new(&text).truncate()).on_hover_text(&text);
    } else {
        let text = RichText::new(format!("{text}: this folder does not exist")).color(theme::ERROR);
        ui.add(Label::new(text).wrap());
    }
}
