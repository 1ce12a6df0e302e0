//! The models tab: the models, LoRAs and other files on this machine, and models to download. A model and LoRAs are chosen
//! for the draft of the style.

mod answers;
mod budget;
mod components;
#[cfg(feature = "hub")]
mod fetch;
mod finetunes;
mod folders;
mod predictions;
#[cfg(feature = "hub")]
mod remove;
mod rows;
mod saving;
mod search;

use std::path::PathBuf;

use egui::{CollapsingHeader, Ui};

use super::{
    context::PanelContext,
    style_draft::{StyleDraft, edit_style},
    theme::{self, STEP},
};
#[cfg(feature = "hub")]
use crate::model::hub::Hub;
use crate::{generator::FoundModel, memory::Memory, recipe::Style, settings::SettingsFile};
use budget::BudgetForm;
use finetunes::FinetuneForm;
use folders::FoldersForm;
use predictions::PredictionForm;
use search::ModelSearch;

/// The state of the tab between frames.
#[derive(Debug)]
pub(super) struct ModelsTab {
    /// Folders besides those of the author.
    shared: Vec<PathBuf>,
    folders: FoldersForm,
    /// The settings of the user. `None` if there is no folder for them.
    settings: Option<SettingsFile>,
    predictions: PredictionForm,
    finetunes: FinetuneForm,
    budget: BudgetForm,
    /// `None` until the tab is shown.
    search: Option<ModelSearch>,
    /// Only files whose name contains this text are shown.
    filter: String,
    /// `None` if there is no folder for downloads.
    downloads: Option<Downloads>,
    /// The weights of MobileSAM that were downloaded and not taken yet.
    mobile_sam: Option<PathBuf>,
}

/// The downloads and the removal of models.
#[cfg(feature = "hub")]
#[derive(Debug)]
struct Downloads {
    hub: Hub,
    fetch: fetch::FetchForm,
    remove: remove::RemoveForm,
}

/// Without the feature `hub`, nothing is downloaded.
#[cfg(not(feature = "hub"))]
type Downloads = std::convert::Infallible;

impl Default for ModelsTab {
    fn default() -> Self {
        let tab = Self {
            shared: Vec::new(),
            folders: FoldersForm::default(),
            settings: SettingsFile::from_env().ok(),
            predictions: PredictionForm::default(),
            finetunes: FinetuneForm::default(),
            budget: BudgetForm::default(),
            search: None,
            filter: String::new(),
            downloads: None,
            mobile_sam: None,
        };
        #[cfg(feature = "hub")]
        let tab = match Hub::from_env() {
            Ok(hub) => tab.with_hub(hub),
            Err(_) => tab,
        };
        tab
    }
}

impl ModelsTab {
    /// Downloads from this hub, and lists the models in its cache.
    #[cfg(feature = "hub")]
    pub fn with_hub(self, hub: Hub) -> Self {
        let (fetch, remove) = (fetch::FetchForm::new(&hub), remove::RemoveForm::default());
        let shared = vec![hub.cache_folder()];
        Self { shared, downloads: Some(Downloads { hub, fetch, remove }), ..self }
    }

    /// Takes the weights of MobileSAM that were downloaded.
    pub fn take_mobile_sam(&mut self) -> Option<PathBuf> {
        self.mobile_sam.take()
    }

    /// Sets the folders besides those of the author.
    pub fn set_shared(&mut self, folders: Vec<PathBuf>) {
        self.shared = folders;
    }

    /// Uses other settings than those of the user.
    pub fn set_settings(&mut self, settings: SettingsFile) {
        self.settings = Some(settings);
    }

    /// Starts a search in these folders, if the last one was in others, and takes what was found.
    fn search(&mut self, ui: &Ui, added: &[String]) {
        let folders = added.iter().map(PathBuf::from).chain(self.shared.iter().cloned());
        let folders: Vec<PathBuf> = folders.collect();
        let search = self.search.take().filter(|search| search.folders() == folders);
        let search =
            search.unwrap_or_else(|| ModelSearch::start(folders, self.settings.clone(), ui.ctx()));
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
            if tab.list(ui, &mut typed.style) {
                tab.search = None;
            }
            ui.add_space(STEP);
        });
    });
}

impl ModelsTab {
    /// Shows the rows of all found files whose names contain the filter, and the models to download. Returns whether other
    /// files may be there now.
    fn list(&mut self, ui: &mut Ui, style: &mut Style) -> bool {
        let Some(search) = &self.search else { return false };
        let found = search.found();
        let memory = match &self.settings {
            Some(settings) => self.budget.show(ui, settings, Memory::now()),
            None => Memory::now(),
        };
        ui.add(theme::field(&mut self.filter, 1, "Filter by name"));
        let filter = self.filter.to_lowercase();
        let is_shown = |model: &&FoundModel| model.name().to_lowercase().contains(&filter);
        let (models, others): (Vec<_>, Vec<_>) = found
            .iter()
            .filter(is_shown)
            .partition(|it| it.inspection.is_usable_model() || it.inspection.is_incomplete_model());
        let (loras, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|it| it.inspection.is_usable_lora());
        let (components, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|it| it.inspection.is_usable_component());

        theme::section(ui, "Models");
        rows::built_in(ui, style, &filter);
        self.predictions.finish(ui);
        self.finetunes.finish(ui);
        let is_set = style.sampler.prediction_type.is_some();
        for model in models {
            rows::model(ui, model, memory, style, found, |ui, is_used| {
                if let Some(settings) = &self.settings {
                    let told = search.told(&model.path);
                    let finetune = told.and_then(|told| told.finetune.as_deref());
                    self.finetunes.show(ui, settings, model, finetune, is_used);
                    let predicted = told.and_then(|told| told.prediction_type);
                    self.predictions.show(ui, settings, model, predicted, is_used, is_set);
                }
                removal(ui, &mut self.downloads, model, is_used);
            });
        }
        if !loras.is_empty() {
            theme::section(ui, "LoRAs");
            loras.iter().for_each(|lora| rows::lora(ui, lora, style, found));
        }
        if !components.is_empty() {
            theme::section(ui, "Components");
            components.iter().for_each(|it| components::component(ui, it, style, found));
        }
        if search.is_running() {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(theme::weak(format!("Searching… {} found", found.len())));
            });
        } else if found.is_empty() {
            let advice = "Add the folder of your models above, for example the folder \"models\" of \
                          ComfyUI or A1111. The files stay where they are.";
            ui.add(egui::Label::new(theme::weak(advice)).wrap());
        }
        if !others.is_empty() {
            let heading = match others.len() {
                1 => "1 other file".to_owned(),
                count => format!("{count} other files"),
            };
            CollapsingHeader::new(heading).id_salt("other files").show(ui, |ui| {
                for other in others {
                    rows::other(ui, other, |ui| removal(ui, &mut self.downloads, other, false));
                }
            });
        }
        #[cfg(feature = "hub")]
        if let Some(Downloads { hub, fetch, remove }) = &mut self.downloads {
            let is_removed = remove.finish(ui);
            let is_here = |repo: &str| found.iter().any(|it| it.is_model_of(repo));
            let fetched = fetch.show(ui, hub, &filter, memory, is_here);
            self.mobile_sam = fetched.mobile_sam.or(self.mobile_sam.take());
            return fetched.models || is_removed;
        }
        false
    }
}

/// Shows what removes a downloaded model.
fn removal(ui: &mut Ui, downloads: &mut Option<Downloads>, model: &FoundModel, is_used: bool) {
    #[cfg(feature = "hub")]
    if let Some(Downloads { hub, remove, .. }) = downloads {
        remove.show(ui, hub, model, is_used);
    }
    #[cfg(not(feature = "hub"))]
    let _ = (ui, downloads, model, is_used);
}
