//! Control characters in text of strangers.

use super::*;

/// Clears the screen, sets the window's title, and reverses the order of letters.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}2K\u{202e}";

/// Asserts that no stream has control characters except line ends, and returns both.
#[track_caller]
fn harmless(run: &Run) -> String {
    let text = String::from_utf8_lossy(&run.0.stdout).into_owned() + &run.error();
    let harmless = |letter: char| letter == '\n' || !letter.is_control() && letter != '\u{202e}';
    assert!(text.chars().all(harmless), "{text:?}");
    text
}

#[test]
fn a_story_cannot_control_the_terminal() {
    let story = STORY
        .replace("a painter's studio", &format!("a studio{EVIL}"))
        .replace("speaker: \"mira\"", &format!("speaker: \"mira{EVIL}\\nerror: fake\""));
    let workspace = Workspace::new(&story);
    let faults = harmless(workspace.run(&["plan", "two.story.ron"]).exits(1));
    assert!(faults.contains("mira\\u{1b}[2J"), "{faults}");
    assert!(!faults.contains("\nerror: fake"), "{faults}");

    let workspace =
        Workspace::new(&STORY.replace("a painter's studio", &format!("a studio{EVIL}")));
    let table = harmless(workspace.run(&["plan", "two.story.ron"]).exits(0));
    assert!(table.contains("a studio\\u{1b}[2J"), "{table}");
    let run = workspace.run(&["plan", "two.story.ron", "--json"]);
    harmless(&run);
    let shots = run.json();
    let prompts = shots.as_array().unwrap().iter().map(|shot| shot["prompt"].as_str().unwrap());
    assert!(prompts.into_iter().any(|prompt| prompt.contains(EVIL)), "JSON has the same values");
}

#[test]
fn a_model_cannot_control_the_terminal() {
    let workspace = Workspace::new(STORY);
    fs::create_dir(workspace.path("model")).unwrap();
    let json = Value::from(format!("{EVIL}\nIt runs here."));
    let index = format!("{{\"_class_name\": {json}, \"unet\": [{json}, {json}]}}");
    fs::write(workspace.path("model/model_index.json"), index).unwrap();
    fs::write(workspace.path("model/LICENSE"), format!("MIT{EVIL}\u{2028}")).unwrap();
    let run = workspace.run(&["models", "inspect", "model"]);
    let text = harmless(run.exits(1));
    assert!(text.contains("Licence: MIT\\u{1b}[2J") && !text.contains("\nIt runs here."), "{text}");
    harmless(&workspace.run(&["models", "inspect", "model", "--json"]));
    harmless(workspace.render(&["--model", "model"]).exits(1));
}

#[cfg(unix)]
#[test]
fn a_file_name_cannot_control_the_terminal() {
    let workspace = Workspace::new(STORY);
    let name = format!("{EVIL}\nfake.png");
    let png = image::RgbaImage::new(8, 8);
    png.save(workspace.path(&name)).unwrap();
    for args in [
        &["models", "inspect", &name][..],
        &["plan", &name],
        &["replay", "--picture", &name, "--out", "a.png"],
        &["select", "--picture", &name, "--point", "9,9", "--out", &name],
        &["draw", "--prompt", "a key", "--model", &name, "--out", "a.png"],
    ] {
        let text = harmless(workspace.run(args).exits(1));
        assert!(!text.contains("\nfake"), "{text}");
    }
    for args in [&["plan", "two.story.ron", &name][..], &[&name], &["render", "--steps", &name]] {
        harmless(workspace.run(args).exits(2));
    }
}
