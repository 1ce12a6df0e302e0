//! How long a frame of a game takes, with and without drawing beside it.
//!
//! ```sh
//! cargo bench --bench frame_time --profile dev
//! ```
//!
//! A game without a window, with everything of Bevy's but the graphics adapter, shows a scene with a
//! text box and runs at 60 frames a second: first while nothing is drawn, then while the built-in
//! model draws on the worker thread. `work` is what a frame computes, `interval` the time from the
//! start of one to the start of the next. (`--profile dev` measures what `cargo run` gives, and does
//! not compile Bevy once more.)

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

/// The time from frame to frame at 60 frames a second.
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// How many scenes there are to draw: more than the measurement takes.
const SCENES: usize = 400;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let frames = if measuring { 1200 } else { 30 };
    let art_folder = tempfile::TempDir::new().expect("a temporary folder");
    let mut app = game(art_folder.path());
    run_until(&mut app, World::contains_resource::<Project>);
    run_for(&mut app, 60);

    println!("{:<18}{:>8}{:^36}{:^36}", "", "", "work, ms", "interval, ms");
    println!(
        "{:<18}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "frames", "median", "p95", "p99", "most", "median", "p95", "p99", "most"
    );
    row("nothing is drawn", run_for(&mut app, frames));

    app.world_mut().write_message(Request::new(Action::DrawNeeded));
    // The model is loaded with the first picture.
    run_until(&mut app, |world| drawn(world) > 0);
    let before = drawn(app.world());
    row("while drawing", run_for(&mut app, frames));
    let pictures = drawn(app.world()) - before;
    println!("{pictures} pictures were drawn in {:.1} s", FRAME.as_secs_f64() * frames as f64);
}

/// A game without a window: a full-size picture, a text box, a portrait.
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
    .add_systems(Startup, (tell_the_story, set_the_stage));
    app.finish();
    app.cleanup();
    app
}

fn tell_the_story(mut commands: Commands) {
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

fn set_the_stage(mut commands: Commands) {
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

/// How many pictures there are.
fn drawn(world: &World) -> usize {
    world.get_resource::<Project>().map_or(0, |project| project.art().shots().count())
}

/// Runs frames until something holds.
fn run_until(app: &mut App, holds: impl Fn(&World) -> bool) {
    let end = Instant::now() + Duration::from_secs(300);
    while !holds(app.world()) {
        assert!(Instant::now() < end, "{:?}", app.world().resource::<IllustratorStatus>());
        run_for(app, 1);
    }
}

/// Runs so many frames, and returns work and interval of each.
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
        // What was late is not made up for by frames that follow one another at once.
        if start > due + FRAME {
            due = start;
        }
    }
    [work, interval]
}

/// Prints median, 95th and 99th percentile, and the most.
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
