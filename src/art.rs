//! The pictures on disk: every take with its recipe inside, which of them is accepted, and what the
//! author changed by hand.
//!
//! ```text
//! <art folder>/
//!   pictures/<shot>.png          what the game shows
//!   takes/<shot>/<take>.png      every take, whole from the moment it exists
//!   discarded/<shot>/<take>.png  takes that the author put away
//!   parts/<shot>/<take>.json     what the author marked on a take, and says of it
//!   ledger.ron                   accepted takes, the author's words, style and keys
//!   queue.json                   what waits for the studio
//!   .lock                        held by the one process that writes here
//!   .tmp/                        what is being written just now
//! ```
//!
//! Every file is written below `.tmp` first, brought to the disk, and only then renamed to its place:
//! whenever the process is killed, each file is the old one or the new one, never half of one.

pub(crate) mod folder;
mod layers;
pub mod ledger;
pub mod picture_file;
mod scan;
pub mod take;

pub use crate::recipe::{TakeId, TakeIdError};
pub use ledger::Ledger;
pub use take::{Provenance, Take, TakeWriter};

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    path::{Path, PathBuf},
};

use crate::{
    recipe::{Recipe, Style},
    storyboard::{AuthorWords, Shot, ShotId, ShotState, ShotWords},
};

use folder::Folder;

/// An art folder that is open for writing. Another process is let in when it and all of its
/// [writers](Self::writer) are dropped.
#[derive(Debug)]
pub struct Art {
    folder: Folder,
    ledger: Ledger,
    takes: BTreeMap<ShotId, Vec<Take>>,
    /// Takes that were put away, so that their numbers are not given out again.
    discarded: BTreeMap<ShotId, Vec<Take>>,
}

/// Why an art folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtError {
    /// The system refused: disk full, folder read-only, ...
    #[error("cannot {what} {path}: {source}{}", what_to_do(.source))]
    Io {
        /// `write`, `read`, `create`, ...
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error(
        "another program has the art folder {path} open: close it, or give this one another folder"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The folder was opened with [`Art::read`].
    #[error("the art folder {path} is open for looking only: nothing can be written")]
    LookingOnly {
        /// The folder.
        path: PathBuf,
    },
    /// The text of the ledger cannot be read. It is never overwritten then.
    #[error(
        "{path}:{line}:{column}: {message}: correct it there, or move the file away to begin without accepted takes and words of your own"
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What RON said.
        message: String,
    },
    /// What was marked on a take cannot be read. It is never overwritten unless it is marked anew.
    #[error("{path}: {message}: correct it there, or move the file away to mark the parts anew")]
    Layers {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A picture file cannot be read as a picture.
    #[error("{path} is no picture: {message}: draw it again")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
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
    /// When another process has it open, the ledger cannot be read, or the system refuses.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        Self::load(Folder::open(root.into())?)
    }

    /// Reads an art folder without taking it for itself: for looking only. A folder that does not
    /// exist reads as an empty one.
    ///
    /// # Errors
    /// When the ledger cannot be read, or the system refuses.
    pub fn read(root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        Self::load(Folder::read(root.into()))
    }

    fn load(folder: Folder) -> Result<Self, ArtError> {
        let root = folder.root();
        Ok(Self {
            ledger: Ledger::read(&ledger_path(root))?,
            takes: scan::scan(root, "takes")?,
            discarded: scan::scan(root, "discarded")?,
            folder,
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// What writes new takes; the worker thread holds one.
    #[must_use]
    pub fn writer(&self) -> TakeWriter {
        TakeWriter::new(self.folder.clone())
    }

    /// Enters a take that a [`TakeWriter`] has written, as the newest of its shot.
    pub fn enter(&mut self, take: Take) {
        let takes = self.takes.entry(take.shot.clone()).or_default();
        takes.retain(|other| other.id != take.id);
        takes.push(take);
    }

    /// The takes of a shot, oldest first, without those put away.
    #[must_use]
    pub fn takes(&self, shot: &ShotId) -> &[Take] {
        self.takes.get(shot).map_or(&[], Vec::as_slice)
    }

    /// The take of a shot with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(&self, shot: &ShotId, take: &TakeId) -> Result<&Take, ArtError> {
        self.takes(shot)
            .iter()
            .find(|other| other.id == *take)
            .ok_or_else(|| ArtError::NoSuchTake { shot: shot.clone(), take: take.clone() })
    }

    /// All shots that have takes.
    pub fn shots(&self) -> impl Iterator<Item = &ShotId> {
        self.takes.keys()
    }

    /// The accepted take of a shot.
    #[must_use]
    pub fn accepted(&self, shot: &ShotId) -> Option<&Take> {
        self.take(shot, self.ledger.accepted.get(shot)?).ok()
    }

    /// The take that the game shows for a shot whose recipe is `recipe` now: the accepted take if it
    /// is of this recipe; else the newest of this recipe; else the accepted one; else the newest. Edits are
    /// shown when they are accepted, not before, unless there is nothing else.
    /// For a shot that nothing asks for any more, `recipe` is `None`.
    #[must_use]
    pub fn shown(&self, shot: &ShotId, recipe: Option<&Recipe>) -> Option<&Take> {
        let current = |take: &&Take| recipe.is_some_and(|recipe| take.recipe().is_for(recipe));
        let drawn = || self.takes(shot).iter().rev().filter(|take| take.recipe().edit.is_none());
        let accepted = self.accepted(shot);
        (accepted.filter(current))
            .or_else(|| drawn().find(current))
            .or(accepted)
            .or_else(|| drawn().next())
            .or_else(|| self.takes(shot).last())
    }

    /// Where a shot stands by its pictures alone: missing, drafted, accepted or stale.
    #[must_use]
    pub fn state(&self, shot: &Shot) -> ShotState {
        let current = |take: &Take| take.recipe().is_for(&shot.recipe);
        if self.accepted(&shot.id).is_some_and(current) {
            ShotState::Accepted
        } else if self.takes(&shot.id).iter().any(current) {
            ShotState::Drafted
        } else if self.takes(&shot.id).is_empty() {
            ShotState::Missing
        } else {
            ShotState::Stale
        }
    }

    /// The number that the next take of this recipe should have. Takes that were put away count, so
    /// that what the author did not want is not drawn again.
    #[must_use]
    pub fn next_take(&self, shot: &ShotId, recipe: &Recipe) -> u32 {
        (self.takes(shot).iter().chain(self.discarded(shot)).map(Take::recipe))
            .filter(|other| other.same_but_take(recipe))
            .map(|other| other.take.saturating_add(1))
            .max()
            .unwrap_or(0)
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

    /// Puts a take away: its file moves to `discarded/`.
    ///
    /// # Errors
    /// When there is no such take, or the system refuses. The take is still there then.
    pub fn discard(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let from = self.take(shot, take)?.path.clone();
        if self.ledger.accepted.get(shot) == Some(take) {
            let mut ledger = self.ledger.clone();
            ledger.accepted.remove(shot);
            self.keep(ledger)?;
        }
        let to = take::take_path(self.root(), "discarded", shot, take);
        self.folder.rename(&from, &to)?;
        if let Entry::Occupied(mut entry) = self.takes.entry(shot.clone()) {
            let gone = entry.get_mut().extract_if(.., |other| other.id == *take);
            let gone = gone.map(|take| Take { path: to.clone(), ..take }).collect::<Vec<_>>();
            self.discarded.entry(shot.clone()).or_default().extend(gone);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        Ok(())
    }

    /// The takes of a shot that were put away.
    #[must_use]
    pub fn discarded(&self, shot: &ShotId) -> &[Take] {
        self.discarded.get(shot).map_or(&[], Vec::as_slice)
    }

    /// Brings a take back that was put away, to its old place among the others.
    ///
    /// # Errors
    /// When there is no such take among those put away, or the system refuses. Nothing has changed then.
    pub fn restore(&mut self, shot: &ShotId, take: &TakeId) -> Result<(), ArtError> {
        let missing = || ArtError::NoSuchTake { shot: shot.clone(), take: take.clone() };
        let at = self.discarded(shot).iter().position(|it| it.id == *take).ok_or_else(missing)?;
        let to = take::take_path(self.root(), "takes", shot, take);
        self.folder.rename(&self.discarded(shot)[at].path, &to)?;
        if let Some(put_away) = self.discarded.get_mut(shot) {
            let takes = self.takes.entry(shot.clone()).or_default();
            takes.push(Take { path: to, ..put_away.remove(at) });
            scan::sort(takes);
        }
        Ok(())
    }

    /// Copies a take to `pictures/<shot>.png`, whole or not at all, and returns that path.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn publish(&self, take: &Take) -> Result<PathBuf, ArtError> {
        self.writer().publish(take)
    }

    /// Where [`Self::publish`] puts the picture of a shot.
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.writer().picture_path(shot)
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

    /// Puts a ledger in the place of the one in force, on disk first.
    fn keep(&mut self, ledger: Ledger) -> Result<(), ArtError> {
        if ledger != self.ledger {
            ledger.write(&self.folder, &ledger_path(self.root()))?;
            self.ledger = ledger;
        }
        Ok(())
    }
}

impl ArtError {
    /// What turns a refusal of the system into an error that names the file.
    pub(crate) fn io<'a>(
        what: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

fn ledger_path(root: &Path) -> PathBuf {
    root.join("ledger.ron")
}

fn what_to_do(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": free some space and try again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ": make it writable, or choose another art folder"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            ": a file stands where a folder should be, move it away"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests;
