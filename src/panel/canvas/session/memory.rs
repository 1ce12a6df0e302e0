//! The steps back and forth on takes that were worked on before.

use super::{History, Kept, Marked, Session};
use crate::{art::TakeId, storyboard::ShotId};

/// How many takes are remembered.
const REMEMBERED: usize = 32;

/// The steps back and forth on takes that were worked on before, the latest last.
#[derive(Debug, Default)]
pub(in crate::panel::canvas) struct Memory(Vec<Past>);

#[derive(Debug)]
struct Past {
    shot: ShotId,
    take: TakeId,
    history: History<Marked>,
    kept: Kept,
}

impl Memory {
    /// Work on a take is over for now.
    pub fn keep(&mut self, session: Session) {
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        let Session { shot, take, history, kept, .. } = session;
        self.0.push(Past { shot, take, history, kept });
    }

    /// Work on a take goes on as it was left, unless somebody else has marked something meanwhile.
    pub fn recall(&mut self, session: &mut Session) {
        let is_it = |past: &Past| (&past.shot, &past.take) == (&session.shot, &session.take);
        let Some(at) = self.0.iter().position(is_it) else { return };
        let Past { history, kept, .. } = self.0.remove(at);
        if kept.may_be(&session.marks()) {
            session.restore(Some(history.now().clone()));
            session.history = history;
        }
    }
}
