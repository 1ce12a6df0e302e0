//! Illustrates the story of a Bevy game while it runs, with the author in charge of every picture.
//!
//! A game tells its story in components or in a file. This crate works out which pictures the story
//! needs, draws them on a thread of its own while the game runs, keeps them, and shows each in the
//! running game the moment it is finished.
//!
//! # Three lines
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_illustrator::prelude::*;
//!
//! # let _: fn() = || {
//! App::new()
//!     .add_plugins(DefaultPlugins)
//!     .add_plugins(IllustratorPlugins)
//! #   .run();
//! # };
//! ```
//!
//! That reads the story from components, draws with the small model that ships with the crate, and
//! keeps the pictures in `assets/illustrations/story`. No picture file is named anywhere, nothing is
//! downloaded. [`IllustratorPlugin`](plugin::IllustratorPlugin) has the settings.
//!
//! # Telling the story
//!
//! A game puts components on the entities that it has already: [`Character`](story::Character)s and
//! [`Place`](story::Place)s say in words what they look like, a [`Scene`](story::Scene) says where and
//! when, and its children are the [`Line`](story::Line)s.
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_illustrator::{prelude::*, story::Scene};
//!
//! fn tell_the_story(mut commands: Commands) {
//!     commands.spawn(Place {
//!         id: "shore".into(),
//!         looks: "a red lighthouse by the sea".into(),
//!         ..default()
//!     });
//!     commands.spawn(Character {
//!         id: "mira".into(),
//!         name: "Mira".into(),
//!         looks: "a woman with red hair and a green coat".into(),
//!         ..default()
//!     });
//!     commands.spawn((
//!         Scene { id: "arrival".into(), place: "shore".into(), time: "at dusk".into(), ..default() },
//!         children![Line {
//!             speaker: Some("mira".into()),
//!             text: "So this is where the light comes from.".into(),
//!             expression: Some("curious".into()),
//!             ..default()
//!         }],
//!     ));
//! }
//! ```
//!
//! (Bevy's own prelude may have a `Scene`, too; importing ours by name settles which one is meant.)
//!
//! Or it writes a `*.story.ron` file, which an author can change while the game runs (with Bevy's feature
//! `file_watcher`, or by `AssetServer::reload`):
//!
//! ```
//! # use bevy::prelude::*;
//! # use bevy_illustrator::prelude::*;
//! # let mut app = App::new();
//! app.add_plugins(IllustratorPlugins.set(IllustratorPlugin {
//!     story: StoryInput::File("stories/painters_door.story.ron".into()),
//!     ..default()
//! }));
//! ```
//!
//! Anything else that can fill a [`Story`](story::Story) is a [`StorySource`](story::StorySource).
//!
//! # Showing it
//!
//! [`Illustration`](components::Illustration) says which picture belongs on an entity. On a UI node or
//! a sprite that is all:
//!
//! ```
//! # use bevy::prelude::*;
//! # use bevy_illustrator::prelude::*;
//! fn set_the_stage(mut commands: Commands) {
//!     let fill = Node { width: percent(100), height: percent(100), ..default() };
//!     commands.spawn((fill, ImageNode::default(), Illustration::background("arrival")));
//!     commands.spawn((Sprite::default(), Illustration::portrait("mira", "curious")));
//! }
//! ```
//!
//! Until there is a picture, a placeholder stands in its place. Games that want the handle itself take
//! it from [`Illustrations`](hot_swap::Illustrations), once: it shows every later picture. Materials
//! need [`App::hot_swap_material`](hot_swap::HotSwapAppExt::hot_swap_material) for that. A game that
//! loads `illustrations/<story>/pictures/<shot>.png` by its path is kept up to date as well.
//!
//! A game that is finished says [`DrawPolicy::Off`](plugin::DrawPolicy::Off): it ships the folder `pictures`, shows what
//! lies there, and draws nothing.
//!
//! # Asking for pictures, and being told
//!
//! Everything that a person can do in the panel a game can do with a message,
//! a [`Request`](project::Request) with an [`Action`](project::Action), and everything that happens is a
//! message, too, [`project::Update`]; one of them answers the request:
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_illustrator::{prelude::*, project};
//!
//! fn draw_another_shore(keys: Res<ButtonInput<KeyCode>>, mut requests: MessageWriter<Request>) -> Result {
//!     if keys.just_pressed(KeyCode::KeyR) {
//!         let shot = ShotId::new("background-shore-at_dusk")?;
//!         requests.write(Action::DrawMore { shot, takes: 1 }.into());
//!     }
//!     Ok(())
//! }
//!
//! fn cheer(mut updates: MessageReader<project::Update>) {
//!     for update in updates.read() {
//!         if let project::Update::Drawn { shot, .. } = update {
//!             info!("{shot} has a new picture");
//!         }
//!     }
//! }
//! ```
//!
//! What the illustrator knows stands in resources: the [`Project`](project::Project) with story,
//! storyboard, pictures and queue, once [`IllustratorStatus`](plugin::IllustratorStatus) is ready; and
//! [`Notices`](plugin::Notices) with what went wrong.
//!
//! # The author's panel
//!
//! With the feature `panel` (on by default) F2 opens the author's panel in the running game, wherever
//! there is a renderer: every picture of the story with its state and its prompt, takes to choose from,
//! the queue, the style. [`PanelState::open`](panel::PanelState::open) opens it from code, and [`panel`] tells how to put
//! it into a dock. Keys and clicks that are meant for the panel reach the game as well, unless it does not listen
//! while [`panel::egui_wants_any_keyboard_input`] and [`panel::egui_wants_any_pointer_input`].
//!
//! # Parts of a picture
//!
//! [`Action::Edit`](project::Action::Edit) draws [`Part`](recipe::Part)s of a take anew, each a
//! [`Mask`](mask::Mask) with an [edit](recipe::PartEdit), and leaves all other pixels as they are, to the
//! bit. What comes of it are takes of the same shot. In the panel this is the canvas.
//!
//! # Drawing with something else
//!
//! [`Style::model`](recipe::Style::model) names the model: the built-in one, or a diffusers folder of the
//! Stable Diffusion family. Anything else that can turn a recipe into a picture is a
//! [`Generator`](generator::Generator), registered in
//! [`IllustratorPlugin::registry`](plugin::IllustratorPlugin::registry).
//!
//! # The rooms
//!
//! The core knows nothing of Bevy; without the feature `plugin` it compiles without it. A story
//! ([`story`]) is planned into shots ([`storyboard`]), each with a [`recipe`], whose edits are about
//! [masks](mask); the [`studio`] runs a [`generator`] on its worker thread; [`art`] keeps the pictures; a [`project`] joins them. The Bevy
//! floor is thin: [`plugin`], [`components`] and [`hot_swap`].
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod art;
pub mod contact_sheet;
pub mod control;
pub mod diffusion;
pub mod edit;
pub mod generator;
pub mod mask;
pub mod model;
pub mod ops;
#[cfg(feature = "panel")]
pub mod panel;
pub mod project;
pub mod recipe;
pub mod story;
pub mod storyboard;
pub mod studio;

#[cfg(feature = "plugin")]
pub mod components;
#[cfg(feature = "plugin")]
pub mod hot_swap;
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(feature = "plugin")]
mod schedule;

/// What a game needs by name.
#[cfg(feature = "plugin")]
pub mod prelude {
    #[cfg(feature = "panel")]
    #[doc(no_inline)]
    pub use crate::panel::PanelPlugin;
    #[doc(no_inline)]
    pub use crate::{
        components::{Illustration, IllustrationImage, StoryMeta},
        hot_swap::{HotSwapAppExt, Illustrations},
        plugin::{
            DrawPolicy, IllustratorPlugin, IllustratorPlugins, IllustratorStatus,
            IllustratorSystems, StoryInput,
        },
        project::{Action, Project, Request},
        story::{Character, Exit, Expression, Item, Line, Moment, Place, Scene},
        storyboard::{ShotId, ShotState},
    };
}

/// Compiles the code blocks of the README and the guide.
#[cfg(all(doctest, feature = "panel"))]
mod guide {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/authors.md")]
    struct Authors;
    #[doc = include_str!("../docs/developers.md")]
    struct Developers;
    #[doc = include_str!("../docs/command_line.md")]
    struct CommandLine;
    #[doc = include_str!("../docs/models.md")]
    struct Models;
    #[doc = include_str!("../docs/pictures.md")]
    struct Pictures;
}
