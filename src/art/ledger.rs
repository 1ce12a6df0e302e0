//! What the art folder knows beyond its pictures.

use std::{collections::BTreeMap, path::Path};

use ron::ser::PrettyConfig;
use serde::{Deserialize, Serialize};

use super::{
    ArtError, TakeId,
    folder::{Folder, read_if_there},
};
use crate::{
    recipe::Style,
    storyboard::{AuthorWords, ShotId},
};

/// Accepted takes, the author's words, style and keys: the contents of `ledger.ron`.
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
}

impl Ledger {
    /// Reads a ledger; where there is no file it is empty.
    ///
    /// # Errors
    /// [`ArtError::Ledger`] with line and column when the text is no ledger; otherwise when the system
    /// refuses.
    pub(super) fn read(path: &Path) -> Result<Self, ArtError> {
        let Some(bytes) = read_if_there(path)? else { return Ok(Self::default()) };
        ron::de::from_bytes(&bytes).map_err(|error| ArtError::Ledger {
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
