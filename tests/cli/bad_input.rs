//! Input of every wrong kind.

use super::*;

#[test]
fn usage_that_makes_no_sense_exits_with_2() {
    let desk = Desk::new(STORY);
    for args in [
        &["render"][..],
        &["paint"],
        &["render", "two.story.ron", "--steps", "0"],
        &["render", "two.story.ron", "--size", "big"],
        &["render", "two.story.ron", "--scheduler", "fast"],
        &["render", "two.story.ron", "--device", "abacus"],
        &["render", "two.story.ron", "--guidance", "NaN"],
        &["render", "two.story.ron", "--shot", "../x"],
        &["render", "two.story.ron", "--shot", ""],
        &["draw", "--out", "a.png"],
    ] {
        let run = desk.run(args);
        run.exits(2);
        assert!(run.error().contains("error:"), "{args:?}: {}", run.error());
    }
    assert!(desk.run(&["render", "two.story.ron", "--shot", "../x"]).error().contains("../x"));
    assert!(!desk.path("illustrations").exists());
}

#[test]
fn a_shot_that_is_not_on_the_storyboard_is_named() {
    let desk = Desk::new(STORY);
    desk.render(&["--shot", "item-crown"]).fails_with(&["item-crown", "illustrate plan"]);
    assert!(desk.pictures().is_empty());
}

#[test]
fn two_processes_cannot_draw_into_one_folder_and_the_first_goes_on() {
    let desk = Desk::new(STORY);
    let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "20"];
    let mut first =
        desk.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a first picture", || {
        !desk.pictures().is_empty() || first.try_wait().unwrap().is_some()
    });
    assert!(first.try_wait().unwrap().is_none(), "the first run still draws");
    desk.render(&[]).fails_with(&["illustrations/two", "another program"]);
    desk.run(&["plan", "two.story.ron", "--json"]).json();
    assert!(first.wait().unwrap().success());
    let takes = desk.path("illustrations/two/takes");
    assert_eq!(takes.read_dir().unwrap().count(), 4);
}

#[test]
fn an_art_folder_that_cannot_be_made_is_named() {
    let desk = Desk::new(STORY);
    fs::write(desk.path("file"), "in the way").unwrap();
    desk.render(&["--out", "file/art"]).fails_with(&["file/art"]);
}

/// `/sys` lets nobody make a folder, not even root.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_named() {
    let desk = Desk::new(STORY);
    desk.render(&["--out", "/sys/illustrations"]).fails_with(&["/sys/illustrations"]);
    let out = "/sys/a.png";
    desk.run(&[&["draw", "--prompt", "a key", "--out", out], &QUICK[..]].concat())
        .fails_with(&[out]);
}

/// A limit on the size of files stands for a full disk: the system refuses the write midway.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_the_shot_and_loses_nothing() {
    let desk = Desk::new(STORY);
    assert_eq!(desk.render(&["--shot", "item-key"]).drawn(), ["item-key"]);
    let before = desk.pictures();
    let bin = env!("CARGO_BIN_EXE_illustrate");
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec {bin} render two.story.ron --steps 2 --size 256x256"
    );
    let run = Command::new("bash").args(["-c", &script]).current_dir(desk.folder.path()).output();
    Run(run.unwrap()).fails_with(&["item-key", "illustrations/two"]);
    for (path, time) in &before {
        assert_eq!(desk.pictures().get(path), Some(time));
        assert!(image::open(path).is_ok());
    }
    assert_eq!(desk.render(&[]).drawn().len(), 3, "it goes on once there is room");
}
