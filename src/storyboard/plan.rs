//! From a story to its shots.

use super::{AuthorWords, Storyboard};
use crate::{recipe::Style, story::Story};

impl Storyboard {
    /// Lists every shot of a story drawn in `style`, with the author's own words put in.
    #[must_use]
    pub fn plan(_story: &Story, _style: &Style, _words: &AuthorWords) -> Self {
        todo!()
    }

    /// The background behind a scene.
    #[must_use]
    pub fn background(&self, _scene: &str) -> Option<&super::Shot> {
        todo!()
    }

    /// The portrait of a character with an expression (`None`: the plain one).
    #[must_use]
    pub fn portrait(&self, _character: &str, _expression: Option<&str>) -> Option<&super::Shot> {
        todo!()
    }

    /// The key moment with this id.
    #[must_use]
    pub fn moment(&self, _moment: &str) -> Option<&super::Shot> {
        todo!()
    }

    /// The picture of an item.
    #[must_use]
    pub fn item(&self, _item: &str) -> Option<&super::Shot> {
        todo!()
    }
}
