//! The question what a model predicts, if its file does not tell it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, TryRecvError, channel},
    },
    thread::Builder,
};

use egui::{Context, Label, RichText, Ui};

use super::rows::named;
use crate::{
    control::Interrupt,
    generator::FoundModel,
    panel::theme,
    recipe::PredictionType,
    settings::{SettingsError, SettingsFile},
};

/// The answers of the author, one of which is saved at a time.
#[derive(Debug, Default)]
pub(super) struct PredictionForm {
    /// Those that were given since the search.
    answers: HashMap<PathBuf, PredictionType>,
    saving: Option<Saving>,
    /// Why the last answer was not saved.
    error: Option<String>,
}

/// Saving in a thread, which hashes the file.
#[derive(Debug)]
struct Saving {
    file: PathBuf,
    answer: PredictionType,
    /// The lock makes it `Sync`.
    result: Mutex<Receiver<Result<(), SettingsError>>>,
}

impl PredictionForm {
    /// Shows what a model predicts by an answer, and asks for one if the style uses the model. `remembered` is the answer that
    /// the search found. `is_set` is whether the style sets what the model predicts.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        settings: &SettingsFile,
        model: &FoundModel,
        remembered: Option<PredictionType>,
        is_used: bool,
        is_set: bool,
    ) {
        if !model.inspection.lacks_prediction_type() {
            return;
        }
        if self.saving.as_ref().is_some_and(|saving| saving.file == model.path) {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(theme::weak("Remembering…"));
            });
            return;
        }
        let answer = self.answers.get(&model.path).copied().or(remembered);
        let (text, choices) = match answer {
            _ if is_used && is_set => (
                theme::small("The style sets what this model predicts (tab Style, Prediction)"),
                [None; 2],
            ),
            None if is_used => {
                let text = "This file does not say what it predicts. Most models predict the noise. If its pictures are \
                            noise or washed out, choose the other answer.";
                let text = RichText::new(text).small().color(theme::WARNING);
                (text, [Some(PredictionType::Epsilon), Some(PredictionType::Velocity)])
            }
            None => return,
            Some(PredictionType::Velocity) => (
                theme::small("Predicts the velocity, as you said"),
                [None, Some(PredictionType::Epsilon)],
            ),
            Some(_) => (
                theme::small("Predicts the noise, as you said"),
                [None, Some(PredictionType::Velocity)],
            ),
        };
        ui.add(Label::new(text).wrap());
        ui.horizontal(|ui| {
            for choice in choices.into_iter().flatten() {
                let what = match choice {
                    PredictionType::Velocity => "It predicts the velocity",
                    _ => "It predicts the noise",
                };
                let button = named(ui.small_button(what), &format!("{}: {what}", model.name()));
                let tip = "Remembered for this file, in all stories on this machine";
                if button.on_hover_text(tip).clicked() {
                    self.save(ui.ctx(), settings, model, choice);
                }
            }
        });
    }

    fn save(
        &mut self,
        context: &Context,
        settings: &SettingsFile,
        model: &FoundModel,
        answer: PredictionType,
    ) {
        let (sender, result) = channel();
        let (settings, file, context) = (settings.clone(), model.path.clone(), context.clone());
        let save = move || {
            let saved = settings.remember_prediction_type(&file, answer, &Interrupt::default());
            // Nobody waits for it if the panel is gone.
            let _ = sender.send(saved);
            context.request_repaint();
        };
        let started = Builder::new().name("illustrator-settings".to_owned()).spawn(save);
        self.error = started.as_ref().err().map(ToString::to_string);
        self.saving = started.ok().map(|_| Saving {
            file: model.path.clone(),
            answer,
            result: Mutex::new(result),
        });
    }

    /// Shows why the last answer was not saved, and takes one that was.
    pub fn finish(&mut self, ui: &mut Ui) {
        if let Some(error) = &self.error {
            theme::error_box(ui, error, "");
        }
        let Some(Saving { file, answer, result }) = self.saving.take() else { return };
        let received = result.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        match received {
            Err(TryRecvError::Empty) => self.saving = Some(Saving { file, answer, result }),
            Err(TryRecvError::Disconnected) => {}
            Ok(Ok(())) => _ = self.answers.insert(file, answer),
            Ok(Err(error)) => self.error = Some(error.to_string()),
        }
    }
}
