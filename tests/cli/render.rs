//! `illustrate render`.

use super::*;

#[test]
fn a_second_run_draws_nothing_and_writes_no_file() {
    let workspace = Workspace::new(STORY);
    let drawn = workspace.render(&[]).drawn();
    assert_eq!(drawn.len(), 4);
    assert!(
        workspace.states().values().all(|state| state == "drafted"),
        "{:?}",
        workspace.states()
    );
    let before = workspace.pictures();
    assert_eq!(before.len(), 8, "a take and a published picture for each shot");

    let again = workspace.render(&[]);
    assert_eq!(again.drawn(), [""; 0]);
    assert_eq!(again.json()["kept"], 4);
    assert_eq!(workspace.pictures(), before);
    let words = workspace.run(&[&["render", "two.story.ron"], &QUICK[..]].concat());
    assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).starts_with("Nothing to draw"));
}

#[test]
fn a_changed_line_redraws_only_the_shots_that_depend_on_it() {
    let workspace = Workspace::new(STORY);
    let shots = workspace.render(&[]).drawn();
    let before = workspace.pictures();

    workspace.write_story(&STORY.replace("It is open.", "The door is open."));
    assert_eq!(workspace.render(&[]).drawn(), [""; 0], "no picture depends on dialogue");

    workspace.write_story(&STORY.replace(r#""happy""#, r#""sad""#));
    let sad = workspace.render(&[]).drawn();
    assert_eq!(sad.len(), 1);
    assert!(sad[0].contains("mira") && sad[0].contains("sad"), "{sad:?}");
    assert!(!shots.contains(&sad[0]));
    for (path, time) in before.iter().filter(|(path, _)| path.starts_with("takes")) {
        assert_eq!(workspace.pictures().get(path), Some(time), "finished takes are kept");
    }

    workspace.write_story(&STORY.replace("at night", "in the morning"));
    let states = workspace.states();
    let stale: Vec<_> = states.iter().filter(|(_, state)| *state != "drafted").collect();
    assert_eq!(stale.len(), 1, "{states:?}");
    assert!(stale[0].0.starts_with("background-studio"), "{states:?}");
}

#[test]
fn other_options_draw_new_takes_once_and_keep_the_old_ones() {
    let workspace = Workspace::new(STORY);
    let shot = workspace.render(&[]).drawn().remove(0);
    let before = workspace.pictures();
    let other = ["--shot", &shot, "--seed", "5", "--guidance", "2", "--scheduler", "euler"];
    assert_eq!(workspace.render(&other).drawn(), [shot.as_str()]);
    assert_eq!(workspace.render(&other).drawn(), [""; 0]);
    let plain = ["--shot", &shot, "--guidance-rescale", "0"];
    assert_eq!(workspace.render(&plain).drawn(), [shot.as_str()]);
    assert_eq!(workspace.render(&[]).drawn(), [""; 0], "the first takes still exist");
    assert_eq!(workspace.pictures().len(), before.len() + 2);
}

#[test]
fn the_options_shot_takes_and_force_select_the_drawn_pictures() {
    let workspace = Workspace::new(STORY);
    let plan = workspace.states();
    let mut ids = plan.keys();
    let (first, second) = (ids.next().unwrap().clone(), ids.next().unwrap().clone());
    let both = ["--shot", &second, "--shot", &first, "--shot", &second];
    let mut drawn = workspace.render(&both).drawn();
    drawn.sort();
    assert_eq!(drawn, [first.as_str(), second.as_str()]);

    let three = ["--shot", &first, "--takes", "3"];
    assert_eq!(
        workspace.render(&three).drawn(),
        [first.as_str(); 2],
        "one of three already existed"
    );
    assert_eq!(workspace.render(&three).drawn(), [""; 0]);
    assert_eq!(workspace.render(&["--shot", &first, "--force"]).drawn(), [first.as_str()]);

    let takes = workspace.path("illustrations/two/takes").join(&first);
    let takes: Vec<_> = takes.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(takes.len(), 4);
    let pixels: Vec<_> = takes.iter().map(|path| image::open(path).unwrap().into_rgba8()).collect();
    assert!((1..4).all(|n| !pixels[..n].contains(&pixels[n])), "each take differs");
    assert!(pixels.iter().all(|picture| picture.dimensions() == (64, 64)));
}

#[test]
fn pictures_are_saved_in_the_folder_that_the_game_reads() {
    let workspace = Workspace::new(STORY);
    let stories = workspace.path("assets/stories");
    fs::create_dir_all(&stories).unwrap();
    fs::rename(workspace.path("two.story.ron"), stories.join("two.story.ron")).unwrap();
    let shot = ["--shot", "item-key"];
    let story = "assets/stories/two.story.ron";
    workspace.run(&[&["render", story], &QUICK[..], &shot].concat()).exits(0);
    assert!(workspace.path("assets/illustrations/two/pictures/item-key.png").exists());
}

#[test]
fn a_killed_run_leaves_complete_pictures_and_the_next_run_continues() {
    let workspace = Workspace::new(STORY);
    let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "30"];
    let mut run =
        workspace.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a first picture", || {
        let takes = workspace
            .pictures()
            .keys()
            .filter(|path| path.to_string_lossy().contains("takes"))
            .count();
        takes >= 1 || run.try_wait().unwrap().is_some()
    });
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success(), "it was still drawing");
    let complete = workspace.pictures();
    assert!(!complete.is_empty());
    for path in complete.keys() {
        assert!(image::open(path).is_ok(), "{path:?} is complete");
    }
    let next = workspace.run(&[&slow[..], &["--json"]].concat()).json();
    let kept = next["kept"].as_u64().unwrap();
    assert!(kept >= 1, "finished pictures are not drawn again: {next}");
    assert_eq!(kept + next["drawn"].as_array().unwrap().len() as u64, 4);
    for (path, time) in &complete {
        assert_eq!(workspace.pictures().get(path), Some(time), "{path:?} is unchanged");
    }
}

#[test]
fn the_words_of_a_style_count_however_long_the_looks_are() {
    let garments = ["a red coat", "a blue scarf", "brown boots", "a grey hat"].join(", ");
    let looks = [garments.as_str(); 9].join(", ");
    let drawn = |style: &str| {
        let story = STORY.replace("a brass key", &looks).replace(
            r#"title: "Two rooms","#,
            &format!(r#"title: "t", style: (words: "{style}"),"#),
        );
        let workspace = Workspace::new(&story);
        workspace.render(&["--shot", "item-key"]).exits(0);
        image::open(workspace.path("illustrations/two/pictures/item-key.png")).unwrap().into_rgb8()
    };
    assert_ne!(drawn("flat colours"), drawn("charcoal drawing"));
}
