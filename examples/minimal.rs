//! The smallest game that illustrates itself. The story is in components; the game names no picture file.
//!
//! ```sh
//! cargo run --example minimal
//! ```

use bevy::prelude::*;
use bevy_illustrator::{prelude::*, story::Scene};

fn main() {
    App::new()
        .add_plugins(DefaultPlugins)
        .add_plugins(IllustratorPlugins)
        .add_systems(Startup, (spawn_story, spawn_stage))
        .run();
}

/// Spawns the story: a place, a character, and a scene with one line.
fn spawn_story(mut commands: Commands) {
    commands.spawn(Place {
        id: "shore".into(),
        looks: "a red lighthouse by the sea".into(),
        ..default()
    });
    commands.spawn(Character {
        id: "mira".into(),
        name: "Mira".into(),
        looks: "a woman with red hair and a green coat".into(),
        ..default()
    });
    commands.spawn((
        Scene { id: "arrival".into(), place: "shore".into(), time: "at dusk".into(), ..default() },
        children![Line {
            speaker: Some("mira".into()),
            text: "So this is where the light comes from.".into(),
            expression: Some("curious".into()),
            ..default()
        }],
    ));
}

/// Spawns the nodes that show the pictures: the background fills the window, the portrait is in the lower left corner.
///
/// Both are children of one root, because a root draws its children in order. The order between two roots
/// is undefined unless they have a `GlobalZIndex`.
fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    let fill = Node {
        position_type: PositionType::Absolute,
        width: percent(100),
        height: percent(100),
        ..default()
    };
    let corner = Node {
        position_type: PositionType::Absolute,
        bottom: px(0),
        width: px(320),
        height: px(320),
        ..default()
    };
    let stretched = ImageNode::default().with_mode(NodeImageMode::Stretch);
    commands.spawn((
        fill.clone(),
        children![
            (fill, stretched, Illustration::background("arrival")),
            (corner, ImageNode::default(), Illustration::portrait("mira", "curious")),
        ],
    ));
}
