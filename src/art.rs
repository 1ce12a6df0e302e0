//! The pictures on disk: every take with its recipe inside, which of them is accepted, and what the
//! author changed by hand.
//!
//! ```text
//! <art folder>/
//!   pictures/<shot>.png          what the game shows
//!   takes/<shot>/<take>.png      every take, whole from the moment it exists
//!   discarded/<shot>/<take>.png  takes that the author put away
//!   ledger.ron                   accepted takes, the author's words, the author's style
//!   queue.json                   what waits for the studio
//!   .lock                        held by the one process that writes here
//! ```

pub mod ledger;
pub mod picture_file;
pub mod take;

pub use ledger::Ledger;
pub use take::{Provenance, Take, TakeId, TakeWriter};

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    recipe::{Recipe, Style},
    storyboard::{AuthorWords, ShotId, ShotWords},
};

/// An art folder that is open for writing; dropping it lets another process in.
#[derive(Debug)]
pub struct Art {
    root: PathBuf,
    ledger: Ledger,
    takes: BTreeMap<ShotId, Vec<Take>>,
}

/// Why an art folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtError {
    /// The system refused: disk full, folder read-only, ...
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// `write`, `read`, `create`, ...
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has the folder open.
    #[error(
        "another program has the art folder {path} open: close it, or give this one another folder"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The take is not there.
    #[error("shot {shot} has no take {take}")]
    NoSuchTake {
        /// The shot.
        shot: ShotId,
        /// The take.
        take: TakeId,
    },
}

impl Art {
    /// Opens an art folder, making it where there is none, and reads what it holds. A file that
    /// cannot be read as a take is left where it is and told in the log.
    ///
    /// # Errors
    /// When another process has it open, or the system refuses.
    pub fn open(_root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        todo!()
    }

    /// Reads an art folder without taking it for itself: for looking only. A folder that does not
    /// exist reads as an empty one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn read(_root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        todo!()
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What writes new takes; the worker thread holds one.
    #[must_use]
    pub fn writer(&self) -> TakeWriter {
        todo!()
    }

    /// Enters a take that a [`TakeWriter`] has written.
    pub fn enter(&mut self, _take: Take) {
        todo!()
    }

    /// The takes of a shot, oldest first, without those put away.
    #[must_use]
    pub fn takes(&self, shot: &ShotId) -> &[Take] {
        self.takes.get(shot).map_or(&[], Vec::as_slice)
    }

    /// All shots that have takes.
    pub fn shots(&self) -> impl Iterator<Item = &ShotId> {
        self.takes.keys()
    }

    /// The accepted take of a shot.
    #[must_use]
    pub fn accepted(&self, _shot: &ShotId) -> Option<&Take> {
        todo!()
    }

    /// The take that the game shows for a shot whose recipe is `recipe` now: the accepted take if it
    /// is of this recipe; else the newest of this recipe; else the accepted one; else the newest.
    /// For a shot that nothing asks for any more, `recipe` is `None`.
    #[must_use]
    pub fn shown(&self, _shot: &ShotId, _recipe: Option<&Recipe>) -> Option<&Take> {
        todo!()
    }

    /// The number that the next take of this recipe should have.
    #[must_use]
    pub fn next_take(&self, _shot: &ShotId, _recipe: &Recipe) -> u32 {
        todo!()
    }

    /// Accepts a take.
    ///
    /// # Errors
    /// When there is no such take, or the ledger cannot be written.
    pub fn accept(&mut self, _shot: &ShotId, _take: &TakeId) -> Result<(), ArtError> {
        todo!()
    }

    /// Puts a take away: its file moves to `discarded/`.
    ///
    /// # Errors
    /// When there is no such take, or the system refuses.
    pub fn discard(&mut self, _shot: &ShotId, _take: &TakeId) -> Result<(), ArtError> {
        todo!()
    }

    /// Copies a take to `pictures/<shot>.png`, whole or not at all, and returns that path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn publish(&self, _take: &Take) -> Result<PathBuf, ArtError> {
        todo!()
    }

    /// Where [`Self::publish`] puts the picture of a shot.
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.root.join("pictures").join(format!("{shot}.png"))
    }

    /// What the author changed by hand.
    #[must_use]
    pub fn words(&self) -> &AuthorWords {
        todo!()
    }

    /// Keeps what the author changed by hand on a shot; the default value forgets it.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn set_words(&mut self, _shot: &ShotId, _words: ShotWords) -> Result<(), ArtError> {
        todo!()
    }

    /// The style that stands in the place of the story's own, if the author set one.
    #[must_use]
    pub fn style(&self) -> Option<&Style> {
        todo!()
    }

    /// Keeps a style in the place of the story's own; `None` returns to the story's.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn set_style(&mut self, _style: Option<Style>) -> Result<(), ArtError> {
        todo!()
    }
}
