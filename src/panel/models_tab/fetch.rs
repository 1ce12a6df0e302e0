//! Models to fetch from the Hugging Face hub: those of the catalogue, and any repository that the author names.

use std::{collections::BTreeMap, path::PathBuf};

use egui::{Button, Key, Label, Ui};

use super::rows::{card, licence_label, memory_label, named};
use crate::{
    memory::Memory,
    model::{
        CatalogueEntry,
        hub::{FetchState, FetchTask, Hub},
        licence::Terms,
    },
    panel::{theme, widgets::byte_size},
};

/// The branch of a repository that is fetched.
const REVISION: &str = "main";

/// The name of the network that selects objects.
const MOBILE_SAM: &str = "MobileSAM";

/// The downloads of the tab, and the name that is being typed.
#[derive(Debug)]
pub(super) struct FetchForm {
    typed: String,
    /// By repository, or by the name of the network.
    tasks: BTreeMap<String, FetchTask>,
    /// Whether MobileSAM is on this machine.
    has_mobile_sam: bool,
}

/// What was downloaded since the last frame.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// Whether a model was.
    pub models: bool,
    /// The weights of MobileSAM, if they were.
    pub mobile_sam: Option<PathBuf>,
}

/// What the author does with a row.
enum Choice {
    Start,
    Consent,
    Cancel,
}

impl FetchForm {
    pub fn new(hub: &Hub) -> Self {
        let has_mobile_sam = hub.mobile_sam().is_some();
        Self { typed: String::new(), tasks: BTreeMap::new(), has_mobile_sam }
    }

    /// Shows the models of the catalogue whose repository `is_here` does not have, MobileSAM, the other downloads, and a
    /// field for another repository.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        hub: &Hub,
        filter: &str,
        memory: Option<Memory>,
        is_here: impl Fn(&str) -> bool,
    ) -> Fetched {
        theme::section(ui, "Models to download");
        let recommended = CatalogueEntry::recommended(memory);
        let is_recommended = |entry: &CatalogueEntry| recommended == Some(entry);
        let mut entries: Vec<_> = CatalogueEntry::all().iter().collect();
        entries.sort_by_key(|entry| !is_recommended(entry));
        for entry in entries {
            let names = [&entry.name, &entry.repo];
            let is_named = names.iter().any(|name| name.to_lowercase().contains(filter));
            if is_named && !is_here(&entry.repo) {
                self.row(ui, hub, &entry.name, &entry.repo, |ui, is_listed| {
                    if is_recommended(entry) {
                        ui.label(theme::small("Recommended for this machine"));
                    }
                    described(ui, entry, memory, is_listed);
                });
            }
        }
        if !self.has_mobile_sam && MOBILE_SAM.to_lowercase().contains(filter) {
            self.row(ui, hub, MOBILE_SAM, MOBILE_SAM, |ui, _| {
                let what =
                    "Selects the object under the pointer on the canvas. It draws no pictures.";
                ui.add(Label::new(what).wrap());
            });
        }
        let is_other = |key: &&String| *key != MOBILE_SAM && CatalogueEntry::of_repo(key).is_none();
        let others: Vec<_> = self.tasks.keys().filter(is_other).cloned().collect();
        for repo in others {
            self.row(ui, hub, &repo, &repo, |_, _| {});
        }
        self.another(ui, hub);
        self.finished(hub)
    }

    /// Removes the tasks that are finished.
    fn finished(&mut self, hub: &Hub) -> Fetched {
        let mut fetched = Fetched::default();
        self.tasks.retain(|key, task| {
            let is_finished = matches!(task.state(), FetchState::Finished(_));
            match is_finished && key == MOBILE_SAM {
                true => fetched.mobile_sam = hub.mobile_sam(),
                false => fetched.models |= is_finished,
            }
            !is_finished
        });
        self.has_mobile_sam |= fetched.mobile_sam.is_some();
        fetched
    }

    /// A field for a repository that is not in the catalogue.
    fn another(&mut self, ui: &mut Ui, hub: &Hub) {
        let label = ui.label(theme::small("Another repository of the hub"));
        let typed = ui.horizontal(|ui| {
            let width = (ui.available_width() - 120.0).max(80.0);
            let field = theme::field(&mut self.typed, 1, "OWNER/NAME");
            let field = ui.add(field.desired_width(width)).labelled_by(label.id);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let typed = self.typed.trim();
            let fetch = ui.add_enabled(!typed.is_empty(), Button::new("Download…"));
            let fetch = fetch.on_hover_text("Shows the size and the licence first");
            (fetch.clicked() || entered && !typed.is_empty()).then(|| typed.to_owned())
        });
        if let Some(repo) = typed.inner {
            self.typed.clear();
            self.start(ui, hub, &repo);
        }
    }

    /// Something that is not on this machine. `describe` shows what is known of it, and gets whether the hub has told its size
    /// and licence.
    fn row(
        &mut self,
        ui: &mut Ui,
        hub: &Hub,
        name: &str,
        repo: &str,
        describe: impl FnOnce(&mut Ui, bool),
    ) {
        let state = self.tasks.get(repo).map(FetchTask::state);
        let mut choice = None;
        let button = |ui: &mut Ui| match &state {
            None => named(ui.button("Download…"), &format!("Look up {name}"))
                .on_hover_text("Shows the size and the licence first"),
            Some(FetchState::Failed(_)) => {
                named(ui.button("Try again"), &format!("Try {name} again"))
            }
            Some(_) => named(ui.button("Cancel"), &format!("Cancel {name}")),
        };
        let clicked = card(ui, name, false, button, |ui| {
            describe(ui, matches!(state, Some(FetchState::Listed { .. })));
            if let Some(state) = &state {
                choice = progress(ui, name, state, hub);
            }
        });
        if clicked.clicked() {
            choice = Some(match &state {
                None | Some(FetchState::Failed(_)) => Choice::Start,
                Some(_) => Choice::Cancel,
            });
        }
        match choice {
            Some(Choice::Start) => self.start(ui, hub, repo),
            Some(Choice::Consent) => self.tasks.get(repo).into_iter().for_each(FetchTask::consent),
            Some(Choice::Cancel) => drop(self.tasks.remove(repo)),
            None => {}
        }
    }

    /// Asks the hub for the files of a repository.
    fn start(&mut self, ui: &Ui, hub: &Hub, repo: &str) {
        let (hub, name) = (hub.clone(), repo.to_owned());
        let variant = CatalogueEntry::of_repo(repo).and_then(|entry| entry.variant.clone());
        let list = move || match variant {
            None if name == MOBILE_SAM => hub.list_mobile_sam(),
            Some(variant) => hub.list_variant(&name, REVISION, &variant),
            None => hub.list(&name, REVISION),
        };
        let context = ui.ctx().clone();
        match FetchTask::start(list, move || context.request_repaint()) {
            Ok(task) => drop(self.tasks.insert(repo.to_owned(), task)),
            Err(error) => log::error!("{repo} is not downloaded: {error}"),
        }
    }
}

/// What the catalogue says of a model, without the licence if the hub has told it.
fn described(ui: &mut Ui, entry: &CatalogueEntry, memory: Option<Memory>, is_listed: bool) {
    ui.add(Label::new(&entry.good_for).wrap());
    let size = byte_size(entry.bytes);
    let text = theme::small(format!("{}, about {size} to download", entry.base));
    ui.add(Label::new(text).wrap()).on_hover_text(&entry.repo);
    memory_label(ui, entry.memory, entry.least_memory, memory);
    if !is_listed {
        licence_label(ui, Some(&entry.licence), entry.terms());
    }
}

/// The state of a download. Returns what the author does.
fn progress(ui: &mut Ui, name: &str, state: &FetchState, hub: &Hub) -> Option<Choice> {
    match state {
        FetchState::Listing => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(theme::weak("Asking the hub for size and licence…"));
            });
        }
        FetchState::Listed { licence, files, bytes } => {
            let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
            let into = hub.cache_folder();
            let text = format!("{files}, {} into {}", byte_size(*bytes), into.display());
            ui.add(Label::new(text).wrap());
            licence_label(ui, licence.as_deref(), licence.as_deref().and_then(Terms::of));
            let button = ui.add(theme::primary(format!("Download {}", byte_size(*bytes))));
            return named(button, &format!("Download {name}")).clicked().then_some(Choice::Consent);
        }
        FetchState::Downloading { file, arrived, bytes } => {
            let part = *arrived as f32 / (*bytes).max(1) as f32;
            ui.add(theme::progress_bar(part, 6.0));
            let text = format!("{} of {}: {file}", byte_size(*arrived), byte_size(*bytes));
            ui.add(Label::new(theme::small(text)).truncate());
        }
        FetchState::Finished(folder) => {
            ui.label(theme::small(format!("Downloaded into {}", folder.display())));
        }
        FetchState::Failed(error) => theme::error_box(ui, &error.to_string(), ""),
    }
    None
}
