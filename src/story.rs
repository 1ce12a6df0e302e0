//! The data model of a story: characters, places, items, and scenes with their lines.
//!
//! A story comes from a file in one of the [`StoryFormats`](format::StoryFormats), from components on a game's
//! entities (feature `plugin`), or from any other [`StorySource`]. A story names no picture files;
//! [`crate::storyboard`] plans the pictures that it needs.

pub mod check;
pub mod format;
mod names;

use serde::{Deserialize, Serialize};

use crate::{recipe::Style, text::is_same_name};

#[cfg(feature = "plugin")]
use bevy::prelude::{Component, Reflect, ReflectComponent, ReflectDefault};

/// A source that is not a file, such as the components in a Bevy world.
///
/// A file format implements [`StoryFormat`](format::StoryFormat) instead.
pub trait StorySource {
    /// The error of [`Self::story`].
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads the whole story.
    ///
    /// # Errors
    /// If the source is not a story. [`check::check`] finds the faults in a well-formed story.
    fn story(&self) -> Result<Story, Self::Error>;
}

/// A whole story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// The title.
    pub title: String,
    /// The id of the first scene. If empty, the story starts with the first of [`Self::scenes`].
    #[serde(default)]
    pub start: String,
    /// The style of all pictures.
    #[serde(default)]
    pub style: Style,
    /// The characters.
    #[serde(default)]
    pub characters: Vec<Character>,
    /// The places where scenes play.
    #[serde(default)]
    pub places: Vec<Place>,
    /// The items that have a picture of their own.
    #[serde(default)]
    pub items: Vec<Item>,
    /// The scenes, in the author's order.
    pub scenes: Vec<Scene>,
}

/// A character sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Character {
    /// The id that lines refer to.
    pub id: String,
    /// The name that readers see.
    pub name: String,
    /// The appearance, as a prompt.
    pub looks: String,
    /// The colour of the name in a text box: `#rrggbb`.
    #[serde(default)]
    pub colour: Option<String>,
    /// The prompts of expressions. The prompt of an expression that is not listed is its id.
    #[serde(default)]
    pub expressions: Vec<Expression>,
    /// The negative prompt for pictures of this character.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
}

/// The prompt of a character's expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields)]
pub struct Expression {
    /// The id that lines refer to.
    pub id: String,
    /// The prompt.
    pub words: String,
}

/// A place sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The id that scenes refer to.
    pub id: String,
    /// The name that readers see.
    pub name: String,
    /// The appearance, as a prompt.
    pub looks: String,
    /// The negative prompt for pictures of this place.
    #[serde(default, alias = "unwanted")]
    pub negative_prompt: String,
}

/// An item sheet: something with a picture of its own, as in an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The id that lines refer to.
    pub id: String,
    /// The name that readers see.
    pub name: String,
    /// The appearance, as a prompt.
    pub looks: String,
}

/// A scene: its place, time, weather and mood, its lines, and the exits to other scenes.
///
/// As a component, a scene can hold its lines and exits itself, or its child entities can have [`Line`] and
/// [`Exit`] components.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// The id that exits refer to.
    pub id: String,
    /// The id of a [`Place`].
    pub place: String,
    /// The time of day, as a prompt: `at night`.
    #[serde(default)]
    pub time: String,
    /// The weather, as a prompt: `in the rain`.
    #[serde(default)]
    pub weather: String,
    /// The mood, as a prompt: `calm`.
    #[serde(default)]
    pub mood: String,
    /// The lines, in order.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// The exits to following scenes. An ending has none.
    #[serde(default)]
    pub exits: Vec<Exit>,
    /// The name of the ending, if the scene is one.
    #[serde(default)]
    pub ending: Option<String>,
}

/// A line of a character or the narrator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The id of a [`Character`]; `None` is the narrator.
    #[serde(default)]
    pub speaker: Option<String>,
    /// The text.
    pub text: String,
    /// The speaker's expression: an id of [`Character::expressions`], or a prompt.
    #[serde(default)]
    pub expression: Option<String>,
    /// A key moment, if this line has a picture of its own.
    #[serde(default)]
    pub moment: Option<Moment>,
    /// The id of an [`Item`] to show with this line.
    #[serde(default)]
    pub item: Option<String>,
}

/// A key moment: a picture for one line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Default, Debug, Clone))]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// The id, unique in the story.
    pub id: String,
    /// The content of the picture, as a prompt.
    pub words: String,
}

/// An exit from one scene to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "plugin",
    derive(Component, Reflect),
    reflect(Component, Default, Debug, Clone)
)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// The id of the following scene.
    pub to: String,
    /// The text of the reader's choice; empty if there is no choice.
    #[serde(default)]
    pub text: String,
}

impl Story {
    /// The character with this id.
    #[must_use]
    pub fn character(&self, id: &str) -> Option<&Character> {
        self.characters.iter().find(|c| is_same_name(&c.id, id))
    }

    /// The place with this id.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<&Place> {
        self.places.iter().find(|p| is_same_name(&p.id, id))
    }

    /// The scene with this id.
    #[must_use]
    pub fn scene(&self, id: &str) -> Option<&Scene> {
        self.scenes.iter().find(|s| is_same_name(&s.id, id))
    }

    /// The first scene of the story.
    #[must_use]
    pub fn first_scene(&self) -> Option<&Scene> {
        if self.start.is_empty() { self.scenes.first() } else { self.scene(&self.start) }
    }
}

impl Character {
    /// The prompt of an expression: that of the sheet, or the expression itself.
    #[must_use]
    pub fn expression_words<'a>(&'a self, expression: &'a str) -> &'a str {
        let sheet = self.expressions.iter().find(|e| is_same_name(&e.id, expression));
        sheet.map_or(expression, |e| &e.words)
    }
}
