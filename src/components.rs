//! Components that an existing game adds to its own entities.
//!
//! There are two kinds. Those that *tell* the story are the types of [`crate::story`] themselves:
//! [`Scene`], [`Line`], [`Exit`], [`Character`], [`Place`] and [`Item`] (see [`ComponentStory`] for
//! how they are read). Those that *show* it are here: [`Illustration`] says which picture belongs on
//! an entity.

pub(crate) mod show;
pub(crate) mod story;

pub use story::{ComponentStory, StoryMeta};

use std::fmt;

use bevy::prelude::*;

use crate::{
    hot_swap::{Illustrations, fill_placeholders, show_pictures},
    schedule::IllustratorSystems,
    story::{Character, Exit, Item, Line, Place, Scene},
    storyboard::{ShotId, Storyboard},
};

/// Registers the components, and puts pictures on entities. Part of
/// [`IllustratorPlugins`](crate::plugin::IllustratorPlugins).
#[derive(Clone, Copy, Debug, Default)]
pub struct ComponentsPlugin;

/// Which picture of the story belongs on this entity.
///
/// An entity with an [`ImageNode`] or a [`Sprite`] shows it from then on, and every later version of
/// it; before there is one it shows a placeholder. For anything else, a material say, take the handle
/// from [`IllustrationImage`].
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::prelude::*;
/// fn set_the_stage(mut commands: Commands) {
///     commands.spawn((ImageNode::default(), Illustration::background("harbour")));
///     commands.spawn((Sprite::default(), Illustration::portrait("mira", "happy")));
/// }
/// ```
#[derive(Component, Reflect, Clone, Debug, PartialEq, Eq)]
#[reflect(Component, Default, Debug, Clone, PartialEq)]
#[require(IllustrationImage)]
pub enum Illustration {
    /// What stands behind a scene, by the scene's id. Without an id it is no picture at all, for an
    /// entity that is to show one later.
    Background(String),
    /// A character.
    Portrait {
        /// The character's id.
        character: String,
        /// The expression, as lines write it; `None` is the plain one.
        expression: Option<String>,
    },
    /// A key moment, by its id.
    Moment(String),
    /// An item, by its id.
    Item(String),
    /// Any shot.
    Shot(ShotId),
}

/// The image of an entity's [`Illustration`]. The handle stays the same while the picture behind it
/// changes; it becomes another one only with another [`Illustration`], or when the story plans
/// another shot for it.
#[derive(Component, Reflect, Clone, Debug, Default, PartialEq, Eq, Deref)]
#[reflect(Component, Default, Debug, Clone, PartialEq)]
pub struct IllustrationImage(pub Handle<Image>);

impl Illustration {
    /// What stands behind a scene.
    #[must_use]
    pub fn background(scene: impl Into<String>) -> Self {
        Self::Background(scene.into())
    }

    /// A character with an expression.
    #[must_use]
    pub fn portrait(character: impl Into<String>, expression: impl Into<String>) -> Self {
        Self::Portrait { character: character.into(), expression: Some(expression.into()) }
    }

    /// A character without an expression.
    #[must_use]
    pub fn plain_portrait(character: impl Into<String>) -> Self {
        Self::Portrait { character: character.into(), expression: None }
    }

    /// The shot that the storyboard has for it, if the story asks for such a picture.
    #[must_use]
    pub fn shot(&self, board: &Storyboard) -> Option<ShotId> {
        let shot = match self {
            Self::Background(scene) => board.background(scene),
            Self::Portrait { character, expression } => {
                board.portrait(character, expression.as_deref())
            }
            Self::Moment(moment) => board.moment(moment),
            Self::Item(item) => board.item(item),
            // Also one that nothing asks for any more: what the game showed for it stays until the game ends.
            Self::Shot(id) => return Some(id.clone()),
        };
        shot.map(|shot| shot.id.clone())
    }
}

impl Default for Illustration {
    /// No picture: the background of the scene without a name.
    fn default() -> Self {
        Self::Background(String::new())
    }
}

impl fmt::Display for Illustration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Background(scene) => write!(f, "background of scene `{scene}`"),
            Self::Portrait { character, expression: None } => {
                write!(f, "plain portrait of character `{character}`")
            }
            Self::Portrait { character, expression: Some(expression) } => {
                write!(f, "portrait of character `{character}` with expression `{expression}`")
            }
            Self::Moment(moment) => write!(f, "moment `{moment}`"),
            Self::Item(item) => write!(f, "item `{item}`"),
            Self::Shot(id) => write!(f, "shot `{id}`"),
        }
    }
}

impl Plugin for ComponentsPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<StoryMeta>()
            .register_type::<StoryMeta>()
            .register_type::<Scene>()
            .register_type::<Line>()
            .register_type::<Exit>()
            .register_type::<Character>()
            .register_type::<Place>()
            .register_type::<Item>()
            .register_type::<Illustration>()
            .register_type::<IllustrationImage>()
            .add_systems(
                PostUpdate,
                (show::resolve_illustrations, show::show_illustrations)
                    .chain()
                    .after(show_pictures)
                    .before(fill_placeholders)
                    .run_if(resource_exists::<Illustrations>)
                    .in_set(IllustratorSystems::Swap),
            );
    }
}
