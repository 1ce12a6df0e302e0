//! Watched shots, whose pictures are sent as updates.

use super::Project;
use crate::storyboard::ShotId;

impl Project {
    /// Sends the picture of a shot as [`Update::Picture`](super::Update::Picture): now, if it has one, and whenever
    /// another take is shown, until [`Self::unwatch`]. The shot need not be on the storyboard yet. Pictures of other
    /// shots are not read and use no memory.
    pub fn watch(&mut self, shot: &ShotId) {
        if self.watched.insert(shot.clone()) {
            self.read_shown(shot);
        }
    }

    /// Stops sending pictures of a shot.
    pub fn unwatch(&mut self, shot: &ShotId) {
        self.watched.remove(shot);
    }

    /// Whether a shot is [watched](Self::watch).
    #[must_use]
    pub fn is_watched(&self, shot: &ShotId) -> bool {
        self.watched.contains(shot)
    }

    /// Reads the take that the game shows for a shot, if the shot is on the storyboard.
    fn read_shown(&self, shot: &ShotId) {
        if self.board.shot(shot).is_some()
            && let Some(take) = self.shown(shot)
        {
            self.publisher.read(take.clone());
        }
    }
}
