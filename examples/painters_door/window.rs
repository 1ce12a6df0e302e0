//! The game in a window.

use std::time::Duration;

use bevy::{
    prelude::*,
    render::RenderPlugin,
    window::{PresentMode, WindowResolution},
    winit::{UpdateMode, WinitSettings},
};
use bevy_illustrator::plugin::IllustratorPlugins;

use crate::{Args, autoplay::AutoplayPlugin, frames::FramesPlugin, novel::NovelPlugin};

/// A novel needs no more frames than this.
const FRAMES_PER_SECOND: f64 = 60.0;

/// Plays the novel in a window until it is closed.
pub fn run(args: &Args) -> AppExit {
    let window = Window {
        title: "The Painter's Door".to_owned(),
        name: Some("painters_door".to_owned()),
        resolution: WindowResolution::new(1280, 720),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let pace = UpdateMode::reactive(Duration::from_secs_f64(1.0 / FRAMES_PER_SECOND));
    let mut app = App::new();
    // A canvas whose shader is not compiled yet would be missing from the screen for a moment.
    let render = RenderPlugin { synchronous_pipeline_compilation: true, ..default() };
    app.add_plugins(
        DefaultPlugins.set(WindowPlugin { primary_window: Some(window), ..default() }).set(render),
    )
    .insert_resource(WinitSettings { focused_mode: pace, unfocused_mode: pace })
    .insert_resource(ClearColor(Color::BLACK))
    .add_plugins(IllustratorPlugins.set(args.illustrator()))
    .add_plugins(NovelPlugin);
    if args.play {
        app.add_plugins(AutoplayPlugin);
    }
    if let Some(file) = &args.frames {
        app.add_plugins(FramesPlugin { file: file.clone() });
    }
    app.run()
}
