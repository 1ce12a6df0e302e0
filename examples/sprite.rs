//! Sprites that show illustrations: a background, and a character in front of it.
//!
//! ```sh
//! cargo run --example sprite
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .add_systems(Startup, (common::write_story, spawn_stage))
        .add_systems(Update, sway)
        .run()
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Sprite { custom_size: Some(Vec2::new(1280.0, 747.0)), ..default() },
        Illustration::background("arrival"),
    ));
    // Sprites further along z are in front.
    commands.spawn((
        Sprite { custom_size: Some(Vec2::new(280.0, 360.0)), ..default() },
        Transform::from_xyz(-300.0, -120.0, 1.0),
        Illustration::portrait("mira", "curious"),
        Sways,
    ));
}

#[derive(Component)]
struct Sways;

fn sway(time: Res<Time>, mut sprites: Query<&mut Transform, With<Sways>>) {
    for mut transform in &mut sprites {
        transform.rotation = Quat::from_rotation_z(0.05 * time.elapsed_secs().sin());
    }
}
