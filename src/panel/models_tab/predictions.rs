//! The question what a model predicts, if its file does not tell it.

use std::path::Path;

use egui::{Label, RichText, Ui};

use super::{answers::Answers, rows::named};
use crate::{
    control::Interrupt, generator::FoundModel, panel::theme, recipe::PredictionType,
    settings::SettingsFile,
};

/// The question, and its answers.
#[derive(Debug, Default)]
pub(super) struct PredictionForm(Answers<PredictionType>);

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
        if !model.inspection.lacks_prediction_type() || self.0.show_saving(ui, &model.path) {
            return;
        }
        let answer = self.0.get(&model.path).copied().or(remembered);
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
                    self.save(ui, settings, &model.path, choice);
                }
            }
        });
    }

    fn save(&mut self, ui: &Ui, settings: &SettingsFile, model: &Path, answer: PredictionType) {
        let (settings, file) = (settings.clone(), model.to_owned());
        // It hashes the file.
        let save = move || settings.remember_prediction_type(&file, answer, &Interrupt::default());
        self.0.save(ui.ctx(), model, answer, save);
    }

    /// Shows why the last answer was not saved, and takes one that was.
    pub fn finish(&mut self, ui: &mut Ui) {
        self.0.finish(ui);
    }
}
