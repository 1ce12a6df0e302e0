//! `illustrate plan`.

use super::*;

#[test]
fn json_lists_every_shot_with_prompt_size_state_and_sources() {
    let workspace = Workspace::new(STORY);
    let shots = workspace.run(&["plan", "two.story.ron", "--json"]).json();
    let shots = shots.as_array().unwrap();
    let kinds: Vec<&str> = shots.iter().map(|shot| shot["kind"].as_str().unwrap()).collect();
    for (kind, count) in [("background", 2), ("portrait", 1), ("item", 1), ("moment", 0)] {
        assert_eq!(kinds.iter().filter(|&&k| k == kind).count(), count, "{kind}: {kinds:?}");
    }
    for shot in shots {
        assert_eq!(shot["state"], "missing");
        assert!(shot["size"]["width"].as_u64() > Some(0), "{shot}");
        let pieces: Vec<&str> = (shot["sources"].as_array().unwrap().iter())
            .map(|piece| piece["words"].as_str().unwrap())
            .collect();
        assert_eq!(shot["prompt"].as_str().unwrap(), pieces.join(", "));
    }
    let studio = shots.iter().find(|shot| shot["prompt"].to_string().contains("studio"));
    assert!(studio.unwrap()["prompt"].to_string().contains("at night"));
    assert!(!workspace.path("illustrations").exists(), "planning creates no folder");
}

#[test]
fn the_table_has_a_line_per_shot_and_a_total() {
    let run = Workspace::new(STORY).run(&["plan", "two.story.ron"]);
    let table = String::from_utf8(run.exits(0).0.stdout.clone()).unwrap();
    assert_eq!(table.lines().count(), 5);
    assert_eq!(table.lines().last(), Some("4 pictures: 4 missing"));
}

#[test]
fn an_unreachable_scene_is_a_warning() {
    let lonely = STORY.replace(r#"exits: [(to: "two")]"#, r#"ending: "Here""#);
    let run = Workspace::new(&lonely).run(&["plan", "two.story.ron"]);
    let error = run.exits(0).error();
    assert!(error.starts_with("warning: ") && error.contains("two"), "{error}");
}

#[test]
fn a_prompt_whose_end_is_not_drawn_is_a_warning() {
    let looks = |count: usize| STORY.replace("a lighthouse", &"a blue ".repeat(count));
    let run = Workspace::new(&looks(550)).run(&["plan", "two.story.ron"]);
    assert_eq!(run.exits(0).error(), "");
    let run = Workspace::new(&looks(601)).run(&["plan", "two.story.ron"]);
    let error = run.exits(0).error();
    assert!(error.contains("warning: background-shore") && error.contains("1200"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn faults_in_a_story_are_named_and_prevent_planning() {
    for (from, to, words) in [
        (r#"speaker: "mira""#, r#"speaker: "nora""#, ["nora", "character"]),
        (r#"id: "shore""#, r#"id: "studio""#, ["studio", "two places"]),
        (r#"id: "two""#, r#"id: "one""#, ["one", "two scenes"]),
        (r#"to: "two""#, r#"to: "three""#, ["three", "scene"]),
    ] {
        let workspace = Workspace::new(&STORY.replacen(from, to, 1));
        for command in ["plan", "render"] {
            let run = workspace.run(&[command, "two.story.ron"]);
            run.fails_with(&words);
            assert!(run.0.stdout.is_empty());
        }
    }
}

#[test]
fn of_many_or_long_faults_the_first_are_printed() {
    let scene = r#"(id: "", place: "none"),"#;
    let story = |scenes: &str| format!(r#"(title: "t", places: [], scenes: [{scenes}])"#);
    let workspace = Workspace::new(&story(&scene.repeat(1000)));
    let error =
        workspace.run(&["plan", "two.story.ron"]).fails_with(&["not a valid id", "and 1950 more"]);
    assert_eq!(error.lines().count(), 52, "{error}");
    workspace.write_story(&story(&scene.replace("none", &"x".repeat(1 << 20))));
    let error = workspace.run(&["plan", "two.story.ron"]).fails_with(&["xxx", "…"]);
    assert!(error.len() < 1 << 17, "{} bytes", error.len());
}

#[test]
fn ron_errors_have_file_line_and_column() {
    let bad = STORY.replace(r#"title: "Two rooms","#, r#"title: 12,"#);
    let error =
        Workspace::new(&bad).run(&["plan", "two.story.ron"]).fails_with(&["two.story.ron:2:"]);
    let column = error.split("two.story.ron:2:").nth(1).unwrap();
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    let column: usize = digits.parse().unwrap();
    assert!((11..=14).contains(&column), "`12` is at column 12: {error}");
}

#[test]
fn a_missing_story_is_named() {
    Workspace::new(STORY).run(&["plan", "gone.story.ron"]).fails_with(&["gone.story.ron"]);
}

/// The flag belongs to the pipe, which the command shares with the program that set it.
#[cfg(target_os = "linux")]
#[test]
fn all_of_the_output_is_written_to_a_pipe_that_does_not_block() {
    use std::io::Read;

    use rustix::fs::{OFlags, fcntl_setfl};

    let looks = ["painter's studio", "lighthouse on a shore", "painter with red hair", "brass key"];
    let long = looks
        .iter()
        .fold(STORY.to_owned(), |story, looks| story.replace(looks, &"a blue room ".repeat(680)));
    let workspace = Workspace::new(&long);
    let (mut reader, writer) = std::io::pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let mut command = workspace.command(&["plan", "two.story.ron", "--json"]);
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().unwrap();
    // It keeps the writing end open.
    drop(command);
    std::thread::sleep(Duration::from_millis(500));
    let mut json = Vec::new();
    reader.read_to_end(&mut json).unwrap();
    assert!(json.len() > 1 << 16, "more than a pipe holds");
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap().as_array().unwrap().len(), 4);
    assert!(child.wait().unwrap().success());
}
