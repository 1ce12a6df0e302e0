//! What the author answers about models, which a thread saves.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use egui::{Context, Ui};

use super::saving::{Saved, Saving};
use crate::{panel::theme, settings::SettingsError};

/// The answers to a question about models, one of which is saved at a time.
#[derive(Debug)]
pub(super) struct Answers<T> {
    /// Those that were given since the search.
    given: HashMap<PathBuf, T>,
    saving: Option<Saving<(PathBuf, T)>>,
    /// Why the last answer was not saved.
    error: Option<String>,
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self { given: HashMap::new(), saving: None, error: None }
    }
}

impl<T> Answers<T> {
    /// The answer about a model that was given since the search.
    pub fn get(&self, model: &Path) -> Option<&T> {
        self.given.get(model)
    }

    /// Shows that the answer about a model is being saved. Returns whether it is.
    pub fn show_saving(&self, ui: &mut Ui, model: &Path) -> bool {
        let is_saving = self.saving.as_ref().is_some_and(|saving| saving.value.0 == model);
        if is_saving {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(theme::weak("Remembering…"));
            });
        }
        is_saving
    }

    /// Saves an answer about a model.
    pub fn save(
        &mut self,
        context: &Context,
        model: &Path,
        answer: T,
        save: impl FnOnce() -> Result<(), SettingsError> + Send + 'static,
    ) {
        let started = Saving::start(context, (model.to_owned(), answer), save);
        self.error = started.as_ref().err().map(ToString::to_string);
        self.saving = started.ok();
    }

    /// Shows why the last answer was not saved, and takes one that was.
    pub fn finish(&mut self, ui: &mut Ui) {
        if let Some(error) = &self.error {
            theme::error_box(ui, error, "");
        }
        match self.saving.take().map(Saving::poll) {
            None => {}
            Some(Saved::Pending(saving)) => self.saving = Some(saving),
            Some(Saved::Done((file, answer))) => _ = self.given.insert(file, answer),
            Some(Saved::Failed(error)) => self.error = Some(error),
        }
    }
}
