//! The story in components: characters, places, scenes and lines on the game's own entities.
//!
//! The plugin reads the story again when a component changes. Here a second scene is spawned after a second, and
//! its background is drawn.
//!
//! ```sh
//! cargo run --example components
//! ```

mod common;

use bevy::{prelude::*, time::common_conditions::once_after_delay};
use bevy_illustrator::{
    prelude::*,
    recipe::Style,
    story::{Exit, Scene},
};
use std::time::Duration;

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(illustrator())))
        // The title, the first scene and the style are in a resource.
        .insert_resource(StoryMeta {
            title: "The two harbours".into(),
            style: Style { words: "watercolour".into(), seed: 7, ..default() },
            ..default()
        })
        .add_systems(Startup, (write_story, spawn_stage))
        .add_systems(Update, write_second_scene.run_if(once_after_delay(Duration::from_secs(1))))
        .add_systems(Update, show_second_scene.run_if(once_after_delay(Duration::from_secs(2))))
        .run()
}

/// Sets an art folder of its own, because other examples draw different pictures.
fn illustrator() -> IllustratorPlugin {
    let art_folder = Some("assets/illustrations/two_harbours".into());
    IllustratorPlugin { art_folder, ..default() }
}

fn write_story(mut commands: Commands) {
    commands.spawn(Place {
        id: "harbour".into(),
        looks: "a village by the sea".into(),
        ..default()
    });
    // Lines and exits are children of their scene, or fields of it.
    commands.spawn((
        Scene {
            id: "morning".into(),
            place: "harbour".into(),
            time: "at dawn".into(),
            ..default()
        },
        children![
            Line { text: "The boats are still asleep.".into(), ..default() },
            Line { text: "So is the baker.".into(), ..default() },
            Exit { to: "morning".into(), text: "Wait".into() },
        ],
    ));
}

fn write_second_scene(mut commands: Commands) {
    commands.spawn(Scene {
        id: "evening".into(),
        place: "harbour".into(),
        time: "at night".into(),
        ..default()
    });
}

fn show_second_scene(mut stage: Single<&mut Illustration>) {
    **stage = Illustration::background("evening");
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("morning"),
    ));
}
