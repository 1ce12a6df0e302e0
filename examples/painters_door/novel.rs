//! The visual novel: how a story looks and is read.
//!
//! Nothing in here knows how pictures come to be. It only says which picture belongs where, with
//! [`Illustration`](bevy_illustrator::components::Illustration), and the plugin does the rest.

pub mod bookmark;
pub mod canvas;
pub mod choices;
pub mod ending;
pub mod flow;
pub mod frame;
pub mod hurry;
pub mod intent;
pub mod menu;
pub mod notice;
pub mod page;
pub mod pictures;
pub mod preview;
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

/// What is on the screen.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// The story is being read from its file.
    #[default]
    Waiting,
    /// The title.
    Title,
    /// The story.
    Reading,
}

/// Belongs to a screen, and goes with it.
#[derive(Component, Clone, Copy, Debug)]
pub struct On(pub Screen);

/// What happens in a frame, in order; all in [`Update`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NovelSystems {
    /// Finds out what the reader wants.
    Input,
    /// Finds out what the reader picks from a menu.
    Menu,
    /// Moves the reader on.
    Flow,
    /// Brings the screen up to date.
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
                hurry::plugin,
            ))
            .add_plugins((intent::plugin, menu::plugin, flow::plugin))
            .add_plugins((stage::plugin, page::plugin, pictures::plugin, choices::plugin))
            .add_plugins((scene_card::plugin, ending::plugin, title::plugin))
            .add_plugins((status::plugin, notice::plugin));
    }
}

/// A run condition: this screen has just come.
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
