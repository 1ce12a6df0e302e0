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
    /// The encoded jobs, so that a save encodes only new ones.
    encoded: HashMap<(JobId, bool), String>,
}

impl QueueFile {
    /// Reads the queue of an art folder. An unreadable file is renamed, and the queue starts empty.
    pub(super) fn open(writer: TakeWriter) -> (Self, Vec<Entry>) {
        let file = Self { writer, encoded: HashMap::new() };
        let path = file.path();
        let entries =
            file.writer.folder().read_text(&path).map_err(|error| error.to_string()).and_then(
                |text| {
                    let Some(text) = text else { return Ok(Vec::new()) };
                    let entries = file.parse(&text);
                    if entries.is_ok() {
                        file.writer.folder().remember(&path, &text);
                    }
                    entries.map_err(|error| format!("{}: {error}", path.display()))
                },
            );
        let entries = entries.unwrap_or_else(|error| {
            log::error!("cannot read the queue: {error}");
            match file.writer.folder().set_aside(&path) {
                Ok(aside) => log::warn!("the unreadable queue file is {} now", aside.display()),
                // The next save sets it aside.
                Err(error) => log::error!("{error}"),
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

    /// Writes the queue atomically. A file that cannot be read, or that another program has changed, is set aside.
    ///
    /// # Errors
    /// If the file cannot be written, or the other one cannot be set aside.
    pub(super) fn save(&mut self, entries: &[(JobId, Entry)]) -> Result<(), ArtError> {
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
