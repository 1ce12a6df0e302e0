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
    art::{ArtError, TakeWriter},
    recipe::{BlobId, InlineBlob, InlineBlobError, Recipe, RecipeFile},
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
    /// Masks and scribbles in the file of an older version that could not be written to `blobs/`. They are in no other
    /// file.
    unwritten: Vec<InlineBlob>,
}

impl QueueFile {
    /// Reads the queue of an art folder. A file that cannot be parsed is renamed, and the queue starts empty.
    ///
    /// # Errors
    /// If the file cannot be read at the moment, or is a Git LFS pointer. It stays where it is.
    pub(super) fn open(writer: TakeWriter) -> Result<(Self, Vec<Entry>), ArtError> {
        let mut file = Self { writer, encoded: HashMap::new(), unwritten: Vec::new() };
        let path = file.path();
        let Some(text) = file.writer.folder().read_text(&path)? else {
            return Ok((file, Vec::new()));
        };
        let entries = match file.parse(&text) {
            Ok((entries, is_whole)) => {
                if is_whole {
                    file.writer.folder().remember(&path, &text);
                }
                entries
            }
            Err(error) => {
                log::error!("cannot read the queue: {}: {error}", path.display());
                match file.writer.folder().set_aside(&path) {
                    Ok(aside) => log::warn!("the unreadable queue file is {} now", aside.display()),
                    // The next save sets it aside.
                    Err(error) => log::error!("{error}"),
                }
                // The file that is set aside has them.
                file.unwritten.clear();
                Vec::new()
            }
        };
        Ok((file, entries))
    }

    /// The entries, and whether they are all that the file contains. A newer version may have written more fields.
    fn parse(&mut self, json: &[u8]) -> Result<(Vec<Entry>, bool), Box<dyn Error>> {
        let (mut json, mut is_whole) = (Deserializer::from_slice(json), true);
        let entries: Vec<EntryFile> = serde_ignored::deserialize(&mut json, |_| is_whole = false)?;
        json.end()?;
        let mut entry = |EntryFile { shot, recipe, error }| {
            let recipe = Arc::new(recipe.recipe(|blob| self.id(blob))?);
            Ok(Entry { shot, recipe, error })
        };
        let entries = entries.into_iter().map(&mut entry).collect::<Result<_, Box<dyn Error>>>();
        Ok((entries?, is_whole))
    }

    /// The id of a mask or scribble of an older version, which is also written to `blobs/`.
    ///
    /// # Errors
    /// If it cannot be decoded.
    fn id(&mut self, inline: InlineBlob) -> Result<BlobId, InlineBlobError> {
        let blob = inline.decode()?;
        if let Err(error) = self.writer.blobs().put(&blob) {
            log::error!("{error}");
            self.unwritten.push(inline);
        }
        Ok(blob.id())
    }

    /// Writes the queue atomically. A file that cannot be parsed, or that another program has changed, is set aside.
    ///
    /// # Errors
    /// If the file cannot be written, or the other one cannot be set aside. Also if a mask or scribble of an older version
    /// cannot be written to `blobs/`: the file, which has it, stays as it is.
    pub(super) fn save(&mut self, entries: &[(JobId, Entry)]) -> Result<(), ArtError> {
        while let Some(inline) = self.unwritten.last() {
            // It was decoded before.
            if let Ok(blob) = inline.decode() {
                self.writer.blobs().put(&blob)?;
            }
            self.unwritten.pop();
        }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::{Engine, prelude::BASE64_STANDARD};
    use serde_json::json;

    use super::*;
    use crate::{art::Art, mask::Mask, recipe::Blob};

    /// The queue of an older version, with a mask in an edit.
    fn old_queue(mask: &Blob) -> String {
        let mask = BASE64_STANDARD.encode(mask.to_png().unwrap());
        let part = json!({ "name": "sky", "mask": mask, "edit": { "kind": "Refine" } });
        let edit = json!({
            "parent": null, "picture": "", "style": "", "parts": [part], "context": null,
        });
        let size = json!({ "width": 16, "height": 16 });
        let recipe = json!({ "prompt": "a bay", "size": size, "model": "fake", "edit": edit });
        json!([{ "shot": "a", "recipe": recipe }]).to_string()
    }

    #[test]
    fn a_queue_of_an_older_version_stays_until_its_masks_are_in_files() {
        let mask = Blob::Mask(Mask::full(16, 16));
        let old = old_queue(&mask);
        let dir = tempfile::tempdir().unwrap();
        let [queue, blobs] = ["queue.json", "blobs"].map(|name| dir.path().join(name));
        fs::write(&queue, &old).unwrap();
        fs::write(&blobs, "in the way").unwrap();
        let art = Art::open(dir.path()).unwrap();
        let (mut file, entries) = QueueFile::open(art.writer()).unwrap();
        let entries = vec![(JobId(0), entries[0].clone())];
        assert!(file.save(&entries).is_err());
        assert_eq!(fs::read_to_string(&queue).unwrap(), old);
        fs::remove_file(&blobs).unwrap();
        file.save(&entries).unwrap();
        assert_eq!(art.blobs().get(&mask.id()).unwrap(), mask);
        assert_ne!(fs::read_to_string(&queue).unwrap(), old);
        assert!(!dir.path().join("queue.broken-1.json").exists());
    }

    #[test]
    fn a_damaged_file_of_a_mask_does_not_replace_the_mask_in_the_queue_of_an_older_version() {
        let mask = Blob::Mask(Mask::full(16, 16));
        let old = old_queue(&mask);
        for damaged in ["", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"] {
            let dir = tempfile::tempdir().unwrap();
            let art = Art::open(dir.path()).unwrap();
            fs::write(dir.path().join("queue.json"), &old).unwrap();
            // An earlier start has written the mask and listed its id.
            drop(QueueFile::open(art.writer()).unwrap());
            let parsed: serde_json::Value = serde_json::from_str(&old).unwrap();
            let inline = parsed[0]["recipe"]["edit"]["parts"][0]["mask"].as_str().unwrap();
            let key = format!("mask {}", blake3::hash(inline.as_bytes()).to_hex());
            let list = json!({ key: mask.id() }).to_string();
            fs::write(dir.path().join("blobs/inline.json"), list).unwrap();
            fs::write(dir.path().join(format!("blobs/{}.png", mask.id())), damaged).unwrap();
            let (mut file, entries) = QueueFile::open(art.writer()).unwrap();
            file.save(&[(JobId(0), entries[0].clone())]).unwrap();
            assert_eq!(art.blobs().get(&mask.id()).unwrap(), mask, "{damaged}");
        }
    }

    #[test]
    fn a_queue_that_cannot_be_read_for_now_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let art = Art::open(dir.path()).unwrap();
        let queue = dir.path().join("queue.json");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        fs::write(&queue, pointer).unwrap();
        let error = QueueFile::open(art.writer()).map(drop).unwrap_err();
        assert!(matches!(error, ArtError::LfsPointer { .. }), "{error}");
        assert_eq!(fs::read_to_string(&queue).unwrap(), pointer);
        // A folder cannot be read as a file, whoever tries.
        fs::remove_file(&queue).unwrap();
        fs::create_dir(&queue).unwrap();
        let error = QueueFile::open(art.writer()).map(drop).unwrap_err();
        assert!(matches!(error, ArtError::Io { .. }), "{error}");
        assert!(queue.is_dir());
    }
}
