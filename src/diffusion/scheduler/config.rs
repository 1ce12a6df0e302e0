//! What a `scheduler_config.json` says, and what is wrong with it.

use serde_json::{Map, Value};

/// The fields of a model's `scheduler_config.json`.
///
/// Each scheduler reads the fields that it knows and takes its own defaults for those that are
/// missing or null, which is what diffusers' `from_config` does.
#[derive(Clone, Debug, Default)]
pub struct SchedulerConfig(Map<String, Value>);

/// Why a model's scheduler cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// Not a JSON object.
    #[error("scheduler_config.json is not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// A field with a value that this scheduler does not take.
    #[error("scheduler_config.json: `{field}` is {found}, but {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value as JSON.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// More steps than the model was trained with, or none.
    #[error("{steps} steps are not possible: this model takes 1 to {most}")]
    Steps {
        /// The steps asked for.
        steps: usize,
        /// The most there are.
        most: usize,
    },
    /// The steps fall onto each other or off the end of what was trained.
    #[error(
        "{steps} steps are too many for `timestep_spacing` {spacing:?} with `steps_offset` \
         {offset}: take fewer steps"
    )]
    Crowded {
        /// The steps asked for.
        steps: usize,
        /// How the config spaces them.
        spacing: &'static str,
        /// How far the config shifts them.
        offset: usize,
    },
}

impl SchedulerConfig {
    /// Reads the file's contents.
    ///
    /// Python writes infinite numbers in a way that JSON does not know; they are read as the
    /// largest finite ones.
    ///
    /// # Errors
    /// [`SchedulerError::Json`] when it is not a JSON object.
    pub fn from_json(text: &str) -> Result<Self, SchedulerError> {
        Ok(Self(serde_json::from_str(&finite_numbers(text))?))
    }

    /// How many timesteps the model was trained with, 1000 where it does not say.
    ///
    /// # Errors
    /// When the field is not a count from 1 to a million.
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

    /// A number, where there is one.
    pub(super) fn number(&self, field: &'static str) -> Result<Option<f64>, SchedulerError> {
        self.read(field, "it must be a number", Value::as_f64)
    }

    /// A list of numbers, where there is one.
    pub(super) fn numbers(&self, field: &'static str) -> Result<Option<Vec<f64>>, SchedulerError> {
        self.read(field, "it must be a list of numbers", |value| {
            value.as_array()?.iter().map(Value::as_f64).collect()
        })
    }

    /// True or false.
    pub(super) fn flag(&self, field: &'static str, default: bool) -> Result<bool, SchedulerError> {
        self.read(field, "it must be true or false", Value::as_bool)
            .map(|flag| flag.unwrap_or(default))
    }

    /// Refuses an option that is switched on.
    pub(super) fn refuse(&self, field: &'static str) -> Result<(), SchedulerError> {
        match self.0.get(field) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(()),
            Some(_) => Err(self.wrong(field, "this option cannot be run: leave it out")),
        }
    }

    /// One of a few words; `None` where the field is missing.
    pub(super) fn choice<T: Copy>(
        &self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, SchedulerError> {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.read(field, &format!("only {} can be run", words.join(", ")), |value| {
            let found = value.as_str()?;
            choices.iter().find_map(|&(word, choice)| (word == found).then_some(choice))
        })
    }

    /// The same for a latent model, as diffusers' `StableDiffusionPipeline` makes it: predictions
    /// are not clipped, and `leading` timesteps begin with the second one trained.
    #[must_use]
    pub fn for_latents(mut self) -> Self {
        self.0.insert("clip_sample".to_owned(), false.into());
        self.0.insert("steps_offset".to_owned(), 1.into());
        self
    }

    /// The error that refuses the value which a field has.
    pub(super) fn wrong(&self, field: &'static str, expected: &str) -> SchedulerError {
        let found = self.0.get(field).map_or_else(|| "missing".to_owned(), Value::to_string);
        SchedulerError::Field { field, found, expected: expected.to_owned() }
    }

    fn read<T>(
        &self,
        field: &'static str,
        expected: &str,
        convert: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, SchedulerError> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => convert(value).map(Some).ok_or_else(|| self.wrong(field, expected)),
        }
    }
}

/// Python's `Infinity` outside strings, as a number that JSON knows; the sign stands before it.
fn finite_numbers(text: &str) -> String {
    // Every second piece between quotation marks is a string: no key or value here escapes one.
    text.split('"')
        .enumerate()
        .map(|(i, piece)| match i % 2 {
            0 => piece.replace("Infinity", "1e308"),
            _ => piece.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diffusion::scheduler::build, recipe::SchedulerKind};

    fn error(kind: SchedulerKind, json: &str, steps: u32) -> String {
        let config = SchedulerConfig::from_json(json).unwrap();
        match build(kind, &config, steps) {
            Ok(_) => panic!("{json} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_unsupported_option_is_named_with_its_value() {
        use SchedulerKind::{Ddim, DpmPlusPlus2M, Euler};
        for (kind, json, words) in [
            (DpmPlusPlus2M, r#"{"solver_order": 3}"#, ["solver_order", "3"]),
            (DpmPlusPlus2M, r#"{"algorithm_type": "sde-dpmsolver++"}"#, ["algorithm_type", "sde"]),
            (DpmPlusPlus2M, r#"{"use_flow_sigmas": true}"#, ["use_flow_sigmas", "true"]),
            (DpmPlusPlus2M, r#"{"use_lu_lambdas": true}"#, ["use_lu_lambdas", "true"]),
            (DpmPlusPlus2M, r#"{"variance_type": "learned"}"#, ["variance_type", "learned"]),
            (Euler, r#"{"use_beta_sigmas": true}"#, ["use_beta_sigmas", "true"]),
            (Euler, r#"{"timestep_type": "continuous"}"#, ["timestep_type", "continuous"]),
            (Ddim, r#"{"prediction_type": "flow_prediction"}"#, ["prediction_type", "flow"]),
            (Ddim, r#"{"beta_schedule": "sigmoid"}"#, ["beta_schedule", "sigmoid"]),
            (Ddim, r#"{"beta_start": "low"}"#, ["beta_start", "low"]),
            (Ddim, r#"{"beta_end": 1.5}"#, ["beta_end", "1.5"]),
            (Ddim, r#"{"trained_betas": [0.1, 0.2]}"#, ["trained_betas", "0.2"]),
            (Ddim, r#"{"num_train_timesteps": 0}"#, ["num_train_timesteps", "0"]),
        ] {
            let message = error(kind, json, 4);
            for word in words {
                assert!(message.contains(word), "{json}: {message}");
            }
        }
    }

    #[test]
    fn steps_that_do_not_fit_are_refused_and_not_walked_wrongly() {
        let config = r#"{"timestep_spacing": "leading", "steps_offset": 1}"#;
        for kind in SchedulerKind::ALL {
            assert!(error(kind, config, 0).contains("1 to 1000"));
            assert!(error(kind, config, 1001).contains("1001"));
            assert!(error(kind, config, 1000).contains("1000 steps are too many"));
        }
    }

    #[test]
    fn infinity_as_python_writes_it_can_be_read() {
        let json = r#"{"lambda_min_clipped": -Infinity, "_class_name": "Infinity"}"#;
        let config = SchedulerConfig::from_json(json).unwrap();
        assert_eq!(config.number("lambda_min_clipped").unwrap(), Some(-1e308));
        assert_eq!(config.0["_class_name"], "Infinity");
    }
}
