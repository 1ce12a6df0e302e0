//! `queue.json`: queued and failed jobs, saved for the next start.

use std::{
    collections::HashMap,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize, Serializer};

use super::JobId;
use crate::{
    art::{ArtError, InlineBlobs, TakeWriter},
    recipe::{Recipe, RecipeFile},
    storyboard::ShotId,
};

/// A queued or failed job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Entry {
    pub(super) shot: ShotId,
    #[serde(serialize_with = "serialize")]
    pub(super) recipe: Arc<Recipe>,
    /// The error message of a failed job. `None` for a queued job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// The JSON form of an [`Entry`], including that of older versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryFile {
    shot: ShotId,
    recipe: RecipeFile,
    #[serde(default)]
    error: Option<String>,
}

/// The queue file of an art folder.
#[derive(Debug)]
pub(super) struct QueueFile {
    writer: TakeWriter,
    /// Whether the existing file cannot be read. It is renamed before a new one is written.
    is_unreadable: bool,
    /// The encoded jobs, so that a save encodes only new ones.
    encoded: HashMap<(JobId, bool), String>,
}

impl QueueFile {
    /// Reads the queue of an art folder. An unreadable file is renamed, and the queue starts empty.
    pub(super) fn open(writer: TakeWriter) -> (Self, Vec<Entry>) {
        let mut file = Self { writer, is_unreadable: false, encoded: HashMap::new() };
        let path = file.path();
        let entries =
            file.writer.folder().read_text(&path).map_err(|error| error.to_string()).and_then(
                |bytes| {
                    let bytes = bytes.unwrap_or_else(|| b"[]".to_vec());
                    file.parse(&bytes).map_err(|error| format!("{}: {error}", path.display()))
                },
            );
        let entries = entries.unwrap_or_else(|error| {
            log::error!("cannot read the queue: {error}");
            file.is_unreadable = true;
            if let Err(error) = file.set_aside() {
                log::error!("cannot save the queue until its unreadable file is renamed: {error}");
            }
            Vec::new()
        });
        (file, entries)
    }

    fn parse(&self, json: &[u8]) -> Result<Vec<Entry>, Box<dyn Error>> {
        let mut inline = InlineBlobs::open(self.writer.folder());
        let mut entry = |EntryFile { shot, recipe, error }| {
            let recipe = Arc::new(recipe.recipe(|blob| inline.id(&blob))?);
            Ok(Entry { shot, recipe, error })
        };
        let entries = serde_json::from_slice::<Vec<EntryFile>>(json)?;
        let entries = entries.into_iter().map(&mut entry).collect();
        inline.save();
        entries
    }

    /// Writes the queue atomically.
    ///
    /// # Errors
    /// If the file cannot be written, or an unreadable file cannot be renamed.
    pub(super) fn save(&mut self, entries: &[(JobId, Entry)]) -> Result<(), ArtError> {
        self.set_aside()?;
        let path = self.path();
        let mut old = std::mem::take(&mut self.encoded);
        let mut text = String::from("[");
        for (id, entry) in entries {
            let key = (*id, entry.error.is_some());
            let json = match old.remove(&key) {
                Some(json) => json,
                None => serde_json::to_string(entry)
                    .map_err(|error| ArtError::io("write", &path)(error.into()))?,
            };
            text.push_str(if text.len() == 1 { "\n" } else { ",\n" });
            text.push_str(&json);
            self.encoded.insert(key, json);
        }
        text.push(']');
        self.writer.folder().write_bytes(&path, text.as_bytes())
    }

    fn set_aside(&mut self) -> Result<(), ArtError> {
        if self.is_unreadable {
            let path = self.path();
            if self.writer.folder().has(&path) {
                let aside = self.writer.folder().set_aside(&path)?;
                log::warn!("the unreadable queue file was renamed to {}", aside.display());
            }
            self.is_unreadable = false;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        path(self.writer.root())
    }
}

fn serialize<S: Serializer>(recipe: &Recipe, serializer: S) -> Result<S::Ok, S::Error> {
    recipe.serialize(serializer)
}

fn path(root: &Path) -> PathBuf {
    root.join("queue.json")
}
