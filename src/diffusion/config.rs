//! Helpers for all `config.json` files: values that may be a scalar or a list, and options that are
//! only supported at their neutral value.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::DiffusionError;
use crate::model::{ModelError, Package, package::config_file};

/// The largest integer in a `config.json`. The largest in published models is the size of a vocabulary, below a million.
const MAX_INTEGER: u64 = 1 << 24;

fn is_too_large(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_u64().is_some_and(|number| number > MAX_INTEGER),
        Value::Array(values) => values.iter().any(is_too_large),
        _ => false,
    }
}

/// A value for all blocks, or a list with one value per block.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrEach<T> {
    /// One value per block. It is the first variant, because each value may be a list, too.
    Each(Vec<T>),
    /// The same value for all blocks.
    One(T),
}

impl<T: Clone> OneOrEach<T> {
    /// One value for each of `count` blocks. `None` if the list has another length.
    pub(super) fn each(&self, count: usize) -> Option<Vec<T>> {
        match self {
            Self::One(value) => Some(vec![value.clone(); count]),
            Self::Each(values) => (values.len() == count).then(|| values.clone()),
        }
    }
}

/// The width of embeddings. In a model of both images and texts, that of `vision_config` has no effect.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Projection {
    pub(super) projection_dim: usize,
}

impl Default for Projection {
    fn default() -> Self {
        Self { projection_dim: 512 }
    }
}

/// A component's `config.json`, with its location for error messages.
pub(super) struct ConfigFile {
    file: String,
    fields: Map<String, Value>,
}

impl ConfigFile {
    /// Reads `{component}/config.json`.
    pub(super) fn read(package: &dyn Package, component: &str) -> Result<Self, DiffusionError> {
        let file = package.location(&config_file(component));
        let fields = serde_json::from_value(package.config(component)?)
            .map_err(|source| ModelError::Json { file: file.clone(), source })?;
        Ok(Self { file, fields })
    }

    /// The fields of a text encoder. A model of both pictures and texts nests them in `text_config`, as transformers reads
    /// it.
    pub(super) fn of_text(self) -> Self {
        self.nested("text_config")
    }

    /// The same for a vision encoder, in `vision_config`.
    pub(super) fn of_vision(self) -> Self {
        self.nested("vision_config")
    }

    fn nested(mut self, name: &str) -> Self {
        if let Some(Value::Object(fields)) = self.fields.remove(name) {
            self.fields = fields;
        }
        self
    }

    /// Deserializes the fields. `T` has defaults for missing fields. Integers are sizes and numbers of channels, layers or
    /// tokens: those above [`MAX_INTEGER`] are refused, because they make computations overflow.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, DiffusionError> {
        if let Some((field, _)) = self.fields.iter().find(|(_, value)| is_too_large(value)) {
            return Err(self.unsupported(field, &format!("integers up to {MAX_INTEGER}")));
        }
        serde_json::from_value(Value::Object(self.fields.clone()))
            .map_err(|source| ModelError::Json { file: self.file.clone(), source }.into())
    }

    /// Returns an error if an option in `neutral` differs from its listed value, at which it has no
    /// effect. `null` counts as missing.
    pub(super) fn refuse_other_than(
        &self,
        neutral: &[(&str, Value)],
    ) -> Result<(), DiffusionError> {
        for (field, allowed) in neutral {
            match self.fields.get(*field) {
                None | Some(Value::Null) => {}
                Some(value) if value == allowed => {}
                Some(_) => return Err(self.unsupported(field, &allowed.to_string())),
            }
        }
        Ok(())
    }

    /// The error for a field with a value that the networks do not support.
    pub(super) fn unsupported(&self, field: &str, supported: &str) -> DiffusionError {
        DiffusionError::Model(ModelError::Unsupported {
            file: self.file.clone(),
            field: field.to_owned(),
            value: self.fields.get(field).unwrap_or(&Value::Null).to_string(),
            supported: supported.to_owned(),
        })
    }

    /// [`OneOrEach::each`] with an error that names the field.
    pub(super) fn each<T: Clone>(
        &self,
        field: &str,
        values: &OneOrEach<T>,
        count: usize,
    ) -> Result<Vec<T>, DiffusionError> {
        let error = || self.unsupported(field, &format!("one value, or a list of {count}"));
        values.each(count).ok_or_else(error)
    }

    /// The field's value, if it is a string.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }
}
