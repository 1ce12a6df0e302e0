//! The model of a story: cast, places, scenes and their lines.
//!
//! A story comes from a [`StorySource`]: a RON file ([`ron_file`]), the components on a game's own
//! entities (feature `plugin`), or anything else that can fill a [`Story`]. It says nothing of
//! picture files; [`crate::storyboard`] works out which pictures it needs.

pub mod check;
pub mod ron_file;

use serde::{Deserialize, Serialize};

use crate::recipe::Style;

#[cfg(feature = "plugin")]
use bevy::prelude::{Component, Reflect, ReflectComponent, ReflectDefault};

/// Something that a story can be read from.
pub trait StorySource {
    /// Why reading failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads the whole story.
    ///
    /// # Errors
    /// When the source cannot be read as a story; what is wrong *inside* a story that reads well is
    /// told by [`check::check`].
    fn story(&self) -> Result<Story, Self::Error>;
}

/// A whole story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What the story is called.
    pub title: String,
    /// The id of the first scene; the first in [`Self::scenes`] when empty.
    #[serde(default)]
    pub start: String,
    /// The one look of all pictures.
    #[serde(default)]
    pub style: Style,
    /// Everybody who speaks or is seen.
    #[serde(default)]
    pub characters: Vec<Character>,
    /// Where scenes play.
    #[serde(default)]
    pub places: Vec<Place>,
    /// Things that are shown on their own.
    #[serde(default)]
    pub items: Vec<Item>,
    /// The scenes, in the order of writing.
    pub scenes: Vec<Scene>,
}

/// A cast sheet: somebody who speaks or is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Character {
    /// How lines name this character.
    pub id: String,
    /// How the reader sees the name.
    pub name: String,
    /// What this character looks like, in words for the model.
    pub looks: String,
    /// The colour of the name in a text box, as `#rrggbb`.
    #[serde(default)]
    pub colour: Option<String>,
    /// Words for each expression; an expression that is not listed stands for itself.
    #[serde(default)]
    pub expressions: Vec<Expression>,
    /// What a picture of this character must not show.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
}

/// What an expression of a character looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// How lines name it.
    pub id: String,
    /// How it looks, in words for the model.
    pub words: String,
}

/// A location sheet: somewhere scenes play.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// How scenes name this place.
    pub id: String,
    /// How the reader sees the name.
    pub name: String,
    /// What the place looks like, in words for the model.
    pub looks: String,
    /// What a picture of this place must not show.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
}

/// Something that is shown on its own, as in an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// How the game names it.
    pub id: String,
    /// How the reader sees the name.
    pub name: String,
    /// What it looks like, in words for the model.
    pub looks: String,
}

/// Where, when and in which mood; what is said there, and where it leads.
///
/// As a component, lines and exits may stand in the scene itself or, for a game that keeps them on
/// entities of their own, as [`Line`] and [`Exit`] on its children.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// How exits name this scene.
    pub id: String,
    /// The id of a [`Place`].
    pub place: String,
    /// Time of day, in words: `at night`.
    #[serde(default)]
    pub time: String,
    /// Weather, in words: `in the rain`.
    #[serde(default)]
    pub weather: String,
    /// Mood, in words: `calm`.
    #[serde(default)]
    pub mood: String,
    /// What is said and shown, in order.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Where the story goes on; an ending has none.
    #[serde(default)]
    pub exits: Vec<Exit>,
    /// The name of the ending that this scene is, if it is one.
    #[serde(default)]
    pub ending: Option<String>,
}

/// One line: somebody says something, or the narrator does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The id of a [`Character`]; the narrator when absent.
    #[serde(default)]
    pub speaker: Option<String>,
    /// What is said.
    pub text: String,
    /// The speaker's expression: an id from the cast sheet, or plain words.
    #[serde(default)]
    pub expression: Option<String>,
    /// A key moment: this line is shown with a picture of its own.
    #[serde(default)]
    pub moment: Option<Moment>,
    /// The id of an [`Item`] that this line shows.
    #[serde(default)]
    pub item: Option<String>,
}

/// A key moment that a line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Its name, unique in the story.
    pub id: String,
    /// What the picture shows, in words for the model.
    pub words: String,
}

/// A way out of a scene.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// The id of the scene that follows.
    pub to: String,
    /// What the reader chooses; empty where there is no choice.
    #[serde(default)]
    pub text: String,
}

impl Story {
    /// The character with this id.
    #[must_use]
    pub fn character(&self, id: &str) -> Option<&Character> {
        self.characters.iter().find(|c| c.id == id)
    }

    /// The place with this id.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<&Place> {
        self.places.iter().find(|p| p.id == id)
    }

    /// The scene with this id.
    #[must_use]
    pub fn scene(&self, id: &str) -> Option<&Scene> {
        self.scenes.iter().find(|s| s.id == id)
    }

    /// The scene that the story starts with.
    #[must_use]
    pub fn first_scene(&self) -> Option<&Scene> {
        if self.start.is_empty() { self.scenes.first() } else { self.scene(&self.start) }
    }
}

impl Character {
    /// The words for an expression: those of the sheet, or the expression itself.
    #[must_use]
    pub fn expression_words<'a>(&'a self, expression: &'a str) -> &'a str {
        self.expressions.iter().find(|e| e.id == expression).map_or(expression, |e| &e.words)
    }
}
