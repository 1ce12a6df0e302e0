//! The settings of a user on this machine, which belong to no story: the memory that models may use, and what the author told
//! about models whose files do not tell it.
//!
//! They are in the file `settings.json`, in the folder `bevy_illustrator` of the user's configuration (`~/.config` on Linux,
//! `~/Library/Application Support` on macOS, `%APPDATA%` on Windows), or in the folder that the environment variable
//! `BEVY_ILLUSTRATOR_CONFIG` names.

mod file;
mod told;

use std::{collections::BTreeMap, path::Path, time::SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::recipe::PredictionType;

pub use file::{SettingsError, SettingsFile};

/// The most files whose hashes are kept.
const MAX_FILES: usize = 256;

/// The settings of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the author told about models, by the blake3 of their file as 64 hex digits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub models: BTreeMap<String, ToldModel>,
    /// The most memory that a model and its pictures may use on the CPU, in bytes. `None`: all that is free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<u64>,
    /// The files that were hashed, the last one at the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<HashedFile>,
    /// The fields of other versions.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What the author told about a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldModel {
    /// What the denoiser predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction_type: Option<PredictionType>,
    /// The name of its line of [finetunes](crate::model::Finetune), or of its base model if it is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finetune: Option<String>,
    /// The length of the file: only a file of this length can be this model.
    pub bytes: u64,
}

/// The hash of a file, so that it is read again only after it has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct HashedFile {
    path: String,
    #[serde(flatten)]
    state: FileState,
    /// Its blake3 as 64 hex digits.
    hash: String,
}

/// The state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct FileState {
    bytes: u64,
    modified: SystemTime,
}

impl FileState {
    /// `None` if there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let data = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some(Self { bytes: data.len(), modified: data.modified().ok()? })
    }
}

impl Settings {
    /// The kept hash of a file in this state.
    fn hash(&self, path: &str, state: FileState) -> Option<&str> {
        let file = self.files.iter().rev().find(|file| file.path == path)?;
        (file.state == state).then_some(file.hash.as_str())
    }

    /// Keeps the hash of a file.
    fn keep_hash(&mut self, path: &str, state: FileState, hash: &str) {
        self.files.retain(|file| file.path != path);
        self.files.push(HashedFile { path: path.to_owned(), state, hash: hash.to_owned() });
        let surplus = self.files.len().saturating_sub(MAX_FILES);
        self.files.drain(..surplus);
    }
}
