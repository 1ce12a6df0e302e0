//! A loading bar: the number of drawn pictures, and the progress of the current one.
//!
//! The resource `Project` holds the storyboard and the queue. It exists once the story is read.
//!
//! ```sh
//! cargo run --example follow_progress
//! ```

mod common;

use bevy::prelude::*;
use bevy_illustrator::prelude::*;

fn main() -> AppExit {
    App::new()
        .add_plugins((common::default_plugins(), IllustratorPlugins))
        .add_systems(Startup, (common::write_story, spawn_bar))
        .add_systems(Update, follow_progress.run_if(resource_exists::<Project>))
        .run()
}

/// The node that grows from left to right.
#[derive(Component)]
struct Bar;

fn spawn_bar(mut commands: Commands) {
    commands.spawn(Camera2d);
    commands.spawn((
        Node {
            flex_direction: FlexDirection::Column,
            row_gap: px(8),
            padding: px(24).all(),
            ..default()
        },
        children![
            Text::new("Waiting for the story..."),
            (
                Node { width: px(480), height: px(12), ..default() },
                BackgroundColor(Color::srgb(0.2, 0.2, 0.2)),
                children![(
                    Node { width: percent(0), height: percent(100), ..default() },
                    BackgroundColor(Color::srgb(0.9, 0.7, 0.3)),
                    Bar,
                )],
            ),
        ],
    ));
}

fn follow_progress(
    project: Res<Project>,
    mut text: Single<&mut Text>,
    mut bar: Single<&mut Node, With<Bar>>,
) {
    let all = project.board().shots().len();
    let drawn = all.saturating_sub(project.needed().count());
    let mut done = drawn as f32;
    let mut line = format!("{drawn} of {all} pictures");
    if let Some(view) = project.studio().current()
        && let Some(progress) = view.progress
    {
        done += progress.done as f32 / progress.of.max(1) as f32;
        line += &format!(", drawing {}: step {} of {}", view.job.shot, progress.done, progress.of);
    }
    if text.0 != line {
        text.0 = line;
        bar.width = percent(100.0 * done / all.max(1) as f32);
    }
}
