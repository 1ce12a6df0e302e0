//! Measures how long actions on a long queue block the main thread.
//!
//! ```sh
//! cargo bench --bench queue --profile dev
//! ```
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::time::Instant;

use bevy_illustrator::{
    project::{Action, Project},
    storyboard::ShotWords,
};

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let sizes: &[usize] = if measuring { &[1250, 2500, 5000] } else { &[50] };
    println!(
        "{:>6} {:>10} {:>10} {:>10} {:>13} {:>14}",
        "shots", "queue, ms", "poll, ms", "states, ms", "set words, ms", "cancel all, ms"
    );
    for &shots in sizes {
        let folder = tempfile::tempdir().unwrap();
        let registry = common::Fakes::default().registry();
        let mut project =
            Project::open(common::long_story(shots), folder.path(), registry).unwrap();
        project.apply(Action::Pause(true));
        let queue = milliseconds(|| _ = project.apply(Action::DrawNeeded));
        let poll = milliseconds(|| drop(project.poll()));
        let ids: Vec<_> = project.board().shots().iter().map(|shot| shot.id.clone()).collect();
        let states = milliseconds(|| {
            for id in &ids {
                std::hint::black_box(project.state(id));
            }
        });
        let words = ShotWords { words: Some("x".to_owned()), ..ShotWords::default() };
        let set_words = Action::SetWords { shot: ids[shots / 2].clone(), words };
        let set_words = milliseconds(|| _ = project.apply(set_words));
        let cancel = milliseconds(|| _ = project.apply(Action::CancelAll));
        println!(
            "{shots:>6} {queue:>10.2} {poll:>10.2} {states:>10.2} {set_words:>13.2} {cancel:>14.2}"
        );
    }
}

fn milliseconds(action: impl FnOnce()) -> f64 {
    let started = Instant::now();
    action();
    started.elapsed().as_secs_f64() * 1e3
}
