//! Wrong usage, unusable folders and full disks.

use super::*;

#[test]
fn wrong_usage_exits_with_2() {
    let workspace = Workspace::new(STORY);
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
        let run = workspace.run(args);
        run.exits(2);
        assert!(run.error().contains("error:"), "{args:?}: {}", run.error());
    }
    assert!(workspace.run(&["render", "two.story.ron", "--shot", "../x"]).error().contains("../x"));
    assert!(!workspace.path("illustrations").exists());
}

#[test]
fn an_unknown_shot_is_named() {
    let workspace = Workspace::new(STORY);
    workspace.render(&["--shot", "item-crown"]).fails_with(&["item-crown", "illustrate plan"]);
    assert!(workspace.pictures().is_empty());
}

#[test]
fn a_second_process_is_refused_and_the_first_continues() {
    let workspace = Workspace::new(STORY);
    let slow = ["render", "two.story.ron", "--size", "64x64", "--steps", "20"];
    let mut first =
        workspace.command(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a first picture", || {
        !workspace.pictures().is_empty() || first.try_wait().unwrap().is_some()
    });
    assert!(first.try_wait().unwrap().is_none(), "the first run is still drawing");
    workspace.render(&[]).fails_with(&["illustrations/two", "another program"]);
    workspace.run(&["plan", "two.story.ron", "--json"]).json();
    assert!(first.wait().unwrap().success());
    let takes = workspace.path("illustrations/two/takes");
    assert_eq!(takes.read_dir().unwrap().count(), 4);
}

#[test]
fn an_art_folder_that_cannot_be_created_is_named() {
    let workspace = Workspace::new(STORY);
    fs::write(workspace.path("file"), "in the way").unwrap();
    workspace.render(&["--out", "file/art"]).fails_with(&["file/art"]);
}

/// Not even root can create a folder in `/sys`.
#[cfg(target_os = "linux")]
#[test]
fn a_read_only_folder_is_named() {
    let workspace = Workspace::new(STORY);
    workspace.render(&["--out", "/sys/illustrations"]).fails_with(&["/sys/illustrations"]);
    let out = "/sys/a.png";
    workspace
        .run(&[&["draw", "--prompt", "a key", "--out", out], &QUICK[..]].concat())
        .fails_with(&[out]);
}

/// A file size limit simulates a full disk: writing fails midway.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_the_shot_and_loses_nothing() {
    let workspace = Workspace::new(STORY);
    assert_eq!(workspace.render(&["--shot", "item-key"]).drawn(), ["item-key"]);
    let before = workspace.pictures();
    let bin = env!("CARGO_BIN_EXE_illustrate");
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec {bin} render two.story.ron --steps 2 --size 256x256"
    );
    let run =
        Command::new("bash").args(["-c", &script]).current_dir(workspace.folder.path()).output();
    Run(run.unwrap()).fails_with(&["item-key", "illustrations/two"]);
    for (path, time) in &before {
        assert_eq!(workspace.pictures().get(path), Some(time));
        assert!(image::open(path).is_ok());
    }
    assert_eq!(workspace.render(&[]).drawn().len(), 3, "drawing continues when there is space");
}
