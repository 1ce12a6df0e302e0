//! The memory that models may use.

use egui::{Context, DragValue, Label, Ui};

use super::saving::{Saved, Saving};
use crate::{
    memory::Memory,
    panel::{theme, widgets::byte_size},
    settings::SettingsFile,
};

/// Bytes of a gigabyte.
const GIGABYTE: f64 = 1e9;

/// The least budget in gigabytes.
const LEAST: f64 = 0.5;

/// The memory budget in the settings of the user.
#[derive(Debug, Default)]
pub(super) struct BudgetForm {
    /// The budget in bytes. `None` until the settings were read.
    budget: Option<Option<u64>>,
    saving: Option<Saving<Option<u64>>>,
    /// Why the settings were not read, or the last change was not saved.
    error: Option<String>,
}

impl BudgetForm {
    /// Shows the budget, and saves it when it changes. Returns what of `memory` models may use.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        settings: &SettingsFile,
        memory: Option<Memory>,
    ) -> Option<Memory> {
        self.poll();
        let budget = *self.budget.get_or_insert_with(|| match settings.read() {
            Ok(settings) => settings.memory_budget,
            Err(error) => {
                self.error = Some(error.to_string());
                None
            }
        });
        let memory = memory?;
        theme::section(ui, "Memory");
        let mut is_limited = budget.is_some();
        let total = memory.total as f64 / GIGABYTE;
        let mut gigabytes = budget.map_or(total, |budget| budget as f64 / GIGABYTE);
        let is_changed = ui
            .horizontal(|ui| {
                let tip = "Other programs and the game keep the rest. For models on the CPU";
                let check = ui.checkbox(&mut is_limited, "Models use at most").on_hover_text(tip);
                let value = DragValue::new(&mut gigabytes)
                    .range(LEAST..=total.max(LEAST))
                    .clamp_existing_to_range(false)
                    .speed(0.1)
                    .max_decimals(1)
                    .suffix(" GB");
                let value = ui.add_enabled(is_limited, value);
                // Not while the author drags or types.
                check.changed()
                    || value.drag_stopped()
                    || (value.changed() && !value.dragged() && !value.has_focus())
                    || value.lost_focus()
            })
            .inner;
        let chosen = is_limited.then_some((gigabytes * GIGABYTE).round() as u64);
        self.budget = Some(chosen);
        if is_changed {
            self.save(ui.ctx(), settings, chosen);
        }
        let free =
            format!("{} of {} are free now", byte_size(memory.available), byte_size(memory.total));
        ui.add(Label::new(theme::small(free)).wrap());
        if let Some(error) = &self.error {
            theme::error_box(ui, error, "");
        }
        Some(chosen.map_or(memory, |budget| memory.within(budget)))
    }

    fn save(&mut self, context: &Context, settings: &SettingsFile, budget: Option<u64>) {
        let settings = settings.clone();
        let save = move || settings.change(|settings| settings.memory_budget = budget);
        let started = Saving::start(context, budget, save);
        self.error = started.as_ref().err().map(ToString::to_string);
        self.saving = started.ok();
    }

    fn poll(&mut self) {
        match self.saving.take().map(Saving::poll) {
            None | Some(Saved::Done(_)) => {}
            Some(Saved::Pending(saving)) => self.saving = Some(saving),
            Some(Saved::Failed(error)) => self.error = Some(error),
        }
    }
}
