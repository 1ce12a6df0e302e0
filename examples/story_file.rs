//! The story in a text file, which an author edits without code.
//!
//! The plugin reads `assets/stories/two_rooms.story.ron`. Bevy's feature `file_watcher` reloads the file when it is
//! saved; in this example, press R instead.
//!
//! ```sh
//! cargo run --example story_file
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

/// The story, as an asset path.
const STORY: &str = "stories/two_rooms.story.ron";

fn main() -> AppExit {
    let illustrator = IllustratorPlugin { story: StoryInput::File(STORY.into()), ..default() };
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(illustrator)))
        .add_systems(Startup, spawn_stage)
        .add_systems(Update, reload)
        .run()
}

fn reload(keys: Res<ButtonInput<KeyCode>>, assets: Res<AssetServer>) {
    if keys.just_pressed(KeyCode::KeyR) {
        assets.reload(STORY);
    }
}

/// Illustrations refer to the story file by id: a scene, and a character with an expression.
fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("one"),
        children![(
            Node { width: px(224), height: px(288), ..default() },
            ImageNode::default(),
            Illustration::portrait("mira", "happy"),
        )],
    ));
}
