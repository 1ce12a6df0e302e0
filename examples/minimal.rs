//! The smallest game that illustrates itself: its story stands in components, and no picture file is
//! named anywhere.
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
        .add_systems(Startup, (tell_the_story, set_the_stage))
        .run();
}

/// What the story is: a place, somebody, and a scene in which a line is spoken.
fn tell_the_story(mut commands: Commands) {
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

/// Where its pictures belong: one fills the window, one stands in the corner.
fn set_the_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    let fill = Node { width: percent(100), height: percent(100), ..default() };
    let corner = Node {
        position_type: PositionType::Absolute,
        bottom: px(0),
        width: px(320),
        height: px(320),
        ..default()
    };
    let stretched = ImageNode::default().with_mode(NodeImageMode::Stretch);
    commands.spawn((fill, stretched, Illustration::background("arrival")));
    commands.spawn((corner, ImageNode::default(), Illustration::portrait("mira", "curious")));
}
