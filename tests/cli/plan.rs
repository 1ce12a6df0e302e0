//! `illustrate plan`.

use super::*;

#[test]
fn json_names_every_shot_with_prompt_size_state_and_sources() {
    let desk = Desk::new(STORY);
    let shots = desk.run(&["plan", "two.story.ron", "--json"]).json();
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
    assert!(!desk.path("illustrations").exists(), "planning makes no folder");
}

#[test]
fn the_table_has_a_line_for_each_shot_and_a_count() {
    let run = Desk::new(STORY).run(&["plan", "two.story.ron"]);
    let table = String::from_utf8(run.exits(0).0.stdout.clone()).unwrap();
    assert_eq!(table.lines().count(), 5);
    assert_eq!(table.lines().last(), Some("4 pictures: 4 missing"));
}

#[test]
fn a_scene_that_nothing_reaches_is_a_warning() {
    let lonely = STORY.replace(r#"exits: [(to: "two")]"#, r#"ending: "Here""#);
    let run = Desk::new(&lonely).run(&["plan", "two.story.ron"]);
    let error = run.exits(0).error();
    assert!(error.starts_with("warning: ") && error.contains("two"), "{error}");
}

#[test]
fn faults_in_a_story_are_named_and_nothing_is_planned() {
    for (from, to, words) in [
        (r#"speaker: "mira""#, r#"speaker: "nora""#, ["nora", "character"]),
        (r#"id: "shore""#, r#"id: "studio""#, ["studio", "two places"]),
        (r#"id: "two""#, r#"id: "one""#, ["one", "two scenes"]),
        (r#"to: "two""#, r#"to: "three""#, ["three", "scene"]),
    ] {
        let desk = Desk::new(&STORY.replacen(from, to, 1));
        for command in ["plan", "render"] {
            let run = desk.run(&[command, "two.story.ron"]);
            run.fails_with(&words);
            assert!(run.0.stdout.is_empty());
        }
    }
}

#[test]
fn bad_ron_is_told_with_file_line_and_column() {
    let bad = STORY.replace(r#"title: "Two rooms","#, r#"title: 12,"#);
    let error = Desk::new(&bad).run(&["plan", "two.story.ron"]).fails_with(&["two.story.ron:2:"]);
    let column = error.split("two.story.ron:2:").nth(1).unwrap();
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    let column: usize = digits.parse().unwrap();
    assert!((11..=14).contains(&column), "`12` stands at column 12: {error}");
}

#[test]
fn a_story_that_is_not_there_is_named() {
    Desk::new(STORY).run(&["plan", "gone.story.ron"]).fails_with(&["gone.story.ron"]);
}
