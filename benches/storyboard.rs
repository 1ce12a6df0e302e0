//! Measures the planning of short and very long stories. The time per line should be constant.
//!
//! ```sh
//! cargo bench --bench storyboard --profile dev
//! ```

use std::time::{Duration, Instant};

use bevy_illustrator::{
    story::{Character, Exit, Expression, Line, Place, Scene, Story, check::check},
    storyboard::{AuthorWords, Storyboard},
};

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if measuring { &[100, 1_000, 10_000, 100_000] } else { &[100] };
    println!(
        "{:>8} {:>8} {:>12} {:>12} {:>14}",
        "lines", "shots", "check", "plan", "plan per line"
    );
    for &lines in sizes {
        let story = story(lines);
        assert_eq!(check(&story), []);
        let checking = best_of(|| check(&story).len());
        let plan = || Storyboard::plan(&story, &story.style, &AuthorWords::new()).shots().len();
        let planning = best_of(plan);
        let (shots, per_line) = (plan(), planning / u32::try_from(lines).unwrap_or(u32::MAX));
        println!("{lines:>8} {shots:>8} {checking:>12.1?} {planning:>12.1?} {per_line:>14.1?}");
    }
}

/// The shortest of several runs, because other load only adds time.
fn best_of(mut run: impl FnMut() -> usize) -> Duration {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(run());
        start.elapsed()
    };
    (0..7).map(once).min().unwrap_or_default()
}

/// A story with 20 lines per scene, a character per 50 lines and a place per five scenes. Each scene exits to the next.
fn story(lines: usize) -> Story {
    let (scenes, cast) = (lines / 20, lines / 50);
    let places = scenes / 5;
    let expressions = ["happy", "sad", "cross"];
    let character = |at| Character {
        id: format!("character_{at}"),
        looks: format!("a girl in coat {at}"),
        expressions: expressions
            .map(|id| Expression { id: id.into(), words: format!("looking {id}") })
            .to_vec(),
        ..Character::default()
    };
    let line = |at: usize| Line {
        speaker: Some(format!("character_{}", at % cast)),
        text: "Good morning.".into(),
        expression: expressions.get(at % 4).map(|&id| id.to_owned()),
        ..Line::default()
    };
    let scene = |at: usize| Scene {
        id: format!("scene_{at}"),
        place: format!("place_{}", at % places),
        time: ["at dawn", "at night"][at % 2].into(),
        lines: (at * 20..at * 20 + 20).map(line).collect(),
        exits: (at + 1..scenes)
            .take(1)
            .map(|to| Exit { to: format!("scene_{to}"), text: String::new() })
            .collect(),
        ..Scene::default()
    };
    let place = |at| Place {
        id: format!("place_{at}"),
        looks: format!("a landscape with {at} trees"),
        ..Place::default()
    };
    Story {
        title: "A long story".into(),
        characters: (0..cast).map(character).collect(),
        places: (0..places).map(place).collect(),
        scenes: (0..scenes).map(scene).collect(),
        ..Story::default()
    }
}
