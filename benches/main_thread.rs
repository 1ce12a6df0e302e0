//! Measures the time of a stroke on the calling thread.
//!
//! ```sh
//! cargo bench --bench main_thread --profile dev
//! ```
//!
//! An author draws strokes on twelve parts of a picture of 2048x2048 pixels. Each stroke saves the marks, and the project
//! is polled once per frame. The benchmark prints the times of `Project::apply` and `Project::poll`.

use std::{
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    art::Provenance,
    generator::{GeneratorRegistry, ModelCard},
    mask::Mask,
    project::{Action, Project, Update},
    recipe::{Layer, Marks, Size, Sizes, Style},
    story::{Place, Scene, Story},
};
use image::{Rgba, RgbaImage};

const SIDE: u32 = 2048;
const PARTS: usize = 12;
const FRAME: Duration = Duration::from_millis(16);

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let strokes: usize = if measuring { 200 } else { 3 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut project = open(folder.path());
    let shot = project.board().shots()[0].clone();
    let image = RgbaImage::from_pixel(SIDE, SIDE, Rgba([90, 120, 160, 255]));
    let provenance = Provenance::now(shot.recipe.clone(), ModelCard::default(), Duration::ZERO);
    project.art().writer().write(&shot.id, &image, provenance).expect("a take");
    drop(project);
    project = open(folder.path());
    let take = project.art().takes(&shot.id)[0].id.clone();

    let part = |n: usize| {
        // Noise does not compress, so it is the worst case for the disk.
        let mask = Mask::from_fn(SIDE, SIDE, |x, y| {
            let bits = (u64::from(x) << 32 | u64::from(y)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (bits >> 56) as u8 ^ n as u8
        });
        Layer::new(format!("part {n}"), mask)
    };
    let mut marks = Marks { layers: (0..PARTS).map(part).collect(), context: None };
    let (mut applies, mut polls, mut answers) = (Vec::new(), Vec::new(), 0);
    let mut poll = |project: &mut Project, polls: &mut Vec<Duration>| {
        let began = Instant::now();
        let updates = project.poll();
        polls.push(began.elapsed());
        let answered = |update: &&Update| matches!(update, Update::Applied { result: Ok(_), .. });
        answers += updates.iter().filter(answered).count();
        answers
    };
    for n in 0..strokes {
        let edge = (n % SIDE as usize) as u32;
        marks.layers[n % PARTS].mask = Mask::from_fn(SIDE, SIDE, |x, _| u8::from(x > edge) * 255);
        let action =
            Action::SetMarks { shot: shot.id.clone(), take: take.clone(), marks: marks.clone() };
        let began = Instant::now();
        project.apply(action);
        applies.push(began.elapsed());
        thread::sleep(FRAME);
        poll(&mut project, &mut polls);
    }
    while poll(&mut project, &mut polls) < strokes {
        thread::sleep(FRAME);
    }
    println!(
        "{strokes} strokes on {PARTS} parts of {SIDE}x{SIDE} pixels, ms on the calling thread"
    );
    for (what, mut times) in [("apply", applies), ("poll", polls)] {
        times.sort();
        let at = |share: f64| {
            let last = times.len() - 1;
            times[(last as f64 * share).round() as usize].as_secs_f64() * 1000.0
        };
        println!("{what:<6} median {:.3}  p99 {:.3}  max {:.3}", at(0.5), at(0.99), at(1.0));
    }
}

/// A project with one background of [`SIDE`] by [`SIDE`] pixels.
fn open(folder: &std::path::Path) -> Project {
    let size = Size::new(SIDE, SIDE);
    let style = Style {
        sizes: Sizes {
            background: Some(size),
            portrait: Some(size),
            moment: Some(size),
            item: Some(size),
        },
        ..Style::default()
    };
    let place = Place {
        id: "shore".to_owned(),
        name: "The shore".to_owned(),
        looks: "a rocky shore".to_owned(),
        ..Place::default()
    };
    let scene = Scene { id: "dawn".to_owned(), place: "shore".to_owned(), ..Scene::default() };
    let story = Story { style, places: vec![place], scenes: vec![scene], ..Story::default() };
    Project::open(story, folder, GeneratorRegistry::default()).expect("a project")
}
