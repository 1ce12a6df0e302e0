//! Runs the command line and checks its files, output and exit codes.
#![cfg(feature = "cli")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
#[path = "../../src/test_support/copy_folder.rs"]
mod copy_folder;
mod draw;
mod edit;
mod enlarged;
mod fetch;
#[cfg(unix)]
mod foreign_files;
mod foreign_text;
#[cfg(unix)]
mod kept_files;
mod models;
#[cfg(unix)]
mod outputs;
mod pictures;
mod plan;
mod render;
mod shown_edits;
mod sprites;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant, SystemTime},
};

use copy_folder::copy_folder;
use serde_json::Value;

/// Few steps and small pictures keep the tests fast.
const QUICK: [&str; 4] = ["--steps", "2", "--size", "64x64"];

const STORY: &str = r#"(
    title: "Two rooms",
    characters: [(id: "mira", name: "Mira", looks: "a painter with red hair")],
    places: [
        (id: "studio", name: "Studio", looks: "a painter's studio"),
        (id: "shore", name: "Shore", looks: "a lighthouse on a shore"),
    ],
    items: [(id: "key", name: "Key", looks: "a brass key")],
    scenes: [
        (id: "one", place: "studio", time: "at night", lines: [
            (speaker: "mira", text: "It is open.", expression: "happy"),
            (text: "A key lies there.", item: "key"),
        ], exits: [(to: "two")]),
        (id: "two", place: "shore", time: "at dawn", lines: [(text: "The sea.")], ending: "The sea"),
    ],
)"#;

/// A temporary folder with a story file.
struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    fn new(story: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Self { folder };
        workspace.write_story(story);
        workspace
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_story(&self, story: &str) {
        fs::write(self.path("two.story.ron"), story).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_illustrate"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command.env("BEVY_ILLUSTRATOR_CONFIG", self.path(".config"));
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// Runs `render two.story.ron --json` with [`QUICK`] and more options.
    fn render(&self, more: &[&str]) -> Run {
        self.run(&[&["render", "two.story.ron", "--json"], &QUICK[..], more].concat())
    }

    /// The state of every shot, planned with the options of [`Self::render`].
    fn states(&self) -> BTreeMap<String, String> {
        let plan = [&["plan", "two.story.ron", "--json"], &QUICK[..]].concat();
        let shots = self.run(&plan).json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (shots.as_array().unwrap().iter())
            .map(|shot| (text(&shot["id"]), text(&shot["state"])))
            .collect()
    }

    /// Every picture in the art folder, with its modification time.
    fn pictures(&self) -> BTreeMap<PathBuf, SystemTime> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, SystemTime>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else if path.extension().is_some_and(|extension| extension == "png") {
                    found.insert(path.clone(), path.metadata().unwrap().modified().unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.path("illustrations/two"), &mut found);
        found
    }
}

struct Run(Output);

impl Run {
    #[track_caller]
    fn exits(&self, code: i32) -> &Self {
        let (out, err) = (String::from_utf8_lossy(&self.0.stdout), self.error());
        assert_eq!(self.0.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
        self
    }

    /// Asserts exit code 1 and that stderr contains all of these words. Returns stderr.
    #[track_caller]
    fn fails_with(&self, words: &[&str]) -> String {
        let error = self.exits(1).error();
        for word in words {
            assert!(error.contains(word), "`{word}` in:\n{error}");
        }
        assert!(!error.contains("panicked"), "{error}");
        error
    }

    fn error(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        self.exits(0);
        serde_json::from_slice(&self.0.stdout).unwrap()
    }

    /// The shots drawn by `render --json`, in order.
    #[track_caller]
    fn drawn(&self) -> Vec<String> {
        let drawn = self.json()["drawn"].as_array().unwrap().clone();
        drawn.iter().map(|take| take["shot"].as_str().unwrap().to_owned()).collect()
    }
}

/// Waits until a condition holds, for at most a minute.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: waited for a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_guide_contains_the_minimal_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/minimal.rs")).unwrap();
    let code = example.split_once("\n\n").unwrap().1;
    let guide = fs::read_to_string(root.join("docs/developers.md")).unwrap();
    assert!(guide.contains(&format!("```rust,no_run\n{code}```")), "copy examples/minimal.rs");
}
