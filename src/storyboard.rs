//! The storyboard: every shot that a story needs, in order, with its recipe and where each word of
//! its prompt comes from.
//!
//! [`Storyboard::plan`] is a pure function of the story and of what the author changed by hand, so a
//! change in a line, a sheet or the style changes exactly the recipes that depend on it.

pub mod plan;
pub mod shot;

pub use shot::{
    PromptPiece, PromptSource, Shot, ShotId, ShotIdError, ShotKind, ShotState, ShotWords,
};

use std::collections::{BTreeMap, HashMap};

/// All shots of a story, in the order in which a reader would first meet them.
#[derive(Clone, Debug, Default)]
pub struct Storyboard {
    shots: Vec<Shot>,
    by_id: HashMap<ShotId, usize>,
}

/// What the author changed by hand, by shot.
pub type AuthorWords = BTreeMap<ShotId, ShotWords>;

impl Storyboard {
    /// All shots, in order.
    #[must_use]
    pub fn shots(&self) -> &[Shot] {
        &self.shots
    }

    /// The shot with this id.
    #[must_use]
    pub fn shot(&self, id: &ShotId) -> Option<&Shot> {
        self.by_id.get(id).map(|&at| &self.shots[at])
    }
}
