//! Which shots have their pictures sent.

use super::Project;
use crate::storyboard::ShotId;

impl Project {
    /// Sends the picture of a shot as [`Update::Picture`](super::Update::Picture): now, if there is one, and whenever
    /// another take is shown, until [`Self::unwatch`]. The shot need not be on the storyboard yet. Pictures of other
    /// shots are not read and take no memory.
    pub fn watch(&mut self, shot: &ShotId) {
        if self.watched.insert(shot.clone()) {
            self.read_shown(shot);
        }
    }

    /// Sends no more pictures of a shot.
    pub fn unwatch(&mut self, shot: &ShotId) {
        self.watched.remove(shot);
    }

    /// Whether pictures of a shot are [sent](Self::watch).
    #[must_use]
    pub fn is_watched(&self, shot: &ShotId) -> bool {
        self.watched.contains(shot)
    }

    /// Has the take read that the game shows for a shot on the storyboard.
    fn read_shown(&self, shot: &ShotId) {
        if self.board.shot(shot).is_some()
            && let Some(take) = self.shown(shot)
        {
            self.publisher.read(take.clone());
        }
    }
}
