//! Changes of the ledger. They take effect immediately, the [disk thread](super::disk) writes them, and they are undone
//! if that fails.

use std::{fmt, mem, sync::Arc};

use super::{ActionId, Project, ProjectError, Reply};
use crate::art::Ledger;

/// The changes that are not on disk yet.
#[derive(Debug, Default)]
pub(super) struct PendingChanges {
    /// The ledger on disk.
    written: Arc<Ledger>,
    changes: Vec<PendingChange>,
    /// The number of ledgers sent to the disk thread.
    revision: u64,
}

struct PendingChange {
    /// The request for the change. `None` for a change by the project itself.
    id: Option<ActionId>,
    change: Box<dyn Fn(&mut Ledger) + Send + Sync>,
    /// The revision of the first ledger that contains the change.
    revision: u64,
}

impl PendingChanges {
    /// An empty list of changes to the ledger on disk.
    pub(super) fn new(written: Arc<Ledger>) -> Self {
        Self { written, ..Self::default() }
    }
}

impl Project {
    /// Changes the ledger. The request is answered once the change is on disk.
    pub(super) fn change_ledger(
        &mut self,
        id: Option<ActionId>,
        change: impl Fn(&mut Ledger) + Send + Sync + 'static,
    ) {
        let mut ledger = self.art.ledger().clone();
        change(&mut ledger);
        let pending = &mut self.pending_changes;
        if ledger == *self.art.ledger() && pending.changes.is_empty() {
            return self.answer(id, Ok(Reply::default()));
        }
        let revision = pending.revision + 1;
        pending.changes.push(PendingChange { id, change: Box::new(change), revision });
        self.write_ledger(ledger);
    }

    fn write_ledger(&mut self, ledger: Ledger) {
        self.pending_changes.revision += 1;
        self.disk.write_ledger(self.pending_changes.revision, Arc::new(ledger.clone()));
        self.art.set_ledger(ledger);
    }

    /// Handles the result of writing a ledger. If that failed, its changes are undone.
    pub(super) fn ledger_done(
        &mut self,
        revision: u64,
        ledger: Arc<Ledger>,
        result: Result<(), ProjectError>,
    ) {
        let pending = &mut self.pending_changes;
        let is_done = |change: &PendingChange| change.revision <= revision;
        let (done, left) = mem::take(&mut pending.changes).into_iter().partition(is_done);
        pending.changes = left;
        let done: Vec<PendingChange> = done;
        match result {
            Ok(()) => {
                pending.written = ledger;
                done.into_iter().for_each(|change| self.answer(change.id, Ok(Reply::default())));
            }
            Err(error) => {
                let error = Arc::new(error);
                if done.iter().any(|change| change.id.is_none()) {
                    log::error!("{error}");
                }
                let mut ledger = Ledger::clone(&pending.written);
                for change in &mut pending.changes {
                    (change.change)(&mut ledger);
                    change.revision = pending.revision + 1;
                }
                if pending.changes.is_empty() {
                    self.art.set_ledger(ledger);
                } else {
                    self.write_ledger(ledger);
                }
                self.replan();
                let shots = self.board.shots().iter().map(|shot| shot.id.clone());
                shots.collect::<Vec<_>>().iter().for_each(|shot| self.refresh_shot(shot));
                for change in done {
                    self.answer(change.id, Err(Arc::clone(&error)));
                }
            }
        }
    }
}

impl fmt::Debug for PendingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, change: _, revision } = self;
        f.debug_struct("PendingChange").field("id", id).field("revision", revision).finish()
    }
}
