//! Pipes, devices and sparse files in every place where a file is expected.

use std::os::unix::fs::symlink;

use super::*;

impl Workspace {
    /// A pipe that nobody writes to.
    fn make_pipe(&self, name: &str) {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// As [`Workspace::run`], but the command is killed after a minute. It then exits with 124.
    fn run_for_a_minute(&self, args: &[&str]) -> Run {
        let mut command = Command::new("timeout");
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.args(["60", env!("CARGO_BIN_EXE_illustrate")]).args(args);
        Run(command.output().unwrap())
    }
}

/// The arguments of a command that reads the file `odd` with this extension.
fn readers(workspace: &Workspace, odd: &str) -> Vec<Vec<String>> {
    let write = |name: &str, text: String| fs::write(workspace.path(name), text).unwrap();
    write("mask.ron", format!("(parts: [(mask: \"{odd}.png\", edit: Remove)])"));
    write("scribble.ron", format!("(parts: [(scribble: \"{odd}.png\", edit: Remove)])"));
    [
        format!("edit --picture {odd}.png --edit edit.ron --out o.png"),
        format!("edit --picture rgb.png --edit {odd}.ron --out o.png"),
        "edit --picture rgb.png --edit mask.ron --out o.png".to_owned(),
        "edit --picture rgb.png --edit scribble.ron --out o.png".to_owned(),
        format!("plan {odd}.story.ron"),
        format!("draw --prompt x --noise {odd}.safetensors --out o.png"),
        format!("select --picture rgb.png --point 1,1 --mobile-sam {odd}.safetensors --out o.png"),
        format!("models inspect {odd}.safetensors"),
        format!("replay --picture {odd}.png --out o.png"),
    ]
    .map(|line| line.split(' ').map(str::to_owned).collect())
    .into()
}

/// A workspace with a picture, a mask and an edit file.
fn workspace() -> Workspace {
    let workspace = Workspace::new(STORY);
    image::RgbImage::new(64, 64).save(workspace.path("rgb.png")).unwrap();
    image::GrayImage::from_pixel(64, 64, image::Luma([255])).save(workspace.path("m.png")).unwrap();
    fs::write(workspace.path("edit.ron"), "(parts: [(mask: \"m.png\", edit: Remove)])").unwrap();
    workspace
}

const EXTENSIONS: [&str; 4] = ["png", "ron", "story.ron", "safetensors"];

#[test]
fn a_pipe_or_a_device_is_refused_by_name_wherever_a_file_is_read() {
    let workspace = workspace();
    for extension in EXTENSIONS {
        workspace.make_pipe(&format!("pipe.{extension}"));
        symlink("/dev/zero", workspace.path(&format!("zero.{extension}"))).unwrap();
    }
    for (odd, kind) in [("pipe", "a pipe"), ("zero", "a device")] {
        for args in readers(&workspace, odd) {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let run = workspace.run_for_a_minute(&args);
            // The device is outside the folder of the edit file.
            let is_image = args.contains(&"mask.ron") || args.contains(&"scribble.ron");
            if odd == "zero" && is_image {
                run.fails_with(&[odd, "not in the folder of the edit file"]);
            } else {
                run.fails_with(&[odd, kind, "name a regular file"]);
            }
        }
    }
}

#[test]
fn a_sparse_file_is_refused_with_the_most_that_can_be_read() {
    let workspace = workspace();
    for extension in EXTENSIONS {
        let file = fs::File::create(workspace.path(&format!("sparse.{extension}"))).unwrap();
        file.set_len(1 << 40).unwrap();
    }
    for args in readers(&workspace, "sparse") {
        // Only the beginning of a model is read.
        if args[0] != "models" {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            workspace.run_for_a_minute(&args).fails_with(&["sparse", "MB"]);
        }
    }
}

#[test]
fn a_long_file_at_the_place_of_an_output_is_not_read() {
    let workspace = workspace();
    let long = |name: &str| {
        fs::File::create(workspace.path(name)).unwrap().set_len(1 << 40).unwrap();
    };
    let run = |args: &str| workspace.run_for_a_minute(&args.split(' ').collect::<Vec<_>>());
    let length = |name: &str| workspace.path(name).metadata().unwrap().len();
    long("long.png");
    run("select --picture rgb.png --point 1,1 --out long.png").exits(0);
    assert!(length("long.png") < 1 << 20);
    long("long.safetensors");
    let dump = "draw --prompt x --steps 1 --size 32x32 --out o.png --dump long.safetensors";
    run(dump).fails_with(&["long.safetensors", "not an earlier dump"]);
    assert_eq!(length("long.safetensors"), 1 << 40);
}

#[test]
fn a_pipe_anywhere_in_an_art_folder_does_not_stop_a_command() {
    let drawn = Workspace::new(STORY);
    drawn.render(&[]).exits(0);
    let takes = drawn.path("illustrations/two/takes/item-key");
    let take = takes.read_dir().unwrap().next().unwrap().unwrap().file_name();
    let take = format!("takes/item-key/{}", take.to_str().unwrap());
    for file in [
        take.as_str(),
        "pictures/item-key.png",
        "ledger.ron",
        "queue.json",
        ".lock",
        "blobs/inline.json",
    ] {
        let workspace = Workspace::new(STORY);
        copy_folder(&drawn.path("illustrations"), &workspace.path("illustrations"));
        let path = format!("illustrations/two/{file}");
        fs::create_dir_all(workspace.path(&path).parent().unwrap()).unwrap();
        let _ = fs::remove_file(workspace.path(&path));
        workspace.make_pipe(&path);
        let plan = [&["plan", "two.story.ron"], &QUICK[..]].concat();
        let render = [&["render", "two.story.ron"], &QUICK[..]].concat();
        for args in [plan, render] {
            let run = workspace.run_for_a_minute(&args);
            assert_ne!(run.0.status.code(), Some(124), "{args:?} waits for {file}");
            assert!(!run.error().contains("panicked"), "{}", run.error());
        }
    }
}

#[test]
fn a_lock_that_is_a_link_out_of_the_folder_is_called_so() {
    let workspace = workspace();
    fs::create_dir_all(workspace.path("illustrations/two")).unwrap();
    symlink(workspace.path("rgb.png"), workspace.path("illustrations/two/.lock")).unwrap();
    workspace.render(&[]).fails_with(&[".lock is a link that leads out of the art folder"]);
}

#[test]
fn a_private_picture_outside_the_folder_of_the_edit_file_is_not_embedded() {
    let workspace = workspace();
    fs::create_dir(workspace.path("pack")).unwrap();
    symlink("../m.png", workspace.path("pack/link.png")).unwrap();
    let absolute = workspace.path("m.png").display().to_string();
    for name in ["../m.png", "link.png", &absolute] {
        for field in ["mask", "scribble"] {
            let edit = format!("(parts: [({field}: \"{name}\", edit: Remove)])");
            fs::write(workspace.path("pack/edit.ron"), edit).unwrap();
            let edit = "edit --picture rgb.png --edit pack/edit.ron --steps 1 --out o.png";
            let run = workspace.run(&edit.split(' ').collect::<Vec<_>>());
            run.fails_with(&[name, "not in the folder of the edit file", "copy it"]);
            assert!(!workspace.path("o.png").exists());
        }
    }
}

#[test]
fn the_parent_of_an_edit_is_not_read_through_a_link() {
    let workspace = workspace();
    let draw = ["draw", "--prompt", "a key", "--out", "a.png"];
    workspace.run(&[&draw, &QUICK[..]].concat()).exits(0);
    let edit =
        ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "2", "--out", "b.png"];
    workspace.run(&edit).exits(0);
    let provenance =
        bevy_illustrator::art::picture_file::provenance(&workspace.path("b.png")).unwrap();
    let parent = provenance.recipe.edit.unwrap().parent.unwrap();
    symlink("rgb.png", workspace.path(&format!("{parent}.png"))).unwrap();
    let replay = ["replay", "--picture", "b.png", "--out", "c.png"];
    workspace.run(&replay).fails_with(&["b.png", "--parent"]);
}
