//! Measures a game's frame times with and without drawing in the background.
//!
//! ```sh
//! cargo bench --bench frame_time --profile dev
//! ```
//!
//! The game has no window and no graphics adapter, but all of Bevy's other plugins. It shows a scene with a text box at
//! 60 frames per second: first idle, then while the built-in model draws on the worker thread. `work` is the time that a
//! frame computes, `interval` the time from the start of one frame to the start of the next. `--profile dev` measures the
//! same build as `cargo run` and avoids compiling Bevy again.

use std::time::{Duration, Instant};

use bevy::{
    log::LogPlugin,
    prelude::*,
    render::{
        RenderPlugin,
        settings::{RenderCreation, WgpuSettings},
    },
    window::ExitCondition,
    winit::WinitPlugin,
};
use bevy_illustrator::{prelude::*, story::Scene};

/// The frame interval at 60 frames per second.
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// The number of scenes: more than can be drawn during the measurement.
const SCENES: usize = 400;

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let frames = if measuring { 1200 } else { 30 };
    let art_folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut app = game(art_folder.path());
    run_until(&mut app, World::contains_resource::<Project>);
    run_for(&mut app, 60);

    println!("{:<18}{:>8}{:^36}{:^36}", "", "", "work, ms", "interval, ms");
    println!(
        "{:<18}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "frames", "median", "p95", "p99", "max", "median", "p95", "p99", "max"
    );
    row("idle", run_for(&mut app, frames));

    app.world_mut().write_message(Request::new(Action::DrawNeeded));
    // The model is loaded with the first picture.
    run_until(&mut app, |world| drawn(world) > 0);
    let before = drawn(app.world());
    row("while drawing", run_for(&mut app, frames));
    let pictures = drawn(app.world()) - before;
    println!("drew {pictures} pictures in {:.1} s", FRAME.as_secs_f64() * frames as f64);
}

/// A game without a window.
fn game(art_folder: &std::path::Path) -> App {
    let window =
        WindowPlugin { primary_window: None, exit_condition: ExitCondition::DontExit, ..default() };
    let no_adapter = WgpuSettings { backends: None, ..default() };
    let render = RenderPlugin {
        render_creation: RenderCreation::Automatic(Box::new(no_adapter)),
        ..default()
    };
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins.set(window).set(render).disable::<WinitPlugin>().disable::<LogPlugin>(),
    )
    .add_plugins(IllustratorPlugins.set(IllustratorPlugin {
        art_folder: Some(art_folder.to_owned()),
        draw_policy: DrawPolicy::OnRequest,
        ..default()
    }))
    .add_systems(Startup, (spawn_story, spawn_scene));
    app.finish();
    app.cleanup();
    app
}

fn spawn_story(mut commands: Commands) {
    commands.spawn(Place {
        id: "shore".into(),
        looks: "a lighthouse on a rocky shore".into(),
        ..default()
    });
    for hour in 0..SCENES {
        commands.spawn(Scene {
            id: format!("scene-{hour}"),
            place: "shore".into(),
            time: format!("at hour {hour}"),
            ..default()
        });
    }
}

fn spawn_scene(mut commands: Commands) {
    commands.spawn(Camera2d);
    let fill = Node { width: percent(100), height: percent(100), ..default() };
    commands.spawn((fill, ImageNode::default(), Illustration::background("scene-0")));
    let text_box = Node {
        position_type: PositionType::Absolute,
        bottom: px(20),
        width: percent(100),
        ..default()
    };
    commands.spawn((text_box, children![Text::new("So this is where the light comes from.")]));
}

/// The number of shots with a picture.
fn drawn(world: &World) -> usize {
    world.get_resource::<Project>().map_or(0, |project| project.art().shots().count())
}

/// Runs frames until a condition holds.
fn run_until(app: &mut App, condition: impl Fn(&World) -> bool) {
    let end = Instant::now() + Duration::from_secs(300);
    while !condition(app.world()) {
        assert!(Instant::now() < end, "{:?}", app.world().resource::<IllustratorStatus>());
        run_for(app, 1);
    }
}

/// Runs `frames` frames and returns the work and interval times.
fn run_for(app: &mut App, frames: usize) -> [Vec<Duration>; 2] {
    let mut work = Vec::with_capacity(frames);
    let mut interval = Vec::with_capacity(frames);
    let mut due = Instant::now();
    let mut last = due;
    for _ in 0..frames {
        due += FRAME;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let start = Instant::now();
        app.update();
        work.push(start.elapsed());
        interval.push(start - last);
        last = start;
        // After a late frame, restart the schedule instead of running frames back to back.
        if start > due + FRAME {
            due = start;
        }
    }
    [work, interval]
}

/// Prints the median, the 95th and 99th percentile and the maximum.
fn row(what: &str, times: [Vec<Duration>; 2]) {
    print!("{what:<18}{:>8}", times[0].len());
    for mut times in times {
        times.sort_unstable();
        for share in [0.5, 0.95, 0.99, 1.0] {
            let at = ((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1;
            print!("{:>9.2}", times[at].as_secs_f64() * 1e3);
        }
    }
    println!();
}
