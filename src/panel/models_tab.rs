//! The models tab: the models, LoRAs and other files on this machine. A model and LoRAs are chosen for the draft of the
//! style.

mod folders;
mod rows;
mod search;

use std::path::PathBuf;

use egui::{CollapsingHeader, Ui};

use super::{
    context::PanelContext,
    style_draft::{StyleDraft, edit_style},
    theme::{self, STEP},
};
use crate::{generator::FoundModel, memory::Memory, recipe::Style};
use folders::FoldersForm;
use search::{ModelSearch, shared_models};

/// The state of the tab between frames.
#[derive(Debug)]
pub(super) struct ModelsTab {
    /// Folders besides those of the author.
    shared: Vec<PathBuf>,
    folders: FoldersForm,
    /// `None` until the tab is shown.
    search: Option<ModelSearch>,
    /// Only files whose name contains this text are shown.
    filter: String,
}

impl Default for ModelsTab {
    fn default() -> Self {
        Self {
            shared: shared_models(),
            folders: FoldersForm::default(),
            search: None,
            filter: String::new(),
        }
    }
}

impl ModelsTab {
    /// Sets the folders besides those of the author.
    pub fn set_shared(&mut self, folders: Vec<PathBuf>) {
        self.shared = folders;
    }

    /// Starts a search in these folders, if the last one was in others, and takes what was found.
    fn search(&mut self, ui: &Ui, added: &[String]) {
        let folders = added.iter().map(PathBuf::from).chain(self.shared.iter().cloned());
        let folders: Vec<PathBuf> = folders.collect();
        let search = self.search.take().filter(|search| search.folders() == folders);
        let search = search.unwrap_or_else(|| ModelSearch::start(folders, ui.ctx()));
        self.search.insert(search).receive();
    }
}

/// Shows the folders, what is in them, and the buttons that apply the draft of the style.
pub(super) fn models_tab(
    ui: &mut Ui,
    tab: &mut ModelsTab,
    draft: &mut StyleDraft,
    cx: &mut PanelContext<'_>,
) {
    edit_style(ui, draft, cx, |ui, _, cx, typed| {
        theme::scroll("models").show(ui, |ui| {
            let added = cx.project.art().model_folders().to_vec();
            if tab.folders.show(ui, cx, &added, &tab.shared) {
                tab.search = None;
            }
            tab.search(ui, &added);
            if let Some(search) = &tab.search {
                list(ui, &mut tab.filter, search, &mut typed.style);
            }
            ui.add_space(STEP);
        });
    });
}

/// The rows of all found files whose names contain the filter.
fn list(ui: &mut Ui, filter: &mut String, search: &ModelSearch, style: &mut Style) {
    let found = search.found();
    ui.add(theme::field(filter, 1, "Filter by name"));
    let searched = filter.to_lowercase();
    let is_shown = |model: &&FoundModel| model.name().to_lowercase().contains(&searched);
    let shown: Vec<&FoundModel> = found.iter().filter(is_shown).collect();
    let memory = Memory::now();

    theme::section(ui, "Models");
    rows::built_in(ui, style, &searched);
    let models = shown.iter().filter(|it| it.inspection.is_usable_model());
    models.for_each(|model| rows::model(ui, model, memory, style, found));

    let loras: Vec<_> = shown.iter().filter(|it| it.inspection.is_usable_lora()).collect();
    if !loras.is_empty() {
        theme::section(ui, "LoRAs");
        loras.iter().for_each(|lora| rows::lora(ui, lora, style, found));
    }

    let is_other =
        |it: &&&FoundModel| !it.inspection.is_usable_model() && !it.inspection.is_usable_lora();
    let others: Vec<_> = shown.iter().filter(is_other).collect();
    if search.is_running() {
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label(theme::weak(format!("Searching… {} found", found.len())));
        });
    } else if found.is_empty() {
        let advice = "Add the folder of your models above, for example the folder `models` of \
                      ComfyUI or A1111. The files stay where they are.";
        ui.add(egui::Label::new(theme::weak(advice)).wrap());
    }
    if !others.is_empty() {
        let heading = match others.len() {
            1 => "1 other file".to_owned(),
            count => format!("{count} other files"),
        };
        CollapsingHeader::new(heading).id_salt("other files").show(ui, |ui| {
            others.iter().for_each(|other| rows::other(ui, other));
        });
    }
}
