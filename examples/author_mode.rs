//! The author's panel for authors only: F2 opens it while the resource `AuthorMode` exists.
//!
//! The game ignores keys and clicks that the panel uses.
//!
//! ```sh
//! cargo run --example author_mode
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::{
    panel::{PanelState, egui_wants_any_keyboard_input},
    prelude::*,
};

fn main() -> AppExit {
    let panel = PanelPlugin::default().run_if(resource_exists::<AuthorMode>);
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins.set(panel)))
        .add_systems(Startup, (common::write_story, spawn_stage))
        .add_systems(Update, toggle_author_mode.run_if(not(egui_wants_any_keyboard_input)))
        .run()
}

/// Exists while an author plays the game.
#[derive(Resource)]
struct AuthorMode;

/// F1 enters author mode, with the panel open, and leaves it again.
fn toggle_author_mode(
    keys: Res<ButtonInput<KeyCode>>,
    author_mode: Option<Res<AuthorMode>>,
    panel: Option<ResMut<PanelState>>,
    mut commands: Commands,
) {
    if !keys.just_pressed(KeyCode::F1) {
        return;
    }
    match author_mode {
        Some(_) => commands.remove_resource::<AuthorMode>(),
        None => commands.insert_resource(AuthorMode),
    }
    if let Some(mut panel) = panel {
        panel.open = true;
    }
}

fn spawn_stage(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node { width: percent(100), height: percent(100), ..default() },
        ImageNode::default().with_mode(NodeImageMode::Stretch),
        Illustration::background("arrival"),
        children![Text::new("F1: author mode. F2: the panel.")],
    ));
}
