//! A released game: it shows the pictures in its assets and does not draw.
//!
//! `DrawPolicy::Off` starts no worker thread and no panel and writes no file. Bevy loads the pictures from the
//! folder `pictures` of the art folder. Run `cargo run --example sprite` first: it draws them.
//!
//! ```sh
//! cargo run --example ship_without_drawing
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    let finished = IllustratorPlugin { draw_policy: DrawPolicy::Off, ..default() };
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(finished)))
        .add_systems(Startup, (common::write_story, spawn_stage))
        .run()
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("arrival"),
    ));
}
