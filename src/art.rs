//! The pictures on disk: every take with its recipe inside, which of them is accepted, and what the
//! author changed by hand.
//!
//! ```text
//! <art folder>/
//!   pictures/<shot>.png          what the game shows
//!   takes/<shot>/<take>.png      every take, whole from the moment it exists
//!   discarded/<shot>/<take>.png  takes that the author put away
//!   parts/<shot>/<take>.json     what the author marked on a take, and says of it
//!   ledger.ron                   accepted takes, the author's words, style and keys, and what is to be done alike
//!   queue.json                   what waits for the studio, and what failed
//!   .lock                        held by the one process that writes here
//!   .tmp/                        what is being written just now
//! ```
//!
//! Every file is written below `.tmp` first, brought to the disk, and only then renamed to its place:
//! whenever the process is killed, each file is the old one or the new one, never half of one.

mod discard;
mod error;
pub(crate) mod folder;
pub mod ledger;
mod marks;
pub mod picture_file;
mod scan;
pub mod take;

pub use crate::recipe::{TakeId, TakeIdError};
pub use error::ArtError;
pub use ledger::Ledger;
pub use take::{Provenance, Take, TakeWriter};

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    recipe::Recipe,
    storyboard::{Shot, ShotId, ShotState},
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
    /// Takes whose pixels turned out to be damaged.
    damaged: BTreeSet<(ShotId, TakeId)>,
}

impl Art {
    /// Opens an art folder, making it where there is none, and reads what it holds. A file that
    /// cannot be read as a take is left where it is and told in the log. A picture in `pictures/` whose shot has no
    /// take at all becomes one.
    ///
    /// # Errors
    /// When another process has it open, the ledger cannot be read, or the system refuses.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        let mut art = Self::load(Folder::open(root.into())?)?;
        let is_known = |shot: &ShotId| art.with_discarded(shot).next().is_some();
        match scan::adopt(&art.folder, is_known) {
            Ok(adopted) => adopted.into_iter().for_each(|take| art.enter(take)),
            Err(error) => log::warn!("pictures without takes are left as they are: {error}"),
        }
        Ok(art)
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
            ledger: Ledger::read(&ledger::path(root))?,
            takes: scan::scan(root, "takes")?,
            discarded: scan::scan(root, "discarded")?,
            damaged: BTreeSet::new(),
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
        self.damaged.remove(&(take.shot.clone(), take.id.clone()));
        take::enter(self.takes.entry(take.shot.clone()).or_default(), take);
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

    /// The take that the game shows for a shot whose recipe is `recipe` now: the accepted take if it
    /// is of this recipe; else the newest of this recipe; else the accepted one; else the newest. Edits are
    /// shown when they are accepted, not before, unless there is nothing else; neither is a take whose picture
    /// turned out to be [damaged](Self::mark_damaged).
    /// For a shot that nothing asks for any more, `recipe` is `None`.
    #[must_use]
    pub fn shown(&self, shot: &ShotId, recipe: Option<&Recipe>) -> Option<&Take> {
        let current = |take: &&Take| recipe.is_some_and(|recipe| take.is_for(recipe));
        let whole = || self.takes(shot).iter().rev().filter(|take| self.is_whole(take));
        let drawn = || whole().filter(|take| take.recipe().edit.is_none());
        let accepted = self.accepted(shot).filter(|take| self.is_whole(take));
        (accepted.filter(current))
            .or_else(|| drawn().find(current))
            .or(accepted)
            .or_else(|| drawn().next())
            .or_else(|| whole().next())
            .or_else(|| self.takes(shot).last())
    }

    /// Notes that the picture of a take cannot be read, though what it says of its origin can.
    pub fn mark_damaged(&mut self, shot: &ShotId, take: &TakeId) {
        self.damaged.insert((shot.clone(), take.clone()));
    }

    fn is_whole(&self, take: &Take) -> bool {
        !self.damaged.iter().any(|(shot, id)| (shot, id) == (&take.shot, &take.id))
    }

    /// Where a shot stands by its pictures alone: missing, drafted, accepted or stale.
    #[must_use]
    pub fn state(&self, shot: &Shot) -> ShotState {
        let current = |take: &Take| take.is_for(&shot.recipe) && self.is_whole(take);
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
        self.with_discarded(shot)
            .filter(|other| other.is_take_of(recipe))
            .map(|other| other.recipe().take.saturating_add(1))
            .max()
            .unwrap_or(0)
    }

    /// Where the picture of a shot lies that games load, once it is [published](TakeWriter::publish).
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.writer().picture_path(shot)
    }
}

#[cfg(test)]
mod tests;
