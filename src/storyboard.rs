//! The storyboard: all shots that a story needs, in order, with their recipes and the sources of their prompts.
//!
//! [`Storyboard::plan`] is a pure function of the story, the style and the author's own words. A change in a line, a
//! sheet or the style changes exactly the recipes that depend on it.

mod naming;
pub mod plan;
mod prompt;
pub mod shot;

use crate::text::composed;

pub use shot::{
    PromptPiece, PromptSource, Shot, ShotId, ShotIdError, ShotKind, ShotState, ShotWords,
};

use std::collections::{BTreeMap, HashMap};

/// All shots of a story, in reading order.
#[derive(Clone, Debug, Default)]
pub struct Storyboard {
    shots: Vec<Shot>,
    by_id: HashMap<ShotId, usize>,
    backgrounds: HashMap<String, usize>,
    /// By character, then by expression, which is empty for the plain portrait.
    portraits: HashMap<String, HashMap<String, usize>>,
    moments: HashMap<String, usize>,
    items: HashMap<String, usize>,
}

/// The author's own words, by shot.
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
        self.at(self.by_id.get(id))
    }

    /// The background behind a scene.
    #[must_use]
    pub fn background(&self, scene: &str) -> Option<&Shot> {
        self.at(self.backgrounds.get(&*composed(scene)))
    }

    /// The portrait of a character with an expression that a line uses; `None` for the plain portrait.
    #[must_use]
    pub fn portrait(&self, character: &str, expression: Option<&str>) -> Option<&Shot> {
        let expression = composed(expression.map_or("", str::trim));
        self.at(self.portraits.get(&*composed(character))?.get(&*expression))
    }

    /// The key moment with this id.
    #[must_use]
    pub fn moment(&self, moment: &str) -> Option<&Shot> {
        self.at(self.moments.get(&*composed(moment)))
    }

    /// The picture of an item.
    #[must_use]
    pub fn item(&self, item: &str) -> Option<&Shot> {
        self.at(self.items.get(&*composed(item)))
    }

    /// The other shots that show the same character, place or item as this one, in order.
    pub fn related(&self, shot: &ShotId) -> impl Iterator<Item = &Shot> {
        let shot = self.shot(shot);
        let is_related = move |other: &&Shot| {
            shot.is_some_and(|shot| {
                other.id != shot.id && shot.subjects().any(|a| other.subjects().any(|b| a == b))
            })
        };
        self.shots.iter().filter(is_related)
    }

    fn at(&self, index: Option<&usize>) -> Option<&Shot> {
        index.map(|&at| &self.shots[at])
    }
}
