//! The visual novel: its screens and its navigation.
//!
//! This module does not depend on the drawing of pictures. An entity selects its picture with
//! [`Illustration`](bevy_illustrator::components::Illustration), and the plugin shows it.

pub mod bookmark;
pub mod canvas;
pub mod choices;
pub mod ending;
pub mod flow;
pub mod frame;
pub mod intent;
pub mod menu;
pub mod notice;
pub mod page;
pub mod pictures;
pub mod preview;
pub mod priority;
pub mod reader;
pub mod scene_card;
pub mod stage;
pub mod status;
pub mod theme;
pub mod title;
pub mod typing;
pub mod wash;

use bevy::prelude::*;

/// The visual novel.
pub struct NovelPlugin;

/// The current screen.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// The story is being loaded.
    #[default]
    Waiting,
    /// The title screen.
    Title,
    /// The pages of the story.
    Reading,
}

/// Belongs to a screen, and is despawned when the screen changes.
#[derive(Component, Clone, Copy, Debug)]
pub struct On(pub Screen);

/// The phases of a frame, in order, in [`Update`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NovelSystems {
    /// Reads keys, mouse and wheel.
    Input,
    /// Reads the reader's choice in a menu.
    Menu,
    /// Moves through the story.
    Flow,
    /// Updates the screen.
    Show,
}

impl Plugin for NovelPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Screen>()
            .configure_sets(
                Update,
                (NovelSystems::Input, NovelSystems::Menu, NovelSystems::Flow, NovelSystems::Show)
                    .chain(),
            )
            .add_systems(Startup, |mut commands: Commands| {
                commands.spawn((Camera2d, Msaa::Off));
            })
            .add_systems(
                Update,
                leave_screens
                    .run_if(resource_changed::<Screen>)
                    .after(NovelSystems::Flow)
                    .before(NovelSystems::Show),
            )
            .add_plugins((
                theme::plugin,
                canvas::plugin,
                preview::plugin,
                frame::plugin,
                priority::plugin,
            ))
            .add_plugins((intent::plugin, menu::plugin, flow::plugin))
            .add_plugins((stage::plugin, page::plugin, pictures::plugin, choices::plugin))
            .add_plugins((scene_card::plugin, ending::plugin, title::plugin))
            .add_plugins((status::plugin, notice::plugin));
    }
}

/// A run condition: the screen has just changed to this one.
fn entered(screen: Screen) -> impl Fn(Res<Screen>) -> bool + Clone {
    move |current: Res<Screen>| current.is_changed() && *current == screen
}

fn leave_screens(screen: Res<Screen>, left: Query<(Entity, &On)>, mut commands: Commands) {
    for (entity, on) in &left {
        if on.0 != *screen {
            commands.entity(entity).despawn();
        }
    }
}
