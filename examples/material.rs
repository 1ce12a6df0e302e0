//! A material that shows an illustration: a turning disc with the lantern on it.
//!
//! A material keeps the texture that it was prepared with. `hot_swap_material` prepares it again if a new picture has
//! another size.
//!
//! ```sh
//! cargo run --example material
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .hot_swap_material::<ColorMaterial>()
        .add_systems(Startup, (common::write_story, spawn_disc))
        .add_systems(Update, turn)
        .run()
}

fn spawn_disc(
    mut commands: Commands,
    illustrations: Res<Illustrations>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<ColorMaterial>>,
) -> Result {
    let lantern = illustrations.handle(&ShotId::new("item-lantern")?);
    commands.spawn(Camera2d);
    commands.spawn((
        Mesh2d(meshes.add(Circle::new(240.0))),
        MeshMaterial2d(materials.add(lantern)),
        Turns,
    ));
    Ok(())
}

#[derive(Component)]
struct Turns;

fn turn(time: Res<Time>, mut discs: Query<&mut Transform, With<Turns>>) {
    for mut transform in &mut discs {
        transform.rotate_z(0.5 * time.delta_secs());
    }
}
