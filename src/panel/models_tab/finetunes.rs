//! The question which line of finetunes a model is of, which no tensor tells.

use std::path::Path;

use egui::{Label, RichText, Ui};

use super::{answers::Answers, rows::named};
use crate::{
    control::Interrupt,
    generator::FoundModel,
    model::{BaseModel, Finetune},
    panel::theme,
    settings::SettingsFile,
};

/// The question, and its answers.
#[derive(Debug, Default)]
pub(super) struct FinetuneForm(Answers<String>);

impl FinetuneForm {
    /// Shows what a model is drawn as, and asks for it if the style uses the model. `remembered` is the answer that the search
    /// found.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        settings: &SettingsFile,
        model: &FoundModel,
        remembered: Option<&str>,
        is_used: bool,
    ) {
        let possible: Vec<&Finetune> = model.inspection.possible_finetunes().collect();
        let Some(base) = model.inspection.base.filter(|_| !possible.is_empty()) else { return };
        if self.0.show_saving(ui, &model.path) {
            return;
        }
        let answer = self.0.get(&model.path).map(String::as_str).or(remembered).map(str::to_owned);
        match &answer {
            None if !is_used => return,
            None => {
                let text = "This file does not say what it is based on. The answer sets its scheduler, steps and guidance.";
                ui.add(Label::new(RichText::new(text).small().color(theme::WARNING)).wrap());
            }
            Some(answer) => {
                let prompts = Finetune::find(answer).map_or("", |finetune| &finetune.prompts);
                let text = format!("Drawn as {answer}, as you said. {prompts}");
                ui.add(Label::new(theme::small(text.trim_end())).wrap());
            }
        }
        let names = possible.into_iter().map(|finetune| finetune.name.as_str());
        let choices = [BaseModel::name(base)].into_iter().chain(names);
        ui.horizontal_wrapped(|ui| {
            for choice in choices.filter(|choice| answer.as_deref() != Some(*choice)) {
                let button = ui.small_button(choice);
                let button = named(button, &format!("{} is based on {choice}", model.name()));
                let tip = "Remembered for this file, in all stories on this machine";
                if button.on_hover_text(tip).clicked() {
                    self.save(ui, settings, &model.path, choice);
                }
            }
        });
    }

    fn save(&mut self, ui: &Ui, settings: &SettingsFile, model: &Path, answer: &str) {
        let (settings, file, finetune) = (settings.clone(), model.to_owned(), answer.to_owned());
        // It hashes the file.
        let save = move || settings.remember_finetune(&file, &finetune, &Interrupt::default());
        self.0.save(ui.ctx(), model, answer.to_owned(), save);
    }

    /// Shows why the last answer was not saved, and takes one that was.
    pub fn finish(&mut self, ui: &mut Ui) {
        self.0.finish(ui);
    }
}
