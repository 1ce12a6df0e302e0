//! `queue.json`: queued and failed jobs, saved for the next start.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    art::{ArtError, TakeWriter, folder::read_if_there},
    recipe::Recipe,
    storyboard::ShotId,
};

/// A queued or failed job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) shot: ShotId,
    #[serde(serialize_with = "serialize", deserialize_with = "deserialize")]
    pub(super) recipe: Arc<Recipe>,
    /// The reason of the failure. `None` for a queued job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// Reads the queue of an art folder. A file that is not a valid queue is renamed, and the log names
/// it. Finished pictures are not affected.
pub(super) fn load(writer: &TakeWriter) -> Vec<Entry> {
    let path = path(writer.root());
    let bytes = match read_if_there(&path) {
        Ok(bytes) => bytes.unwrap_or_else(|| b"[]".to_vec()),
        Err(error) => {
            log::error!("starting with an empty queue: {error}");
            return Vec::new();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let aside = match writer.folder().set_aside(&path) {
            Ok(aside) => format!("renamed to {}", aside.display()),
            Err(error) => format!("unchanged ({error})"),
        };
        log::error!(
            "{}: {error}: starting with an empty queue, the file is {aside}",
            path.display()
        );
        Vec::new()
    })
}

/// Saves the queue of an art folder atomically.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn save(writer: &TakeWriter, entries: &[Entry]) -> Result<(), ArtError> {
    let path = path(writer.root());
    let bytes = serde_json::to_vec_pretty(entries)
        .map_err(|error| ArtError::io("write", &path)(error.into()))?;
    writer.folder().write_bytes(&path, &bytes)
}

fn serialize<S: Serializer>(recipe: &Recipe, serializer: S) -> Result<S::Ok, S::Error> {
    recipe.serialize(serializer)
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Recipe>, D::Error> {
    Recipe::deserialize(deserializer).map(Arc::new)
}

fn path(root: &Path) -> PathBuf {
    root.join("queue.json")
}
