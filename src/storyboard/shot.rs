//! One picture that the story needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    recipe::{Inspiration, Loss, Recipe},
    text::{compose, is_letter},
};

#[cfg(feature = "plugin")]
use bevy::prelude::Reflect;

/// The stable name of a shot: `background-studio-at_night`, `portrait-mira-happy`.
///
/// It is used in file names, so it contains only letters, digits, `-` and `_`, and is never empty. Its characters are
/// composed (Unicode normalization form C), so that `é` is the same as `e` with an accent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
#[serde(try_from = "String", into = "String")]
pub struct ShotId(String);

/// The error for a text that is not a valid [`ShotId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a shot id: use letters, digits, `-` and `_` only, and 1 to 120 bytes")]
pub struct ShotIdError {
    /// The text.
    pub text: String,
}

/// The kind of picture that a shot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShotKind {
    /// The background of a scene.
    Background,
    /// A character with an expression.
    Portrait,
    /// A key moment of a line.
    Moment,
    /// A single item.
    Item,
}

/// The state of a shot's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShotState {
    /// There is no take.
    Missing,
    /// A job for it waits or runs.
    Queued,
    /// A take of the current recipe exists, but none is accepted.
    Drafted,
    /// The author accepted a take of the current recipe.
    Accepted,
    /// There are takes, but only of older recipes.
    Stale,
    /// The story no longer needs it.
    Orphaned,
    /// Drawing failed.
    Failed,
}

/// One picture that the story needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shot {
    /// Its stable name.
    pub id: ShotId,
    /// Its kind.
    pub kind: ShotKind,
    /// A readable title: `The studio, at night`.
    pub title: String,
    /// The ids of the scenes that show it, in story order; empty for an item that no line shows.
    pub scenes: Vec<String>,
    /// The recipe of take 0.
    pub recipe: Recipe,
    /// The pieces of the prompt in order, without empty ones. The prompt is these, joined by `, `. Words of the style with
    /// `{prompt}` surround the others.
    pub sources: Vec<PromptPiece>,
}

impl Shot {
    /// The characters, places and items in its prompt.
    pub fn subjects(&self) -> impl Iterator<Item = &PromptSource> {
        use PromptSource::{Character, Item, Place};
        let sources = self.sources.iter().map(|piece| &piece.from);
        sources.filter(|from| matches!(from, Character(_) | Item(_) | Place(_)))
    }
}

/// A piece of a prompt with its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PromptPiece {
    /// The words.
    pub words: String,
    /// Their source.
    pub from: PromptSource,
}

/// The source of a piece of a prompt. [`fmt::Display`] shows it to people: `place studio: looks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptSource {
    /// The looks of a character, by id, framed as a portrait.
    Character(String),
    /// An expression of a character.
    Expression {
        /// The character's id.
        character: String,
        /// The expression's id.
        expression: String,
    },
    /// The looks of a place, by id.
    Place(String),
    /// The looks of an item, by id.
    Item(String),
    /// The time of day of the first scene that shows it, by scene id.
    Time(String),
    /// The weather, likewise.
    Weather(String),
    /// The mood, likewise.
    Mood(String),
    /// The words of a key moment, by its id.
    Moment(String),
    /// The words of the style.
    Style,
    /// The author's own words for this shot.
    Author,
}

/// The author's own words for one shot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "plugin", derive(Reflect), reflect(Debug, Clone))]
#[serde(deny_unknown_fields, default)]
pub struct ShotWords {
    /// Replaces the whole prompt except the style's words, unless it is blank.
    pub words: Option<String>,
    /// Added to the negative prompt.
    #[serde(alias = "unwanted")]
    pub negative_prompt: Option<String>,
    /// Replaces the seed.
    pub seed: Option<u64>,
    /// What the picture follows besides the inspirations of the style.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plugin", reflect(ignore))]
    pub inspirations: Vec<Inspiration>,
    /// What steers the picture besides the losses of the style.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "plugin", reflect(ignore))]
    pub losses: Vec<Loss>,
}

impl ShotId {
    /// Creates an id from a text, whose characters are composed.
    ///
    /// # Errors
    /// If it contains characters other than letters, digits, `-` and `_`, is empty, or is longer than 120 bytes.
    pub fn new(text: impl Into<String>) -> Result<Self, ShotIdError> {
        let mut text = text.into();
        compose(&mut text);
        let fits = !text.is_empty()
            && text.len() <= 120
            && text.chars().all(|c| is_letter(c) || c == '-' || c == '_');
        if fits { Ok(Self(text)) } else { Err(ShotIdError { text }) }
    }

    /// Creates an id from a text that is known to be valid, except that its characters may not be composed.
    pub(super) fn from_valid(mut text: String) -> Self {
        compose(&mut text);
        debug_assert!(Self::new(text.as_str()).is_ok(), "`{text}` is not a valid id");
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ShotId {
    type Error = ShotIdError;

    fn try_from(text: String) -> Result<Self, ShotIdError> {
        Self::new(text)
    }
}

impl From<ShotId> for String {
    fn from(id: ShotId) -> Self {
        id.0
    }
}

impl ShotKind {
    /// All kinds, in the order for display.
    pub const ALL: [Self; 4] = [Self::Background, Self::Portrait, Self::Moment, Self::Item];

    /// Its name: `background`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Portrait => "portrait",
            Self::Moment => "moment",
            Self::Item => "item",
        }
    }
}

impl ShotState {
    /// All states, in the order for display.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Queued,
        Self::Drafted,
        Self::Accepted,
        Self::Stale,
        Self::Orphaned,
        Self::Failed,
    ];

    /// Its name: `missing`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Queued => "queued",
            Self::Drafted => "drafted",
            Self::Accepted => "accepted",
            Self::Stale => "stale",
            Self::Orphaned => "orphaned",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for PromptSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(id) => write!(f, "character {id}: looks"),
            Self::Expression { character, expression } => {
                write!(f, "character {character}: expression {expression}")
            }
            Self::Place(id) => write!(f, "place {id}: looks"),
            Self::Item(id) => write!(f, "item {id}: looks"),
            Self::Time(id) => write!(f, "scene {id}: time"),
            Self::Weather(id) => write!(f, "scene {id}: weather"),
            Self::Mood(id) => write!(f, "scene {id}: mood"),
            Self::Moment(id) => write!(f, "moment {id}: words"),
            Self::Style => f.write_str("style: words"),
            Self::Author => f.write_str("your words"),
        }
    }
}
