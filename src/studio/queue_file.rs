//! `queue.json`: queued and failed jobs, saved for the next start.

use std::{
    collections::HashMap,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Deserializer;

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
                    let (entries, is_whole) = file
                        .parse(&text)
                        .map_err(|error| format!("{}: {error}", path.display()))?;
                    if is_whole {
                        file.writer.folder().remember(&path, &text);
                    }
                    Ok(entries)
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

    /// The entries, and whether they are all that the file contains. A newer version may have written more fields.
    fn parse(&self, json: &[u8]) -> Result<(Vec<Entry>, bool), Box<dyn Error>> {
        let mut inline = InlineBlobs::open(self.writer.folder());
        let mut entry = |EntryFile { shot, recipe, error }| {
            let recipe = Arc::new(recipe.recipe(|blob| inline.id(&blob))?);
            Ok(Entry { shot, recipe, error })
        };
        let (mut json, mut is_whole) = (Deserializer::from_slice(json), true);
        let entries: Vec<EntryFile> = serde_ignored::deserialize(&mut json, |_| is_whole = false)?;
        json.end()?;
        let entries = entries.into_iter().map(&mut entry).collect::<Result<_, _>>();
        inline.save();
        entries.map(|entries| (entries, is_whole))
    }

    /// Writes the queue atomically. A file that cannot be read, or that another program has changed, is set aside.
    ///
    /// # Errors
    /// If the file cannot be written, or the other one cannot be set aside.
    pub(super) fn save(&mut self, entries: &[(JobId, Entry)]) -> Result<(), ArtError> {
        let path = self.path();
        let mut old = std::mem::take(&mut self.encoded);
        let encoded = entries.iter().map(|(id, entry)| {
            let key = (*id, entry.error.is_some());
            let json = old.remove(&key).map_or_else(|| serde_json::to_string(entry), Ok)?;
            self.encoded.insert(key, json.clone());
            Ok(json)
        });
        let text = list(encoded).map_err(|error| ArtError::io("write", &path)(error.into()))?;
        self.writer.folder().write_bytes(&path, text.as_bytes())
    }

    fn path(&self) -> PathBuf {
        path(self.writer.root())
    }
}

/// A JSON list with an entry in each line.
fn list(entries: impl Iterator<Item = serde_json::Result<String>>) -> serde_json::Result<String> {
    let mut text = String::from("[");
    for entry in entries {
        text.push_str(if text.len() == 1 { "\n" } else { ",\n" });
        text.push_str(&entry?);
    }
    text.push(']');
    Ok(text)
}

fn serialize<S: Serializer>(recipe: &Recipe, serializer: S) -> Result<S::Ok, S::Error> {
    recipe.serialize(serializer)
}

fn path(root: &Path) -> PathBuf {
    root.join("queue.json")
}
