//! Components for a game's own entities.
//!
//! The types of [`crate::story`] describe the story: [`Scene`], [`Line`], [`Exit`], [`Character`], [`Place`] and
//! [`Item`]. [`ComponentStory`] reads them. [`Illustration`] shows a picture on an entity.

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

/// Registers the components and shows pictures on entities. Part of
/// [`IllustratorPlugins`](crate::plugin::IllustratorPlugins).
#[derive(Clone, Copy, Debug, Default)]
pub struct ComponentsPlugin;

/// The picture of the story to show on this entity.
///
/// An [`ImageNode`] or a [`Sprite`] on the entity shows a placeholder until there is a picture, and then each
/// later version of the picture. For anything else, such as a material, use the handle in
/// [`IllustrationImage`].
///
/// The arrival of a picture does not add or remove components, so it does not change the draw order of UI roots.
/// Bevy does not define an order between roots: give them a `GlobalZIndex`, or make them children of one root.
///
/// ```
/// # use bevy::prelude::*;
/// # use bevy_illustrator::prelude::*;
/// fn spawn_stage(mut commands: Commands) {
///     commands.spawn((ImageNode::default(), Illustration::background("harbour")));
///     commands.spawn((Sprite::default(), Illustration::portrait("mira", "happy")));
/// }
/// ```
#[derive(Component, Reflect, Clone, Debug, PartialEq, Eq)]
#[reflect(Component, Default, Debug, Clone, PartialEq)]
#[require(IllustrationImage)]
pub enum Illustration {
    /// The background of a scene, by the scene's id. An empty id means no picture, for an entity that shows
    /// one later.
    Background(String),
    /// The portrait of a character.
    Portrait {
        /// The character's id.
        character: String,
        /// The expression, as in [`Line::expression`]; `None` is the plain portrait.
        expression: Option<String>,
    },
    /// A key moment, by its id.
    Moment(String),
    /// An item, by its id.
    Item(String),
    /// Any shot.
    Shot(ShotId),
}

/// The image of an entity's [`Illustration`].
///
/// A new picture of the shot does not change the handle. The handle changes when the [`Illustration`]
/// changes, or when the story plans another shot for it.
#[derive(Component, Reflect, Clone, Debug, Default, PartialEq, Eq, Deref)]
#[reflect(Component, Default, Debug, Clone, PartialEq)]
pub struct IllustrationImage(pub Handle<Image>);

impl Illustration {
    /// The background of a scene.
    #[must_use]
    pub fn background(scene: impl Into<String>) -> Self {
        Self::Background(scene.into())
    }

    /// The portrait of a character with an expression.
    #[must_use]
    pub fn portrait(character: impl Into<String>, expression: impl Into<String>) -> Self {
        Self::Portrait { character: character.into(), expression: Some(expression.into()) }
    }

    /// The plain portrait of a character.
    #[must_use]
    pub fn plain_portrait(character: impl Into<String>) -> Self {
        Self::Portrait { character: character.into(), expression: None }
    }

    /// The shot in the storyboard, if the story needs this picture.
    #[must_use]
    pub fn shot(&self, board: &Storyboard) -> Option<ShotId> {
        let shot = match self {
            Self::Background(scene) => board.background(scene),
            Self::Portrait { character, expression } => {
                board.portrait(character, expression.as_deref())
            }
            Self::Moment(moment) => board.moment(moment),
            Self::Item(item) => board.item(item),
            // Also if the shot is orphaned: its picture stays on screen.
            Self::Shot(id) => return Some(id.clone()),
        };
        shot.map(|shot| shot.id.clone())
    }
}

impl Default for Illustration {
    /// No picture: the background of a scene with an empty id.
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
