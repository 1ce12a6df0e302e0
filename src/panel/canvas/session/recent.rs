//! The undo histories of previously opened takes.

use super::{History, SaveState, Session, Snapshot};
use crate::{
    art::TakeId,
    panel::canvas::history::{MAX_BYTES, PixelBytes},
    project::Update,
    storyboard::ShotId,
};

/// The maximum number of histories.
const MAX_HISTORIES: usize = 32;

/// The undo histories of previously opened takes, the latest last.
#[derive(Debug, Default)]
pub(in crate::panel::canvas) struct RecentSessions(Vec<RecentSession>);

#[derive(Debug)]
struct RecentSession {
    shot: ShotId,
    take: TakeId,
    history: History<Snapshot>,
    save: SaveState,
}

impl RecentSessions {
    /// Stores the history of a session that ends.
    pub fn store(&mut self, session: Session) {
        let Session { shot, take, history, save, .. } = session;
        self.push(RecentSession { shot, take, history, save });
    }

    /// Drops the oldest histories when there are too many, or when their pixels need too much memory.
    fn push(&mut self, recent: RecentSession) {
        self.0.push(recent);
        let mut bytes = PixelBytes::default();
        let mut fits = |recent: &&RecentSession| {
            recent.history.steps().all(|step| bytes.with(step) <= MAX_BYTES)
        };
        let fitting =
            self.0.iter().rev().take(MAX_HISTORIES).take_while(|recent| fits(recent)).count();
        self.0.drain(..self.0.len() - fitting);
    }

    /// Processes an update of the project.
    pub fn receive(&mut self, update: &Update) {
        for recent in &mut self.0 {
            recent.save.receive(update, (&recent.shot, &recent.take));
        }
    }

    /// Restores the history and the marks of a take, unless other code changed its marks in the meantime.
    pub fn resume(&mut self, session: &mut Session) {
        let matches =
            |recent: &RecentSession| (&recent.shot, &recent.take) == (&session.shot, &session.take);
        let Some(at) = self.0.iter().position(matches) else { return };
        let RecentSession { history, save, .. } = self.0.remove(at);
        if !save.is_overwritten() {
            session.restore(Some(history.now().clone()));
            session.history = history;
            session.save = save;
            session.is_loading = false;
            session.save.retry();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::Mask,
        recipe::{Layer, Marks},
    };

    #[test]
    fn the_oldest_histories_are_dropped_when_their_pixels_need_too_much_memory() {
        let mut sessions = RecentSessions::default();
        for name in ["a", "b", "c"] {
            // A hundred megabytes each, but zeroed pages need no memory until they are written.
            let layers = vec![Layer::new(name, Mask::empty(10_000, 10_000))];
            let marks = Marks { layers, context: None };
            sessions.push(RecentSession {
                shot: ShotId::new(name).unwrap(),
                take: TakeId::new("0123456789abcdef").unwrap(),
                history: History::new(Snapshot { marks: marks.clone(), selected: None }),
                save: SaveState::new(marks),
            });
        }
        let left: Vec<_> = sessions.0.iter().map(|recent| recent.shot.as_str()).collect();
        assert_eq!(left, ["b", "c"]);
    }
}
