//! Illustrates the story of a Bevy game while it runs, with the author in charge of every picture.
//!
//! A game describes its story in components or in a file. This crate plans the pictures that the story
//! needs, draws them on a worker thread while the game runs, keeps them on disk, and shows each picture in
//! the running game as soon as it is drawn.
//!
//! # Getting started
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
//! By default the plugins read the story from components, draw with the small model that ships with the
//! crate, and keep the pictures in `assets/illustrations/story`. The game names no picture file, and nothing
//! is downloaded. [`IllustratorPlugin`](plugin::IllustratorPlugin) has the settings.
//!
//! # The story
//!
//! A game adds components to its own entities. [`Character`](story::Character) and [`Place`](story::Place)
//! describe an appearance in words. A [`Scene`](story::Scene) has a place and a time, and its children are
//! [`Line`](story::Line)s.
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_illustrator::{prelude::*, story::Scene};
//!
//! fn spawn_story(mut commands: Commands) {
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
//! Bevy's prelude can have a `Scene` too. An import by name decides between them.
//!
//! The story can also be in a file, `*.story.ron`. The game follows changes of the file while it runs, with
//! Bevy's feature `file_watcher` or after `AssetServer::reload`:
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
//! A [`StoryFormat`](story::format::StoryFormat) adds another file format.
//!
//! # Pictures in the game
//!
//! [`Illustration`](components::Illustration) selects the picture to show on a UI node or a sprite:
//!
//! ```
//! # use bevy::prelude::*;
//! # use bevy_illustrator::prelude::*;
//! fn spawn_stage(mut commands: Commands) {
//!     let fill = Node { width: percent(100), height: percent(100), ..default() };
//!     commands.spawn((fill, ImageNode::default(), Illustration::background("arrival")));
//!     commands.spawn((Sprite::default(), Illustration::portrait("mira", "curious")));
//! }
//! ```
//!
//! A placeholder is shown until there is a picture. [`Illustrations`](hot_swap::Illustrations) returns the
//! image handle of a shot, which shows every later picture. For materials, call
//! [`App::hot_swap_material`](hot_swap::HotSwapAppExt::hot_swap_material). A game that loads
//! `illustrations/<story>/pictures/<shot>.png` by its path is kept up to date too.
//!
//! A game that ships sets [`DrawPolicy::Off`](plugin::DrawPolicy::Off). It needs only the folder `pictures`,
//! and draws nothing.
//!
//! # Requests and updates
//!
//! A game can do everything that the panel can do. It sends a [`Request`](project::Request) with an
//! [`Action`](project::Action) as a message. Everything that happens is an [`Update`](project::Update)
//! message. Exactly one update, [`Applied`](project::Update::Applied), answers each request.
//!
//! ```
//! use bevy::prelude::*;
//! use bevy_illustrator::{prelude::*, project};
//!
//! fn draw_another_shore(keys: Res<ButtonInput<KeyCode>>, mut requests: MessageWriter<Request>) -> Result {
//!     if keys.just_pressed(KeyCode::KeyR) {
//!         let shot = ShotId::new("background-shore-at_dusk")?;
//!         requests.write(Action::DrawMore { shot, takes: 1, score: false }.into());
//!     }
//!     Ok(())
//! }
//!
//! fn log_takes(mut updates: MessageReader<project::Update>) {
//!     for update in updates.read() {
//!         if let project::Update::Drawn { shot, take, .. } = update {
//!             info!("{shot} has a new take: {take}");
//!         }
//!     }
//! }
//! ```
//!
//! An async task uses [`Illustrator`](plugin::Illustrator) instead: `illustrator.draw(&shot).await`.
//!
//! The resource [`Project`](project::Project) has the story, the storyboard, the takes and the queue. It
//! exists once [`IllustratorStatus`](plugin::IllustratorStatus) is `Ready`. [`Notices`](plugin::Notices) lists
//! problems that belong to no shot.
//!
//! # The author's panel
//!
//! With the feature `panel` (on by default) and a renderer, F2 opens the author's panel in the running game.
//! It shows every picture of the story with its state, prompt and takes, the queue, and the style.
//! [`PanelState::open`](panel::PanelState::open) opens it from code; the module [`panel`] says how to put it into
//! a dock. The game receives the panel's keys and clicks too, unless its input systems are disabled by
//! [`panel::egui_wants_any_keyboard_input`] and [`panel::egui_wants_any_pointer_input`].
//!
//! # Edits
//!
//! [`Action::Edit`](project::Action::Edit) redraws [`Part`](recipe::Part)s of a take. A part is a
//! [`Mask`](mask::Mask) with an [edit](recipe::PartEdit). All pixels outside the masks stay the same, bit for
//! bit. The result is a new take of the same shot. The panel's canvas is the interface for edits.
//!
//! # Models
//!
//! [`Style::model`](recipe::Style::model) names the model: the built-in one, or a diffusers folder of the
//! Stable Diffusion family. Any other source of pictures is a [`Generator`](generator::Generator) in
//! [`IllustratorPlugin::registry`](plugin::IllustratorPlugin::registry).
//!
//! # Modules
//!
//! The core compiles without Bevy when the feature `plugin` is off. A [`story`] is planned into the shots of
//! a [`storyboard`]. Each shot has a [`recipe`]; edits use a [`mask`]. The [`studio`] runs a [`generator`] on a
//! worker thread, and [`art`] keeps the takes. A [`project`] joins them. The Bevy modules are [`plugin`],
//! [`components`] and [`hot_swap`].
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod art;
mod candle_error;
pub mod contact_sheet;
pub mod control;
pub mod diffusion;
pub mod edit;
mod finite;
pub mod foreign;
pub mod generator;
pub mod lfs;
pub mod loss;
pub mod mask;
pub mod memory;
pub mod model;
pub mod ops;
#[cfg(feature = "panel")]
pub mod panel;
pub mod picture;
pub mod project;
pub mod prompt;
pub mod recipe;
mod ron_text;
pub mod settings;
pub mod story;
pub mod storyboard;
pub mod studio;
mod text;

#[cfg(feature = "plugin")]
pub mod components;
#[cfg(feature = "plugin")]
pub mod hot_swap;
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(feature = "plugin")]
mod schedule;
#[cfg(test)]
mod test_support;

/// The types that most games use.
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
