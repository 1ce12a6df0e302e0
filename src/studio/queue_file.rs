//! `queue.json`: what waits to be drawn or failed, kept for the next start.

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

/// One picture that waits, or failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) shot: ShotId,
    #[serde(serialize_with = "serialize", deserialize_with = "deserialize")]
    pub(super) recipe: Arc<Recipe>,
    /// Why it failed; `None` while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// Reads the queue of an art folder. A file that cannot be read as a queue is set aside and told in the
/// log: no picture is lost with it.
pub(super) fn load(writer: &TakeWriter) -> Vec<Entry> {
    let path = path(writer.root());
    let bytes = match read_if_there(&path) {
        Ok(bytes) => bytes.unwrap_or_else(|| b"[]".to_vec()),
        Err(error) => {
            log::error!("the queue is forgotten: {error}");
            return Vec::new();
        }
    };
    serde_json::from_slice(&bytes).unwrap_or_else(|error| {
        let aside = match writer.folder().set_aside(&path) {
            Ok(aside) => format!("kept as {}", aside.display()),
            Err(error) => format!("still there ({error})"),
        };
        log::error!("{}: {error}: the queue is forgotten, the file is {aside}", path.display());
        Vec::new()
    })
}

/// Writes the queue of an art folder, whole or not at all.
///
/// # Errors
/// When the system refuses.
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
