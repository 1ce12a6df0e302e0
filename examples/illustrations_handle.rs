//! Handles of pictures, for code that needs a `Handle<Image>`: an inventory of the items that the player carries.
//!
//! `Illustrations::handle` returns the handle of a shot. It stays the same while the image behind it changes from a
//! placeholder to the picture, and then to each later version.
//!
//! ```sh
//! cargo run --example illustrations_handle
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .init_resource::<Inventory>()
        .add_systems(Startup, (common::write_story, spawn_inventory, find_lantern))
        .add_systems(Update, show_inventory.run_if(resource_changed::<Inventory>))
        .run()
}

/// The ids of the items that the player carries.
#[derive(Resource, Default)]
struct Inventory(Vec<String>);

/// The node that holds a slot for each item.
#[derive(Component)]
struct Slots;

fn spawn_inventory(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { padding: px(16).all(), column_gap: px(16), ..default() },
        BackgroundColor(Color::srgb(0.15, 0.12, 0.1)),
        Slots,
    ));
}

fn find_lantern(mut inventory: ResMut<Inventory>) {
    inventory.0.push("lantern".into());
}

fn show_inventory(
    mut commands: Commands,
    inventory: Res<Inventory>,
    illustrations: Res<Illustrations>,
    slots: Single<Entity, With<Slots>>,
) -> Result {
    let mut slots = commands.entity(*slots);
    slots.despawn_related::<Children>();
    for item in &inventory.0 {
        // The shot of an item is named after the item.
        let picture = illustrations.handle(&ShotId::new(format!("item-{item}"))?);
        slots.with_child((
            Node { width: px(128), height: px(128), ..default() },
            ImageNode::new(picture),
        ));
    }
    Ok(())
}
