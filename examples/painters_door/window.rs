//! The game in a window.

use std::time::Duration;

use bevy::{
    prelude::*,
    render::{RenderPlugin, renderer::RenderAdapterInfo},
    window::{PresentMode, WindowResolution},
    winit::{UpdateMode, WinitSettings},
};
use bevy_illustrator::plugin::IllustratorPlugins;

use crate::{Args, autoplay::AutoplayPlugin, frames::FramesPlugin, novel::NovelPlugin};

/// The maximum frame rate with a graphics adapter.
const FRAMES: f64 = 60.0;
/// The maximum frame rate with a software renderer.
const FRAMES_WITHOUT_GPU: f64 = 24.0;

/// Runs the game in a window until it is closed.
pub fn run(args: &Args) -> AppExit {
    let window = Window {
        title: "The Painter's Door".to_owned(),
        name: Some("painters_door".to_owned()),
        resolution: WindowResolution::new(1280, 720),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    let mut app = App::new();
    // Otherwise a canvas would be missing until its shader is compiled.
    let render = RenderPlugin { synchronous_pipeline_compilation: true, ..default() };
    app.add_plugins(
        DefaultPlugins.set(WindowPlugin { primary_window: Some(window), ..default() }).set(render),
    )
    .insert_resource(limit_frame_rate(FRAMES))
    .add_systems(Startup, limit_software_rendering)
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

/// Limits the frame rate.
fn limit_frame_rate(frames: f64) -> WinitSettings {
    let mode = UpdateMode::reactive(Duration::from_secs_f64(1.0 / frames));
    WinitSettings { focused_mode: mode, unfocused_mode: mode }
}

/// Lowers the frame rate with a software renderer, which shares the processor with the worker.
fn limit_software_rendering(adapter: Res<RenderAdapterInfo>, mut settings: ResMut<WinitSettings>) {
    if adapter.device_type == wgpu::DeviceType::Cpu {
        *settings = limit_frame_rate(FRAMES_WITHOUT_GPU);
    }
}
