//! Measures the memory of an open project.
//!
//! ```sh
//! cargo bench --bench memory --profile dev
//! ```
//!
//! The story has 1,000 shots of 1024x576 pixels. Each has a take, and every second take has an edit with three parts.
//! The benchmark prints the resident memory of the process above that with an empty project: after the project is opened,
//! after a game has shown 10 of the pictures, and after it has shown all of them, 10 at a time.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use bevy_illustrator::{
    art::{Art, Provenance},
    generator::{GeneratorRegistry, ModelCard},
    mask::{Area, Mask},
    project::{Project, Update},
    recipe::{EditKind, Part, PartEdit, PictureEdit, Recipe, Size, Sizes, picture_hash},
    story::Story,
    storyboard::ShotId,
};
use image::{Rgba, RgbaImage};

#[path = "../tests/common/mod.rs"]
mod common;

const SIZE: Size = Size::new(1024, 576);
const PARTS: u32 = 3;
/// The number of pictures that the game shows at the same time.
const SHOWN: usize = 10;

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let arguments: Vec<String> = std::env::args().collect();
    let measuring = arguments.iter().any(|argument| argument == "--bench");
    let shots = if measuring { 1000 } else { 20 };
    if let Some(at) = arguments.iter().position(|argument| argument == "--fill") {
        fill(&story(arguments[at + 2].parse().unwrap()), Path::new(&arguments[at + 1]));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let art = folder.path().join("art");
    // In another process, because this one would keep some of the memory that it allocates.
    let mut fill = Command::new(std::env::current_exe().unwrap());
    assert!(fill.arg("--fill").arg(&art).arg(shots.to_string()).status().unwrap().success());

    let empty = open(story(1), &folder.path().join("empty"));
    let base = resident();
    let began = Instant::now();
    let mut project = open(story(shots), &art);
    let opened = began.elapsed();
    let takes = project.board().shots().iter().flat_map(|shot| project.art().takes(&shot.id));
    let edits = takes.filter(|take| take.recipe().edit.is_some()).count();
    println!("{shots} shots of {SIZE}, {edits} edits with {PARTS} parts each");
    println!("opened in {:.2} s", opened.as_secs_f64());
    let print = |what: &str| {
        let above = resident().saturating_sub(base) as f64 / 1e6;
        println!("{what:<36} {above:>6.1} MB above an empty project");
    };
    print("open");
    let all: Vec<ShotId> = project.board().shots().iter().map(|shot| shot.id.clone()).collect();
    show(&mut project, &all[..SHOWN]);
    print("10 pictures shown");
    all.chunks(SHOWN).for_each(|shots| show(&mut project, shots));
    print("all pictures shown, 10 at a time");
    drop(empty);
}

/// Shows these pictures like a game, then drops them.
fn show(project: &mut Project, shots: &[ShotId]) {
    let mut pictures = Vec::new();
    shots.iter().for_each(|shot| project.watch(shot));
    while pictures.len() < shots.len() {
        pictures.extend(project.poll().into_iter().filter_map(|update| match update {
            Update::Picture { image, .. } => Some(image),
            _ => None,
        }));
        thread::sleep(Duration::from_millis(1));
    }
    shots.iter().for_each(|shot| project.unwatch(shot));
}

/// The resident memory of this process in bytes, as Linux reports it.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap() * 1024
}

/// Writes a take of each shot, and an edit of every second one.
fn fill(story: &Story, folder: &Path) {
    let project = open(story.clone(), folder);
    let recipes: Vec<(ShotId, Recipe)> =
        project.board().shots().iter().map(|shot| (shot.id.clone(), shot.recipe.clone())).collect();
    drop(project);
    let art = Art::open(folder).unwrap();
    let (writer, blobs) = (art.writer(), art.blobs());
    let provenance =
        |recipe: &Recipe| Provenance::now(recipe.clone(), ModelCard::default(), Duration::ZERO);
    for (n, (shot, recipe)) in (0..).zip(recipes) {
        let image = RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
            Rgba([x as u8, y as u8, n as u8, 255])
        });
        let take = writer.write(&shot, &image, provenance(&recipe)).unwrap();
        if n % 2 == 1 {
            continue;
        }
        let parts: Vec<Part> = (0..PARTS).map(|part| self::part(n, part)).collect();
        let edit = PictureEdit {
            parent: Some(take.id),
            picture: picture_hash(&image),
            parts: blobs.put_parts(&parts).unwrap(),
            ..PictureEdit::default()
        };
        let recipe = Recipe { edit: Some(edit), ..recipe };
        writer.write(&shot, &image, provenance(&recipe)).unwrap();
    }
}

/// A part of the picture `n` that differs from all others.
fn part(n: u32, part: u32) -> Part {
    let (x, y) = (n % 900, 150 * part);
    let area = Area { x, y, width: 100 + n / 900, height: 100 };
    let mask = Mask::rectangle(SIZE.width, SIZE.height, area);
    Part::new(format!("part {part}"), mask, PartEdit::new(EditKind::Refine))
}

fn story(shots: usize) -> Story {
    let mut story = common::long_story(shots);
    story.style.sizes = Sizes::all(SIZE);
    story
}

fn open(story: Story, folder: &Path) -> Project {
    Project::open(story, folder, GeneratorRegistry::default()).unwrap()
}
