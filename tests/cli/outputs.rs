//! Output files, closed streams and signals.

use std::{
    collections::HashMap,
    fs::Permissions,
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    process::Child,
};

use super::*;
use candle_core::{Device, Tensor, safetensors};

const DRAW: [&str; 7] = ["draw", "--prompt", "a key", "--steps", "1", "--size", "32x32"];

impl Workspace {
    fn draw(&self, more: &[&str]) -> Run {
        self.run(&[&DRAW[..], more].concat())
    }

    /// Asserts that `draw` refuses an output path before it looks at the model.
    #[track_caller]
    fn refuses(&self, out: &str, words: &[&str]) {
        let model = ["--model", "nowhere"];
        self.draw(&[&["--out", out], &model[..]].concat()).fails_with(&[&[out], words].concat());
        let dump = ["--out", "good.png", "--dump", out];
        let is_name = words.contains(&".png");
        if !is_name {
            self.draw(&[&dump[..], &model[..]].concat()).fails_with(&[&[out], words].concat());
        }
        assert_eq!(self.unfinished(""), 0);
    }

    /// The number of temporary files in a folder.
    fn unfinished(&self, folder: &str) -> usize {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".tmp")).count()
    }

    /// Runs a program of the system, such as `mkfifo`. Returns whether it succeeded.
    fn system(&self, program: &str, args: &[&str]) -> bool {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).args(args).stderr(Stdio::null());
        command.status().unwrap().success()
    }
}

#[test]
fn folders_pipes_and_read_only_files_are_refused_before_drawing() {
    let workspace = Workspace::new(STORY);
    fs::create_dir(workspace.path("taken.png")).unwrap();
    workspace.refuses("taken.png", &["folder"]);
    assert!(workspace.system("mkfifo", &["pipe.png"]));
    workspace.refuses("pipe.png", &["pipe"]);
    assert!(workspace.path("pipe.png").metadata().unwrap().file_type().is_fifo());
    fs::write(workspace.path("mine.png"), "mine").unwrap();
    fs::set_permissions(workspace.path("mine.png"), Permissions::from_mode(0o444)).unwrap();
    workspace.refuses("mine.png", &["read-only"]);
    assert_eq!(fs::read(workspace.path("mine.png")).unwrap(), b"mine");
    symlink("loop.png", workspace.path("loop.png")).unwrap();
    workspace.refuses("loop.png", &["link"]);
    workspace.refuses("nofolder/a.png", &["No such file", "create its folder"]);
    workspace.refuses("new.png/", &["folder"]);
    workspace.refuses("new.png/.", &["folder"]);
    assert!(!workspace.draw(&["--out", "nofolder/a.png"]).error().contains(".tmp"));
    let select = ["select", "--picture", "none.png", "--point", "1,1", "--out"];
    workspace.run(&[&select[..], &["taken.png"]].concat()).fails_with(&["taken.png", "folder"]);
}

#[test]
fn a_device_is_written_to_and_stays_a_device() {
    let workspace = Workspace::new(STORY);
    // The device of `/dev/null`, but not the real one. Only root can create it.
    if !workspace.system("mknod", &["null", "c", "1", "3"]) {
        return;
    }
    workspace.draw(&["--out", "null", "--dump", "null"]).exits(0);
    let kind = fs::symlink_metadata(workspace.path("null")).unwrap().file_type();
    assert!(kind.is_char_device(), "{kind:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_is_refused_by_what_it_is() {
    let workspace = Workspace::new(STORY);
    let out = [&DRAW[..], &["--out", "/dev/stdout"]].concat();
    workspace.run(&out).fails_with(&["/dev/stdout", "it is a pipe"]);
    let file = fs::File::create(workspace.path("f.png")).unwrap();
    let run = Run(workspace.command(&out).stdout(file).output().unwrap());
    run.fails_with(&["/dev/stdout", "descriptor of an open file", "name a file"]);
}

#[test]
fn a_picture_is_written_to_the_file_that_a_link_points_to() {
    let workspace = Workspace::new(STORY);
    fs::create_dir(workspace.path("there")).unwrap();
    fs::write(workspace.path("there/old.png"), "old").unwrap();
    for (link, target) in [("a.png", "there/old.png"), ("b.png", "there/new.png")] {
        symlink(target, workspace.path(link)).unwrap();
        workspace.draw(&["--out", link]).exits(0);
        assert_eq!(fs::read_link(workspace.path(link)).unwrap(), Path::new(target));
        assert!(image::open(workspace.path(target)).is_ok(), "{target} is the picture");
    }
}

#[test]
fn a_file_with_another_use_is_never_written_to() {
    let workspace = Workspace::new(STORY);
    workspace.draw(&["--out", "a.png"]).exits(0);
    let drawn = fs::read(workspace.path("a.png")).unwrap();
    symlink("a.png", workspace.path("link.png")).unwrap();
    let mask = ["select", "--point", "1,1", "--picture", "a.png", "--out", "mask.png"];
    workspace.run(&mask).exits(0);
    let mask = fs::read(workspace.path("mask.png")).unwrap();
    let edit = r#"(parts: [(mask: "mask.png", edit: Replace, words: "a key")])"#;
    fs::write(workspace.path("edit.ron"), edit).unwrap();
    let edits = ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "1"];
    for (command, outputs) in [
        (&DRAW[..], ["--out", "./b.png", "--dump", "b.png"]),
        (&["select", "--point", "1,1"], ["--picture", "a.png", "--out", "link.png"]),
        (&["replay"], ["--picture", "a.png", "--out", "./a.png"]),
        (&edits, ["--out", "mask.png", "--dump", "d"]),
        (&edits, ["--out", "b.png", "--dump", "edit.ron"]),
        (&edits, ["--out", "b.png", "--dump", "a.png"]),
        (&edits, ["--out", "b.png", "--dump", "b.png"]),
    ] {
        workspace.run(&[command, &outputs].concat()).fails_with(&["also", "name another one"]);
    }
    // A file that the command numbers itself.
    fs::write(workspace.path("b-2.png"), "mine").unwrap();
    let run = workspace.run(&[&edits[..], &["--out", "b.png", "--takes", "2"]].concat());
    run.fails_with(&["b-2.png", "exists"]);
    assert_eq!(fs::read(workspace.path("b-2.png")).unwrap(), b"mine");
    assert_eq!(fs::read(workspace.path("a.png")).unwrap(), drawn);
    assert_eq!(fs::read(workspace.path("mask.png")).unwrap(), mask);
    assert_eq!(fs::read_to_string(workspace.path("edit.ron")).unwrap(), edit);
    assert!(!workspace.path("b.png").exists());
    assert_eq!(workspace.unfinished(""), 0);
    // An edit may replace its picture.
    workspace.run(&[&edits[..], &["--out", "a.png"]].concat()).exits(0);
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_leaves_nothing() {
    let workspace = Workspace::new(STORY);
    let illustrate = env!("CARGO_BIN_EXE_illustrate");
    let script = format!("ulimit -f 1; {illustrate} {} --out a.png", DRAW.map(quoted).join(" "));
    let mut command = Command::new("bash");
    let run = command.current_dir(workspace.folder.path()).args(["-c", &script]).output();
    let error = Run(run.unwrap()).fails_with(&["a.png", "File too large", "ulimit"]);
    assert!(!error.contains(".tmp"), "{error}");
    assert_eq!(workspace.unfinished(""), 0);
}

fn quoted(word: &str) -> String {
    format!("'{word}'")
}

#[test]
fn any_number_of_threads_can_be_requested() {
    let workspace = Workspace::new(STORY);
    let draw = [&DRAW[..], &["--out", "a.png"]].concat();
    for threads in ["50000", "0", "-1", "x"] {
        let mut command = workspace.command(&draw);
        Run(command.env("RAYON_NUM_THREADS", threads).output().unwrap()).exits(0);
    }
}

#[test]
fn a_wrong_argument_is_printed_on_one_line() {
    let workspace = Workspace::new(STORY);
    for arguments in [["--x\nerror: forged", "a"], ["--seed", "1\nerror: forged\u{1b}[2J"]] {
        let error = workspace.run(&[&["draw"], &arguments[..]].concat()).exits(2).error();
        assert!(error.contains("\\nerror: forged"), "{error}");
        assert!(!error.lines().any(|line| line.starts_with("error: forged")), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_model_whose_name_is_not_utf_8_is_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let workspace = Workspace::new(STORY);
    let name = OsStr::from_bytes(b"\xe9");
    let mut command = workspace.command(&DRAW);
    let run = Run(command.args(["--out", "a.png", "--model"]).arg(name).output().unwrap());
    assert!(run.exits(2).error().contains("UTF-8"));
}

#[test]
fn a_picture_that_is_not_named_png_is_refused_before_drawing() {
    let workspace = Workspace::new(STORY);
    for (name, instead) in [("cover.jpg", "cover.png"), ("cover", "cover.png")] {
        workspace.refuses(name, &["PNG", instead, ".png"]);
        assert!(!workspace.path(name).exists());
    }
    workspace.draw(&["--out", ".png"]).fails_with(&["NAME.png"]);
    workspace.draw(&["--out", "COVER.PNG"]).exits(0);
}

#[test]
fn tensors_do_not_replace_a_file_of_another_format() {
    let workspace = Workspace::new(STORY);
    let dump = ["--out", "a.png", "--dump"];
    for (name, instead) in
        [("two.story.ron", "two.story.safetensors"), ("none", "none.safetensors")]
    {
        let run = workspace.draw(&[&dump[..], &[name]].concat());
        run.fails_with(&[name, "tensors are written as safetensors", instead]);
    }
    assert_eq!(fs::read_to_string(workspace.path("two.story.ron")).unwrap(), STORY);
    assert!(!workspace.path("none").exists() && !workspace.path("a.png").exists());
    assert_eq!(workspace.unfinished(""), 0);
}

#[test]
fn a_dump_replaces_an_earlier_dump_and_no_other_tensors() {
    let workspace = Workspace::new(STORY);
    let dump = ["--out", "a.png", "--dump", "a.safetensors"];
    workspace.draw(&dump).exits(0);
    workspace.draw(&dump).exits(0);
    let place = workspace.path("a.safetensors");
    let dumped = fs::read(&place).unwrap();
    let tensor = Tensor::new(&[1_f32], &Device::Cpu).unwrap();
    // Scripts for diffusers give tensors the same names.
    let others = ["unet.weight", "image", "prompt_embeds"].map(|name| {
        safetensors::save(&HashMap::from([(name, tensor.clone())]), &place).unwrap();
        fs::read(&place).unwrap()
    });
    // A file without tensors.
    let empty = [&16_u64.to_le_bytes()[..], b"{}              "].concat();
    // What cannot be read may be anything: tensors of a newer type, half of a download, a text.
    let half = dumped[..dumped.len() / 2].to_vec();
    for before in others.into_iter().chain([empty, half, b"a text".to_vec()]) {
        fs::write(&place, &before).unwrap();
        workspace.draw(&dump).fails_with(&[
            "a.safetensors",
            "not an earlier dump",
            "weights of a model",
        ]);
        assert_eq!(fs::read(&place).unwrap(), before);
    }
    fs::write(&place, "").unwrap();
    workspace.draw(&dump).exits(0);
    assert_eq!(fs::read(&place).unwrap().len(), dumped.len());
}

#[test]
fn a_finished_picture_is_kept_and_named_if_its_folder_is_renamed_meanwhile() {
    let workspace = Workspace::new(STORY);
    fs::create_dir(workspace.path("before")).unwrap();
    let slow = ["draw", "--prompt", "a key", "--size", "64x64", "--steps", "100"];
    let mut command = workspace.command(&[&slow[..], &["--out", "before/a.png"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the output begins", || workspace.unfinished("before") == 1);
    fs::rename(workspace.path("before"), workspace.path("after")).unwrap();
    let error = Run(child.wait_with_output().unwrap()).fails_with(&["before/a.png", "complete"]);
    let entries = fs::read_dir(workspace.path("after")).unwrap();
    let [kept] = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>().try_into().unwrap();
    let picture = fs::read(&kept).unwrap();
    assert!(bevy_illustrator::picture::decode(&picture).is_ok());
    let name = kept.file_name().unwrap().to_str().unwrap();
    assert!(!cfg!(target_os = "linux") || error.contains(&format!("after/{name}")), "{error}");
}

#[test]
fn a_finished_picture_has_a_shorter_name_if_its_own_is_too_long() {
    let workspace = Workspace::new(STORY);
    let name = format!("{}.png", "画".repeat(83));
    let slow = ["draw", "--prompt", "a key", "--size", "64x64", "--steps", "100"];
    let mut command = workspace.command(&[&slow[..], &["--out", &name]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the output begins", || workspace.unfinished("") == 1);
    fs::write(workspace.path(&name), "mine").unwrap();
    Run(child.wait_with_output().unwrap()).exits(0);
    assert_eq!(fs::read(workspace.path(&name)).unwrap(), b"mine");
    assert!(image::open(workspace.path(&format!("{}.new-1.png", "画".repeat(81)))).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn replaced_files_keep_their_owner_and_attributes() {
    use std::os::unix::fs::{MetadataExt, chown};

    use rustix::fs::{XattrFlags, getxattr, setxattr};

    let workspace = Workspace::new(STORY);
    let path = workspace.path("old.png");
    fs::write(&path, "").unwrap();
    // Not every file system has attributes, and only root may give files away.
    let has_attributes = setxattr(&path, "user.xdg.tags", b"cover", XattrFlags::empty()).is_ok();
    let owner = if chown(&path, Some(1000), Some(1000)).is_ok() { Some(1000) } else { None };
    workspace.draw(&["--out", "old.png"]).exits(0);
    let mut value = [0; 16];
    let read = getxattr(&path, "user.xdg.tags", &mut value[..]);
    assert!(!has_attributes || value[..read.unwrap()] == *b"cover");
    let data = path.metadata().unwrap();
    assert!(owner.is_none_or(|owner| (data.uid(), data.gid()) == (owner, owner)));
    assert!(image::open(path).is_ok());
}

#[test]
fn written_files_have_ordinary_permissions_and_replaced_ones_keep_theirs() {
    let workspace = Workspace::new(STORY);
    let mode = |name: &str| workspace.path(name).metadata().unwrap().permissions().mode() & 0o777;
    fs::write(workspace.path("ordinary"), "").unwrap();
    fs::write(workspace.path("old.png"), "").unwrap();
    fs::set_permissions(workspace.path("old.png"), Permissions::from_mode(0o640)).unwrap();
    workspace.draw(&["--out", "a.png", "--dump", "a.safetensors"]).exits(0);
    workspace.draw(&["--out", "old.png"]).exits(0);
    assert_eq!([mode("a.png"), mode("a.safetensors")], [mode("ordinary"); 2]);
    assert_eq!(mode("old.png"), 0o640);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_appear_in_json() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let workspace = Workspace::new(STORY);
    let name = OsStr::from_bytes(b"caf\xe9.png");
    let run = Run(workspace.command(&DRAW).arg("--json").arg("--out").arg(name).output().unwrap());
    assert_eq!(run.json()["file"], "caf\u{fffd}.png");
    assert!(image::open(workspace.folder.path().join(name)).is_ok());
    let folder = OsStr::from_bytes(b"\xe9");
    let render = ["render", "two.story.ron", "--json", "--steps", "1", "--size", "32x32"];
    let run = Run(workspace.command(&render).arg("--out").arg(folder).output().unwrap());
    assert_eq!((run.drawn().len(), &run.json()["art"]), (4, &"\u{fffd}".into()));
    let plan = ["plan", "two.story.ron", "--json", "--steps", "1", "--size", "32x32"];
    let run = Run(workspace.command(&plan).arg("--out").arg(folder).output().unwrap());
    assert!(run.json()[0]["picture"].as_str().unwrap().starts_with("\u{fffd}/"));
}

#[test]
fn a_closed_stderr_or_stdout_does_not_stop_the_work() {
    let workspace = Workspace::new(STORY);
    let run = |args: &[&str]| {
        let mut command = workspace.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        child.wait().unwrap().code()
    };
    let render = [&["render", "two.story.ron"], &QUICK[..]].concat();
    assert_eq!(run(&render), Some(0));
    assert!(workspace.states().values().all(|state| state == "drafted"));
    let wrong = [&DRAW[..], &["--out", "nofolder/x.png"]].concat();
    assert_eq!(run(&wrong), Some(1), "a failure is still one");
}

/// Sends SIGTERM as soon as `began` holds, and waits for the end.
fn terminate(mut child: Child, began: impl Fn() -> bool) -> std::process::ExitStatus {
    wait_until("the work begins", || began() || child.try_wait().unwrap().is_some());
    assert!(child.try_wait().unwrap().is_none(), "it works");
    let status = Command::new("kill").arg(child.id().to_string()).status();
    assert!(status.unwrap().success());
    child.wait().unwrap()
}

#[test]
fn a_signal_leaves_no_temporary_file() {
    use std::os::unix::process::ExitStatusExt;
    let workspace = Workspace::new(STORY);
    let slow = [
        "draw",
        "--prompt",
        "a key",
        "--steps",
        "1000",
        "--out",
        "a.png",
        "--dump",
        "d.safetensors",
    ];
    let child = workspace.command(&slow).stderr(Stdio::null()).spawn().unwrap();
    let status = terminate(child, || workspace.unfinished("") == 2);
    assert_eq!(status.signal(), Some(15), "the caller sees the signal");
    assert_eq!(workspace.unfinished(""), 0);
    assert!(!workspace.path("a.png").exists());
}

#[test]
fn a_render_that_a_signal_stops_is_continued_by_the_next() {
    let workspace = Workspace::new(STORY);
    let slow = ["render", "two.story.ron", "--steps", "100", "--size", "64x64"];
    let child = workspace.command(&slow).stderr(Stdio::null()).spawn().unwrap();
    let status = terminate(child, || !workspace.pictures().is_empty());
    assert_eq!(status.code(), Some(130));
    let folder = workspace.path("illustrations/two/.tmp");
    assert_eq!(fs::read_dir(folder).into_iter().flatten().count(), 0);
    let again = [&slow[..], &["--json"]].concat();
    let drawn = workspace.run(&again).drawn().len();
    assert!((1..4).contains(&drawn), "{drawn} of 4 pictures were left to draw");
}

#[test]
fn a_picture_whose_copy_fails_is_counted_once() {
    let workspace = Workspace::new(STORY);
    fs::create_dir_all(workspace.path("illustrations/two/pictures/item-key.png/x")).unwrap();
    let run = workspace.run(&[&["render", "two.story.ron"], &QUICK[..]].concat());
    let error = run.fails_with(&["[4/4]", "item-key: "]);
    assert!(!error.contains("[5/4]"), "{error}");
}

#[test]
fn a_picture_whose_copy_fails_twice_failed_once() {
    let workspace = Workspace::new(STORY);
    let render = [&["render", "two.story.ron", "--shot", "item-key"], &QUICK[..]].concat();
    workspace.run(&render).exits(0);
    let copy = "illustrations/two/pictures/item-key.png";
    fs::remove_file(workspace.path(copy)).unwrap();
    assert!(workspace.system("mkfifo", &[copy]));
    let run = workspace.run(&[&render[..], &["--seed", "8"]].concat());
    run.fails_with(&["error: 1 picture failed", "\n  item-key: "]);
}
