//! The removal of downloaded models from the cache, after a question.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::{Context, Label, Ui};

use super::rows::named;
use crate::{
    generator::FoundModel,
    model::hub::{Hub, HubError},
    panel::{theme, widgets::byte_size},
};

/// The removal of one repository at a time.
#[derive(Debug, Default)]
pub(super) struct RemoveForm {
    /// The repository that the author is asked about.
    asked: Option<String>,
    running: Option<Removal>,
    /// Why the last removal failed.
    error: Option<String>,
}

/// A removal in a thread.
#[derive(Debug)]
struct Removal {
    repo: String,
    /// The lock makes it `Sync`.
    result: Mutex<Receiver<Result<u64, HubError>>>,
}

impl RemoveForm {
    /// Shows the button for the removal of a model, and the question after a click. Only a model in the cache of the hub has
    /// the button. `is_used` is whether the style uses the model.
    pub fn show(&mut self, ui: &mut Ui, hub: &Hub, model: &FoundModel, is_used: bool) {
        let cache = hub.cache_folder();
        let repo = model.repository().filter(|_| model.path.starts_with(&cache));
        let Some(repo) = repo else { return };
        if self.running.as_ref().is_some_and(|it| it.repo == repo) {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(theme::weak("Removing…"));
            });
        } else if self.asked.as_ref() == Some(&repo) {
            self.question(ui, hub, &repo, model, is_used);
        } else {
            let button = named(ui.small_button("Remove…"), &format!("Remove {repo}"));
            if button.on_hover_text("Deletes the downloaded files, after a question").clicked() {
                self.asked = Some(repo);
            }
        }
    }

    fn question(&mut self, ui: &mut Ui, hub: &Hub, repo: &str, model: &FoundModel, is_used: bool) {
        let size = byte_size(model.inspection.bytes());
        let use_of_style = if is_used { " The style uses this model." } else { "" };
        let text = format!(
            "Delete {repo} ({size}) from {}? Other programs that use this cache lose it, too.{use_of_style}",
            hub.cache_folder().display()
        );
        ui.add(Label::new(egui::RichText::new(text).color(theme::WARNING)).wrap());
        ui.horizontal(|ui| {
            if named(ui.button("Delete"), &format!("Delete {repo}")).clicked() {
                self.asked = None;
                self.start(ui.ctx(), hub, repo);
            }
            if ui.button("Keep").clicked() {
                self.asked = None;
            }
        });
    }

    fn start(&mut self, context: &Context, hub: &Hub, repo: &str) {
        let (sender, result) = channel();
        let (hub, name, context) = (hub.clone(), repo.to_owned(), context.clone());
        let remove = move || {
            // Nobody waits for it if the panel is gone.
            let _ = sender.send(hub.remove(&name));
            context.request_repaint();
        };
        let started = Builder::new().name("illustrator-remove".to_owned()).spawn(remove);
        self.error = started.as_ref().err().map(ToString::to_string);
        self.running =
            started.ok().map(|_| Removal { repo: repo.to_owned(), result: Mutex::new(result) });
    }

    /// Shows the error of the last removal. Returns whether one finished.
    pub fn finish(&mut self, ui: &mut Ui) -> bool {
        if let Some(error) = &self.error {
            theme::error_box(ui, error, "");
        }
        let Some(Removal { result, .. }) = &self.running else { return false };
        let received = result.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        match received {
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => {}
            Ok(result) => self.error = result.err().map(|error| error.to_string()),
        }
        self.running = None;
        true
    }
}
