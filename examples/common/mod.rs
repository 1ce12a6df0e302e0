//! Shared code of the examples: a small story, and Bevy's plugins with or without a window.
//!
//! If no window can be opened, an example draws its pictures, prints their folder, and ends.

#![allow(dead_code, reason = "no example needs all of it")]

#[path = "../painters_door/display.rs"]
mod display;

use std::time::Duration;

use bevy::{
    app::{PluginGroupBuilder, ScheduleRunnerPlugin},
    log::LogPlugin,
    prelude::*,
    render::{RenderPlugin, settings::WgpuSettings},
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_illustrator::{prelude::*, project, story::Scene};

/// Frames per second without a window.
const RATE: f64 = 60.0;
/// An example without a window ends after this many frames without a drawing.
const IDLE_FRAMES: u32 = 30;

/// Bevy's [`DefaultPlugins`], without a window and a renderer if there is no display.
pub fn default_plugins() -> PluginGroupBuilder {
    let Some(obstacle) = display::obstacle() else { return DefaultPlugins.build() };
    println!("There is {obstacle}: running without a window.");
    let window =
        WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let render = RenderPlugin {
        render_creation: WgpuSettings { backends: None, ..default() }.into(),
        ..default()
    };
    // Without a renderer, `bevy_render` logs warnings that do not matter here.
    let log = LogPlugin { filter: "warn,bevy_render=off".into(), ..default() };
    DefaultPlugins
        .build()
        .set(log)
        .disable::<WinitPlugin>()
        .set(window)
        .set(render)
        .add(ScheduleRunnerPlugin::run_loop(Duration::from_secs_f64(1.0 / RATE)))
        .add(EndWhenIdle)
}

/// A place, a character, an item, and a scene that shows them: three pictures.
pub fn write_story(mut commands: Commands) {
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
    commands.spawn(Item { id: "lantern".into(), looks: "a lantern".into(), ..default() });
    commands.spawn((
        Scene { id: "arrival".into(), place: "shore".into(), time: "at dusk".into(), ..default() },
        children![Line {
            speaker: Some("mira".into()),
            text: "So this is where the light comes from.".into(),
            expression: Some("curious".into()),
            item: Some("lantern".into()),
            ..default()
        }],
    ));
}

/// Ends the app when nothing is left to draw; with an error if a picture failed.
struct EndWhenIdle;

impl Plugin for EndWhenIdle {
    fn build(&self, app: &mut App) {
        app.add_systems(Last, end_when_idle);
    }
}

fn end_when_idle(
    status: Res<IllustratorStatus>,
    project: Option<Res<Project>>,
    mut updates: MessageReader<project::Update>,
    mut idle_frames: Local<u32>,
    mut failed: Local<bool>,
    mut exit: MessageWriter<AppExit>,
) {
    for update in updates.read() {
        match update {
            project::Update::Drawn { shot, .. } => println!("{shot} was drawn."),
            project::Update::Failed { shot, error } => {
                eprintln!("{shot} was not drawn: {error}");
                *failed = true;
            }
            _ => {}
        }
    }
    if let IllustratorStatus::Failed(reason) = &*status {
        eprintln!("{reason}");
        exit.write(AppExit::error());
    }
    let is_idle = status.is_ready() && project.as_ref().is_none_or(|project| project.is_idle());
    *idle_frames = if is_idle { *idle_frames + 1 } else { 0 };
    if *idle_frames == IDLE_FRAMES {
        if let Some(project) = project {
            println!("The pictures are in {}.", project.art().root().display());
        }
        exit.write(if *failed { AppExit::error() } else { AppExit::Success });
    }
}
