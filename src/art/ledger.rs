//! What the art folder knows beyond its pictures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ron::{Options, extensions::Extensions, ser::PrettyConfig};
use serde::{Deserialize, Serialize};

use super::{
    Art, ArtError, Take, TakeId,
    folder::{Folder, read_if_there},
};
use crate::{
    recipe::Style,
    storyboard::{AuthorWords, ShotId, ShotWords},
};

/// Accepted takes, the author's words, style and keys, and what is to be done alike: the contents of `ledger.ron`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// The accepted take of each shot that has one.
    pub accepted: BTreeMap<ShotId, TakeId>,
    /// What the author changed by hand.
    pub words: AuthorWords,
    /// What stands in the place of the story's own style.
    pub style: Option<Style>,
    /// Keys that the author bound otherwise than usual, by what they do.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Vec<String>>,
    /// Edits still to be made on other shots: the target shot, and the shot and take whose edit it gets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[serde(alias = "alike")]
    pub propagations: BTreeMap<ShotId, (ShotId, TakeId)>,
}

impl Ledger {
    /// Reads a ledger; where there is no file it is empty.
    ///
    /// # Errors
    /// [`ArtError::Ledger`] with line and column when the text is no ledger; otherwise when the system
    /// refuses.
    pub(super) fn read(path: &Path) -> Result<Self, ArtError> {
        let Some(bytes) = read_if_there(path)? else { return Ok(Self::default()) };
        let options = Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        options.from_bytes(&bytes).map_err(|error| ArtError::Ledger {
            path: path.to_owned(),
            line: error.span.start.line,
            column: error.span.start.col,
            message: error.code.to_string(),
        })
    }

    /// Writes the ledger, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn write(&self, folder: &Folder, path: &Path) -> Result<(), ArtError> {
        let text = ron::ser::to_string_pretty(self, PrettyConfig::default()).map_err(|error| {
            ArtError::Io {
                what: "write",
                path: path.to_owned(),
                source: std::io::Error::other(error),
            }
        })?;
        folder.write_bytes(path, text.as_bytes())
    }
}

impl Art {
    /// The accepted take of a shot; none while it is put away.
    #[must_use]
    pub fn accepted(&self, shot: &ShotId) -> Option<&Take> {
        self.take(shot, self.ledger.accepted.get(shot)?).ok()
    }

    /// Accepts a take.
    ///
    /// # Errors
    /// When there is no such take, or the ledger cannot be written. Nothing has changed then.
    pub fn accept(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        self.take(shot, take)?;
        let mut ledger = self.ledger.clone();
        ledger.accepted.insert(shot.clone(), take.clone());
        self.keep(ledger)
    }

    /// Takes back that a take is accepted, if it is.
    ///
    /// # Errors
    /// When the ledger cannot be written. Nothing has changed then.
    pub(super) fn unaccept(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let mut ledger = self.ledger.clone();
        ledger.accepted.retain(|other, accepted| (other, &*accepted) != (shot, take));
        self.keep(ledger)
    }

    /// What the author changed by hand.
    #[must_use]
    pub fn words(&self) -> &AuthorWords {
        &self.ledger.words
    }

    /// Keeps what the author changed by hand on a shot; the default value forgets it.
    ///
    /// # Errors
    /// When the ledger cannot be written. Nothing has changed then.
    pub fn set_words(&mut self, shot: &ShotId, words: ShotWords) -> Result<(), ArtError> {
        let mut ledger = self.ledger.clone();
        if words == ShotWords::default() {
            ledger.words.remove(shot);
        } else {
            ledger.words.insert(shot.clone(), words);
        }
        self.keep(ledger)
    }

    /// The style that stands in the place of the story's own, if the author set one.
    #[must_use]
    pub fn style(&self) -> Option<&Style> {
        self.ledger.style.as_ref()
    }

    /// Keeps a style in the place of the story's own; `None` returns to the story's.
    ///
    /// # Errors
    /// When the ledger cannot be written. Nothing has changed then.
    pub fn set_style(&mut self, style: Option<Style>) -> Result<(), ArtError> {
        self.keep(Ledger { style, ..self.ledger.clone() })
    }

    /// Keys that the author bound otherwise than usual, by what they do; see
    /// `Keymap::changes` of the canvas.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<String, Vec<String>> {
        &self.ledger.keys
    }

    /// Keeps keys that the author bound otherwise than usual.
    ///
    /// # Errors
    /// When the ledger cannot be written. Nothing has changed then.
    pub fn set_keys(&mut self, keys: BTreeMap<String, Vec<String>>) -> Result<(), ArtError> {
        self.keep(Ledger { keys, ..self.ledger.clone() })
    }

    /// Edits still to be made on other shots: the target shot, and the shot and take whose edit it gets.
    #[must_use]
    pub fn pending_propagations(&self) -> &BTreeMap<ShotId, (ShotId, TakeId)> {
        &self.ledger.propagations
    }

    /// Stores the edits still to be made on other shots.
    ///
    /// # Errors
    /// When the ledger cannot be written. Nothing has changed then.
    pub fn set_pending_propagations(
        &mut self,
        propagations: BTreeMap<ShotId, (ShotId, TakeId)>,
    ) -> Result<(), ArtError> {
        self.keep(Ledger { propagations, ..self.ledger.clone() })
    }

    /// Puts a ledger in the place of the one in force, on disk first.
    fn keep(&mut self, ledger: Ledger) -> Result<(), ArtError> {
        if ledger != self.ledger {
            ledger.write(&self.folder, &path(self.root()))?;
            self.ledger = ledger;
        }
        Ok(())
    }
}

/// Where the ledger of an art folder lies.
pub(super) fn path(root: &Path) -> PathBuf {
    root.join("ledger.ron")
}
