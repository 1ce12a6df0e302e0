//! The ledger: the data of an art folder that is not in its picture files.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ron::ser::PrettyConfig;
use serde::{Deserialize, Serialize};

use super::{Art, ArtError, Take, TakeId, TakeWriter, folder::Folder};
use crate::{
    recipe::Style,
    ron_text::{self, RonError},
    storyboard::{AuthorWords, ShotId, ShotWords},
};

/// The contents of `ledger.ron`: accepted takes, the author's words, style, keys and
/// folders of models, and pending propagations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// The accepted take of each shot that has one.
    pub accepted: BTreeMap<ShotId, TakeId>,
    /// The author's own words, by shot.
    pub words: AuthorWords,
    /// The style that replaces the story's own.
    pub style: Option<Style>,
    /// Key bindings that the author changed, by command.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Vec<String>>,
    /// The folders whose models the panel lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_folders: Vec<String>,
    /// Pending propagations of edits: the target shot, and the shot and take whose edit it gets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(alias = "alike")]
    pub propagations: BTreeMap<ShotId, (ShotId, TakeId)>,
}

impl Ledger {
    /// Reads a ledger. If there is no file, it is empty.
    ///
    /// # Errors
    /// [`ArtError::Ledger`] with line and column if the text cannot be parsed; otherwise if an operation on the file
    /// fails.
    pub(super) fn read(folder: &Folder) -> Result<Self, ArtError> {
        let path = path(folder.root());
        let Some(text) = folder.read_text(&path)? else { return Ok(Self::default()) };
        let ledger: Self = ron_text::parse(&text).map_err(|error| {
            let RonError { line, column, message } = error;
            ArtError::Ledger { path: path.clone(), line, column, message }
        })?;
        folder.remember_if(&path, &text, Self::text(&ledger, &path)?.as_bytes());
        Ok(ledger)
    }

    /// Writes the ledger atomically. A file that another program has changed is set aside.
    ///
    /// # Errors
    /// If an operation on the file fails.
    pub(super) fn write(&self, folder: &Folder, path: &Path) -> Result<(), ArtError> {
        folder.write_bytes(path, self.text(path)?.as_bytes())
    }

    /// The contents of the file.
    fn text(&self, path: &Path) -> Result<String, ArtError> {
        let text = ron::ser::to_string_pretty(self, PrettyConfig::default());
        text.map_err(|error| ArtError::io("write", path)(std::io::Error::other(error)))
    }
}

impl TakeWriter {
    /// Writes the ledger atomically.
    ///
    /// # Errors
    /// If an operation on the file fails.
    pub(crate) fn write_ledger(&self, ledger: &Ledger) -> Result<(), ArtError> {
        ledger.write(self.folder(), &path(self.root()))
    }
}

impl Art {
    /// The ledger.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Replaces the ledger in memory; [`TakeWriter::write_ledger`] writes it.
    pub(crate) fn set_ledger(&mut self, ledger: Ledger) {
        self.ledger = ledger;
    }

    /// The accepted take of a shot; `None` while it is discarded.
    #[must_use]
    pub fn accepted(&self, shot: &ShotId) -> Option<&Take> {
        self.take(shot, self.ledger.accepted.get(shot)?).ok()
    }

    /// Accepts a take.
    ///
    /// # Errors
    /// If there is no such take, or the ledger cannot be written. Nothing has changed then.
    pub fn accept(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        self.take(shot, take)?;
        let mut ledger = self.ledger.clone();
        ledger.accepted.insert(shot.clone(), take.clone());
        self.save(ledger)
    }

    /// Removes the acceptance of a take, if it is accepted.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub(super) fn unaccept(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let mut ledger = self.ledger.clone();
        ledger.accepted.retain(|other, accepted| (other, &*accepted) != (shot, take));
        self.save(ledger)
    }

    /// The author's own words, by shot.
    #[must_use]
    pub fn words(&self) -> &AuthorWords {
        &self.ledger.words
    }

    /// Saves the author's own words for a shot. The default value removes them.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub fn set_words(&mut self, shot: &ShotId, words: ShotWords) -> Result<(), ArtError> {
        let mut ledger = self.ledger.clone();
        if words == ShotWords::default() {
            ledger.words.remove(shot);
        } else {
            ledger.words.insert(shot.clone(), words);
        }
        self.save(ledger)
    }

    /// The style that replaces the story's own, if the author set one.
    #[must_use]
    pub fn style(&self) -> Option<&Style> {
        self.ledger.style.as_ref()
    }

    /// Saves a style that replaces the story's own; `None` returns to the story's.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub fn set_style(&mut self, style: Option<Style>) -> Result<(), ArtError> {
        self.save(Ledger { style, ..self.ledger.clone() })
    }

    /// Key bindings that the author changed, by command; see `Keymap::changes` of the canvas.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<String, Vec<String>> {
        &self.ledger.keys
    }

    /// Saves the key bindings that the author changed.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub fn set_keys(&mut self, keys: BTreeMap<String, Vec<String>>) -> Result<(), ArtError> {
        self.save(Ledger { keys, ..self.ledger.clone() })
    }

    /// The folders whose models the panel lists.
    #[must_use]
    pub fn model_folders(&self) -> &[String] {
        &self.ledger.model_folders
    }

    /// Saves the folders whose models the panel lists.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub fn set_model_folders(&mut self, model_folders: Vec<String>) -> Result<(), ArtError> {
        self.save(Ledger { model_folders, ..self.ledger.clone() })
    }

    /// Pending propagations of edits: the target shot, and the shot and take whose edit it gets.
    #[must_use]
    pub fn pending_propagations(&self) -> &BTreeMap<ShotId, (ShotId, TakeId)> {
        &self.ledger.propagations
    }

    /// Saves the pending propagations of edits.
    ///
    /// # Errors
    /// If the ledger cannot be written. Nothing has changed then.
    pub fn set_pending_propagations(
        &mut self,
        propagations: BTreeMap<ShotId, (ShotId, TakeId)>,
    ) -> Result<(), ArtError> {
        self.save(Ledger { propagations, ..self.ledger.clone() })
    }

    /// Replaces the ledger, on disk first.
    fn save(&mut self, ledger: Ledger) -> Result<(), ArtError> {
        if ledger != self.ledger || self.ledger_is_uncertain {
            // A write that fails may have replaced the file, for example if only the folder could not be synced.
            self.ledger_is_uncertain = true;
            ledger.write(&self.folder, &path(self.root()))?;
            self.ledger = ledger;
            self.ledger_is_uncertain = false;
        }
        Ok(())
    }
}

/// The path of the ledger in an art folder.
pub(super) fn path(root: &Path) -> PathBuf {
    root.join("ledger.ron")
}
