//! `illustrate render`.

use super::*;

#[test]
fn a_second_run_draws_nothing_and_touches_no_file() {
    let desk = Desk::new(STORY);
    let drawn = desk.render(&[]).drawn();
    assert_eq!(drawn.len(), 4);
    assert!(desk.states().values().all(|state| state == "drafted"), "{:?}", desk.states());
    let before = desk.pictures();
    assert_eq!(before.len(), 8, "a take and the picture that the game shows, four times");

    let again = desk.render(&[]);
    assert_eq!(again.drawn(), [""; 0]);
    assert_eq!(again.json()["kept"], 4);
    assert_eq!(desk.pictures(), before);
    let words = desk.run(&[&["render", "two.story.ron"], &QUICK[..]].concat());
    assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).starts_with("Nothing to draw"));
}

#[test]
fn a_changed_line_redraws_exactly_what_depends_on_it() {
    let desk = Desk::new(STORY);
    let shots = desk.render(&[]).drawn();
    let before = desk.pictures();

    desk.write(&STORY.replace("It is open.", "It stands open."));
    assert_eq!(desk.render(&[]).drawn(), [""; 0], "no picture shows what is said");

    desk.write(&STORY.replace(r#""happy""#, r#""sad""#));
    let sad = desk.render(&[]).drawn();
    assert_eq!(sad.len(), 1);
    assert!(sad[0].contains("mira") && sad[0].contains("sad"), "{sad:?}");
    assert!(!shots.contains(&sad[0]));
    for (path, time) in before.iter().filter(|(path, _)| path.starts_with("takes")) {
        assert_eq!(desk.pictures().get(path), Some(time), "finished takes are kept");
    }

    desk.write(&STORY.replace("at night", "in the morning"));
    let states = desk.states();
    let stale: Vec<_> = states.iter().filter(|(_, state)| *state != "drafted").collect();
    assert_eq!(stale.len(), 1, "{states:?}");
    assert!(stale[0].0.starts_with("background-studio"), "{states:?}");
}

#[test]
fn other_options_draw_anew_once_and_keep_what_was_there() {
    let desk = Desk::new(STORY);
    let shot = desk.render(&[]).drawn().remove(0);
    let before = desk.pictures();
    let other = ["--shot", &shot, "--seed", "5", "--guidance", "2", "--scheduler", "euler"];
    assert_eq!(desk.render(&other).drawn(), [shot.as_str()]);
    assert_eq!(desk.render(&other).drawn(), [""; 0]);
    let plain = ["--shot", &shot, "--guidance-rescale", "0"];
    assert_eq!(desk.render(&plain).drawn(), [shot.as_str()]);
    assert_eq!(desk.render(&[]).drawn(), [""; 0], "the first pictures are there still");
    assert_eq!(desk.pictures().len(), before.len() + 2);
}

#[test]
fn shots_takes_and_force_choose_what_is_drawn() {
    let desk = Desk::new(STORY);
    let plan = desk.states();
    let mut ids = plan.keys();
    let (first, second) = (ids.next().unwrap().clone(), ids.next().unwrap().clone());
    let both = ["--shot", &second, "--shot", &first, "--shot", &second];
    let mut drawn = desk.render(&both).drawn();
    drawn.sort();
    assert_eq!(drawn, [first.as_str(), second.as_str()]);

    let three = ["--shot", &first, "--takes", "3"];
    assert_eq!(desk.render(&three).drawn(), [first.as_str(); 2], "one of three was there");
    assert_eq!(desk.render(&three).drawn(), [""; 0]);
    assert_eq!(desk.render(&["--shot", &first, "--force"]).drawn(), [first.as_str()]);

    let takes = desk.path("illustrations/two/takes").join(&first);
    let takes: Vec<_> = takes.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(takes.len(), 4);
    let pixels: Vec<_> = takes.iter().map(|path| image::open(path).unwrap().into_rgba8()).collect();
    assert!((1..4).all(|n| !pixels[..n].contains(&pixels[n])), "each take is another picture");
    assert!(pixels.iter().all(|picture| picture.dimensions() == (64, 64)));
}

#[test]
fn pictures_land_in_the_folder_where_the_game_looks_for_them() {
    let desk = Desk::new(STORY);
    let stories = desk.path("assets/stories");
    fs::create_dir_all(&stories).unwrap();
    fs::rename(desk.path("two.story.ron"), stories.join("two.story.ron")).unwrap();
    let shot = ["--shot", "item-key"];
    let story = "assets/stories/two.story.ron";
    desk.run(&[&["render", story], &QUICK[..], &shot].concat()).exits(0);
    assert!(desk.path("assets/illustrations/two/pictures/item-key.png").exists());
}

#[test]
fn a_run_that_is_killed_leaves_whole_pictures_and_the_next_one_goes_on() {
    let desk = Desk::new(STORY);
    let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "30"];
    let mut run = desk.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a first picture", || {
        let takes =
            desk.pictures().keys().filter(|path| path.to_string_lossy().contains("takes")).count();
        takes >= 1 || run.try_wait().unwrap().is_some()
    });
    run.kill().unwrap();
    assert!(!run.wait().unwrap().success(), "it was still drawing");
    let whole = desk.pictures();
    assert!(!whole.is_empty());
    for path in whole.keys() {
        assert!(image::open(path).is_ok(), "{path:?} is whole");
    }
    let next = desk.run(&[&slow[..], &["--json"]].concat()).json();
    let kept = next["kept"].as_u64().unwrap();
    assert!(kept >= 1, "what was finished is not drawn again: {next}");
    assert_eq!(kept + next["drawn"].as_array().unwrap().len() as u64, 4);
    for (path, time) in &whole {
        assert_eq!(desk.pictures().get(path), Some(time), "{path:?} was left alone");
    }
}
