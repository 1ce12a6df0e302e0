//! The contents of a `scheduler_config.json`.

use serde_json::{Map, Value};

use super::{FlowSchedule, SchedulerClass, classes, find, sigmas};
use crate::{model::parse_json, recipe::SigmaSpacing};

/// The fields of a model's `scheduler_config.json`.
///
/// Each scheduler reads the fields that it knows and uses its own defaults for fields that are
/// missing or null, as diffusers' `from_config` does.
#[derive(Clone, Debug, Default)]
pub struct SchedulerConfig {
    fields: Map<String, Value>,
    /// `None` if the model does not predict a flow.
    flow: Option<Flow>,
}

/// What a scheduler of a flow needs beside the fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) schedule: FlowSchedule,
    /// The number of latents of the picture, if it is known.
    pub(super) latents: Option<usize>,
}

/// An error of setting up a scheduler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// No scheduler class has this name.
    #[error("there is no scheduler `{class_name}`: choose one of {known}")]
    UnknownClass {
        /// The requested class name.
        class_name: String,
        /// The known class names.
        known: String,
    },
    /// The scheduler class is for models that predict a flow and the model predicts none, or the other way round.
    #[error(
        "`{class_name}` does not fit this model, which predicts {predicted}: choose one of {known}"
    )]
    Kind {
        /// The requested class name.
        class_name: String,
        /// Whether the model predicts a flow, in words.
        predicted: &'static str,
        /// The class names that fit.
        known: String,
    },
    /// The scheduler class has no choice of noise levels.
    #[error(
        "`{class_name}` has no noise levels {sigmas:?}: leave out `sigmas`, or choose one of {known}"
    )]
    Sigmas {
        /// The class name.
        class_name: String,
        /// The requested spacing.
        sigmas: &'static str,
        /// The class names with a choice.
        known: String,
    },
    /// The file is not a JSON object.
    #[error("scheduler_config.json is not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// A field has a value that this scheduler does not support.
    #[error("scheduler_config.json: `{field}` is {found}, but {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value as JSON.
        found: String,
        /// The supported values.
        expected: String,
    },
    /// The number of steps is 0, or more than the model's trained timesteps.
    #[error("{steps} steps are not possible: this model supports 1 to {max}")]
    Steps {
        /// The requested steps.
        steps: usize,
        /// The maximum.
        max: usize,
    },
    /// Some steps would share a timestep, or have one that the model was not trained with.
    #[error(
        "{steps} steps are too many for `timestep_spacing` {spacing:?} with `steps_offset` \
         {offset}: use fewer steps"
    )]
    Crowded {
        /// The requested steps.
        steps: usize,
        /// The config's `timestep_spacing`.
        spacing: &'static str,
        /// The config's `steps_offset`.
        offset: usize,
    },
}

impl SchedulerConfig {
    /// Parses the contents of the file.
    ///
    /// Python writes infinite numbers as `Infinity`, which is not JSON. They become the largest
    /// finite numbers.
    ///
    /// # Errors
    /// [`SchedulerError::Json`] if it is not a JSON object.
    pub fn from_json(text: &str) -> Result<Self, SchedulerError> {
        Self::from_value(parse_json(text.as_bytes())?)
    }

    /// The fields of a parsed file.
    ///
    /// # Errors
    /// [`SchedulerError::Json`] if it is not a JSON object.
    pub fn from_value(value: Value) -> Result<Self, SchedulerError> {
        Ok(Self { fields: serde_json::from_value(value)?, flow: None })
    }

    /// The same for a model that predicts a flow, whose pipeline chooses noise levels by `schedule`.
    #[must_use]
    pub fn for_flow(self, schedule: FlowSchedule) -> Self {
        Self { flow: Some(Flow { schedule, latents: None }), ..self }
    }

    /// The same for a picture of so many latents, at least 1. The noise levels of some flow models depend on it: without this,
    /// they are those of `max_image_seq_len` latents.
    #[must_use]
    pub fn for_picture(mut self, latents: usize) -> Self {
        self.flow = self.flow.map(|flow| Flow { latents: Some(latents), ..flow });
        self
    }

    /// Whether the model predicts a flow.
    pub(super) fn is_flow(&self) -> bool {
        self.flow.is_some()
    }

    /// What a scheduler of a flow needs beside the fields.
    pub(super) fn flow(&self) -> Option<Flow> {
        self.flow
    }

    /// The number of trained timesteps. The default is 1000.
    ///
    /// # Errors
    /// If the field is not a whole number from 1 to a million.
    pub fn num_train_timesteps(&self) -> Result<usize, SchedulerError> {
        const FIELD: &str = "num_train_timesteps";
        match self.count(FIELD, 1000)? {
            count @ 1..=1_000_000 => Ok(count),
            _ => Err(self.wrong(FIELD, "it must lie in 1..=1000000")),
        }
    }

    /// A whole number, at least 0.
    pub(super) fn count(
        &self,
        field: &'static str,
        default: usize,
    ) -> Result<usize, SchedulerError> {
        self.read(field, "it must be a whole number of at least 0", |value| {
            usize::try_from(value.as_u64()?).ok()
        })
        .map(|count| count.unwrap_or(default))
    }

    /// A number. `None` if the field is missing.
    pub(super) fn number(&self, field: &'static str) -> Result<Option<f64>, SchedulerError> {
        self.read(field, "it must be a number", Value::as_f64)
    }

    /// A list of numbers. `None` if the field is missing.
    pub(super) fn numbers(&self, field: &'static str) -> Result<Option<Vec<f64>>, SchedulerError> {
        self.read(field, "it must be a list of numbers", |value| {
            value.as_array()?.iter().map(Value::as_f64).collect()
        })
    }

    /// A boolean.
    pub(super) fn flag(&self, field: &'static str, default: bool) -> Result<bool, SchedulerError> {
        self.read(field, "it must be true or false", Value::as_bool)
            .map(|flag| flag.unwrap_or(default))
    }

    /// Returns an error if an option is on.
    pub(super) fn refuse(&self, field: &'static str) -> Result<(), SchedulerError> {
        match self.fields.get(field) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(()),
            Some(_) => Err(self.wrong(field, "this option is not supported: leave it out")),
        }
    }

    /// Looks the field up in `choices`. `None` if the field is missing.
    pub(super) fn choice<T: Copy>(
        &self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, SchedulerError> {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.read(field, &format!("only {} are supported", words.join(", ")), |value| {
            let found = value.as_str()?;
            choices.iter().find_map(|&(word, choice)| (word == found).then_some(choice))
        })
    }

    /// Corrects the config for a latent model, as diffusers' `StableDiffusionPipeline` does:
    /// predictions are not clipped, `leading` timesteps are shifted by one, and PNDM has no Runge–Kutta steps.
    #[must_use]
    pub fn for_latents(mut self) -> Self {
        self.fields.insert("clip_sample".to_owned(), false.into());
        self.fields.insert("steps_offset".to_owned(), 1.into());
        self.fields.insert("skip_prk_steps".to_owned(), true.into());
        self
    }

    /// The same with another spacing of noise levels, for a scheduler class.
    ///
    /// # Errors
    /// If the class has no choice. The error names the classes that have.
    pub fn with_sigmas(
        self,
        sigmas: SigmaSpacing,
        class_name: &str,
    ) -> Result<Self, SchedulerError> {
        let has_sigmas = |class: &SchedulerClass| class.has_sigmas;
        if !find(class_name).is_none_or(|class| class.has_sigmas) {
            let able = classes().into_iter().filter(has_sigmas);
            let known = able.map(|class| class.class_name).collect::<Vec<_>>().join(", ");
            let class_name = class_name.to_owned();
            return Err(SchedulerError::Sigmas { class_name, sigmas: sigmas.name(), known });
        }
        Ok(sigmas::FIELDS
            .into_iter()
            .fold(self, |config, (field, spacing)| config.with(field, (spacing == sigmas).into())))
    }

    /// The same with the betas of Stable Diffusion if it has none, which some classes have as defaults.
    #[must_use]
    pub(super) fn with_default_betas(self) -> Self {
        self.with_default("beta_start", 0.00085.into()).with_default("beta_end", 0.012.into())
    }

    /// The same with a value for a field that is missing or null.
    #[must_use]
    pub(super) fn with_default(mut self, field: &str, value: Value) -> Self {
        let found = self.fields.entry(field).or_insert(Value::Null);
        if found.is_null() {
            *found = value;
        }
        self
    }

    /// The same with a value for a field.
    #[must_use]
    pub(in crate::diffusion) fn with(mut self, field: &str, value: Value) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }

    /// The text of a field.
    pub(in crate::diffusion) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// The error for the value of a field.
    pub(super) fn wrong(&self, field: &'static str, expected: &str) -> SchedulerError {
        let found = self.fields.get(field).map_or_else(|| "missing".to_owned(), Value::to_string);
        SchedulerError::Field { field, found, expected: expected.to_owned() }
    }

    fn read<T>(
        &self,
        field: &'static str,
        expected: &str,
        convert: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, SchedulerError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => convert(value).map(Some).ok_or_else(|| self.wrong(field, expected)),
        }
    }
}

#[cfg(test)]
mod tests;
