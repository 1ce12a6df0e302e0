//! The names of takes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Recipe;

/// The name of a take: the first 16 hexadecimal digits of the blake3 of recipe id and model hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TakeId(String);

/// The error for a text that is not a valid [`TakeId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a take id: use 16 of the digits 0-9 and a-f")]
pub struct TakeIdError {
    /// The text.
    pub text: String,
}

impl TakeId {
    /// The name of the take that the model with this hash draws from this recipe.
    #[must_use]
    pub fn of(recipe: &Recipe, model_hash: &str) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(recipe.id().0.as_bytes());
        hash.update(model_hash.as_bytes());
        Self(hash.finalize().to_hex()[..16].to_owned())
    }

    /// Creates an id from a text.
    ///
    /// # Errors
    /// If it is not 16 hexadecimal digits in lower case.
    pub fn new(text: impl Into<String>) -> Result<Self, TakeIdError> {
        let text = text.into();
        let fits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text)) } else { Err(TakeIdError { text }) }
    }

    /// The 16 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TakeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TakeId {
    type Error = TakeIdError;

    fn try_from(text: String) -> Result<Self, TakeIdError> {
        Self::new(text)
    }
}

impl From<TakeId> for String {
    fn from(id: TakeId) -> Self {
        id.0
    }
}
