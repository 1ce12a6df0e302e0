//! The art folder: takes with their recipes, accepted takes, and the author's changes.
//!
//! ```text
//! <art folder>/
//!   pictures/<shot>.png          the pictures that the game shows
//!   takes/<shot>/<take>.png      the takes
//!   discarded/<shot>/<take>.png  takes that the author discarded
//!   blobs/<id>.png               the masks and scribbles of edits
//!   parts/<shot>/<take>.json     the author's marks on a take
//!   ledger.ron                   accepted takes, the author's words, style and keys, and pending propagations
//!   queue.json                   queued and failed jobs
//!   .lock                        lock of the process that writes to the folder
//!   .tmp/                        files that are being written
//! ```
//!
//! Every file is written below `.tmp`, synced, and then moved to its place. If the process is killed, each file has either
//! its old or its new content. An old file leaves its place before its content decides whether it can be removed; if not,
//! it is renamed to `NAME.broken-1.png`.

mod blobs;
mod copies;
mod discard;
mod disk_store;
mod error;
pub(crate) mod folder;
mod inline_blobs;
pub mod ledger;
mod marks;
mod names;
pub mod picture_file;
mod provenance;
mod ranked;
mod scan;
#[cfg(test)]
mod simulator;
mod store;
pub mod take;
mod take_writer;

pub use crate::recipe::{TakeId, TakeIdError};
pub use blobs::Blobs;
pub use error::ArtError;
pub use ledger::Ledger;
pub(crate) use marks::MarksSource;
pub use provenance::Provenance;
pub use ranked::{RankedTake, TakeScore, ranked};
pub use take::Take;
pub use take_writer::TakeWriter;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    recipe::Recipe,
    storyboard::{Shot, ShotId, ShotState},
};

use folder::Folder;
use inline_blobs::InlineBlobs;

/// An art folder that is open for writing. It stays locked until this value and all of its
/// [writers](Self::writer) are dropped.
#[derive(Debug)]
pub struct Art {
    folder: Folder,
    ledger: Ledger,
    /// Whether the ledger on disk may differ from `ledger`.
    ledger_is_uncertain: bool,
    takes: BTreeMap<ShotId, Vec<Take>>,
    /// Discarded takes. Their numbers are not used again.
    discarded: BTreeMap<ShotId, Vec<Take>>,
    /// Takes whose pixels cannot be read.
    damaged: BTreeSet<(ShotId, TakeId)>,
}

impl Art {
    /// Opens an art folder for writing, and creates it if it does not exist. A file that cannot be read as a take is
    /// left in place and reported in the log. A picture in `pictures/` whose shot has no take becomes a take. Names of
    /// shots with decomposed characters are replaced by composed ones.
    ///
    /// # Errors
    /// If another process has the folder open, the ledger cannot be read, or an operation on a file fails.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        let folder = Folder::open(root.into())?;
        names::compose(&folder);
        let mut art = Self::load(folder)?;
        let known = |shot: &ShotId| art.with_discarded(shot).map(|take| take.id.clone()).collect();
        match scan::adopt(&art.folder, known) {
            Ok(adopted) => adopted.into_iter().for_each(|take| art.enter(take)),
            Err(error) => log::warn!("pictures without takes are ignored: {error}"),
        }
        art.unpublish_discarded();
        Ok(art)
    }

    /// Removes the published copies of shots that have only discarded takes: the process may have been killed between
    /// discarding the last take and removing its copy. A failure is reported in the log.
    fn unpublish_discarded(&self) {
        let writer = self.writer();
        for shot in self.discarded.keys().filter(|shot| !self.takes.contains_key(*shot)) {
            if let Err(error) = writer.unpublish_copy(shot) {
                log::warn!("{error}");
            }
        }
    }

    /// Opens an art folder read-only, without a lock. A folder that does not exist is read as an empty one.
    ///
    /// # Errors
    /// If the ledger cannot be read, or an operation on a file fails.
    pub fn read(root: impl Into<PathBuf>) -> Result<Self, ArtError> {
        Self::load(Folder::read_only(root.into()))
    }

    fn load(folder: Folder) -> Result<Self, ArtError> {
        let ledger = Ledger::read(&folder)?;
        let mut inline = InlineBlobs::open(&folder);
        let takes = scan::scan(&folder, "takes", &mut inline)?;
        let discarded = scan::scan(&folder, "discarded", &mut inline)?;
        inline.save();
        Ok(Self {
            folder,
            ledger,
            ledger_is_uncertain: false,
            takes,
            discarded,
            damaged: BTreeSet::new(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// A writer for new takes, which can be sent to another thread.
    #[must_use]
    pub fn writer(&self) -> TakeWriter {
        TakeWriter::new(self.folder.clone())
    }

    /// Adds a take that a [`TakeWriter`] has written, as the newest of its shot.
    pub fn enter(&mut self, take: Take) {
        self.damaged.remove(&(take.shot.clone(), take.id.clone()));
        take::enter(self.takes.entry(take.shot.clone()).or_default(), take);
    }

    /// The takes of a shot, oldest first, without discarded ones.
    #[must_use]
    pub fn takes(&self, shot: &ShotId) -> &[Take] {
        self.takes.get(shot).map_or(&[], Vec::as_slice)
    }

    /// The take of a shot with this name.
    ///
    /// # Errors
    /// If there is none.
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

    /// The take that the game shows for a shot with the current recipe `recipe`, which is `None` for a shot that the
    /// story no longer needs. The first of these that exists:
    ///
    /// 1. the accepted take, if it is of this recipe,
    /// 2. the newest take of this recipe,
    /// 3. the accepted take,
    /// 4. the newest take.
    ///
    /// Edits that are not accepted and [damaged](Self::mark_damaged) takes are used only if there is no other take.
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

    /// Records that the pixels of a take cannot be read, although its provenance can.
    pub fn mark_damaged(&mut self, shot: &ShotId, take: &TakeId) {
        self.damaged.insert((shot.clone(), take.clone()));
    }

    fn is_whole(&self, take: &Take) -> bool {
        !self.damaged.iter().any(|(shot, id)| (shot, id) == (&take.shot, &take.id))
    }

    /// The state of a shot by its takes alone: missing, drafted, accepted or stale.
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

    /// The number for the next take of this recipe. Discarded takes count, so that a rejected picture is not drawn
    /// again.
    #[must_use]
    pub fn next_take(&self, shot: &ShotId, recipe: &Recipe) -> u32 {
        self.with_discarded(shot)
            .filter(|other| other.is_take_of(recipe))
            .map(|other| other.recipe().take.saturating_add(1))
            .max()
            .unwrap_or(0)
    }

    /// The path of the picture that games load for a shot, once it is [published](TakeWriter::publish).
    #[must_use]
    pub fn picture_path(&self, shot: &ShotId) -> PathBuf {
        self.writer().picture_path(shot)
    }
}

#[cfg(test)]
pub(crate) mod tests;
