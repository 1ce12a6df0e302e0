//! What is wrong inside a story that reads well.

use super::Story;

/// A fault in a story. An error keeps it from being planned; a warning does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoryFault {
    /// Two things of one kind share an id.
    #[error("two {what}s have the id `{id}`: rename one of them")]
    DuplicateId {
        /// `scene`, `character`, `place`, `item` or `moment`.
        what: &'static str,
        /// The id.
        id: String,
    },
}

impl StoryFault {
    /// Whether the story can be planned all the same.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        false
    }
}

/// Finds everything that is wrong in a story, errors and warnings, in story order.
#[must_use]
pub fn check(_story: &Story) -> Vec<StoryFault> {
    todo!()
}
