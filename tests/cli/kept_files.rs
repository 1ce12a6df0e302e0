//! Files that are not the outputs of a command, although their names are.

use std::{io, os::unix::fs::symlink};

use super::*;
use bevy_illustrator::art::picture_file::{self, Attachments};
use image::{GrayImage, Luma, RgbaImage};

const EDIT: [&str; 5] = ["edit", "--picture", "a.png", "--edit", "edit.ron"];

/// A workspace with a picture that has a recipe, a mask and an edit file.
fn workspace() -> Workspace {
    let workspace = Workspace::new(STORY);
    let draw = ["draw", "--prompt", "a key", "--out", "a.png"];
    workspace.run(&[&draw[..], &QUICK[..]].concat()).exits(0);
    GrayImage::from_pixel(64, 64, Luma([255])).save(workspace.path("mask.png")).unwrap();
    let edit = r#"(prompt: "a key", parts: [(mask: "mask.png", edit: Refine)])"#;
    fs::write(workspace.path("edit.ron"), edit).unwrap();
    workspace
}

/// What another program saves: a picture, because the command may read it.
fn mine() -> Vec<u8> {
    let mut file = io::Cursor::new(Vec::new());
    let picture = RgbaImage::from_pixel(64, 64, image::Rgba([9, 120, 30, 255]));
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

impl Workspace {
    /// Runs a slow command, and writes files as soon as its outputs have begun.
    #[track_caller]
    fn run_and_write(&self, args: &[&str], outputs: usize, names: &[&str]) -> Run {
        let mut child = self.command(args);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_until("the outputs begin", || {
            self.temporary_files() == outputs || child.try_wait().unwrap().is_some()
        });
        for name in names {
            // As programs save: a new file takes the place of the old one.
            fs::write(self.path("saved"), mine()).unwrap();
            fs::rename(self.path("saved"), self.path(name)).unwrap();
        }
        assert!(child.try_wait().unwrap().is_none(), "it still draws");
        Run(child.wait_with_output().unwrap())
    }

    fn temporary_files(&self) -> usize {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp")).count()
    }

    #[track_caller]
    fn is_mine(&self, name: &str) {
        assert!(fs::read(self.path(name)).unwrap() == mine(), "{name}");
    }

    fn is_picture(&self, name: &str) -> bool {
        image::open(self.path(name)).is_ok()
    }
}

#[test]
fn a_file_that_appears_while_a_command_draws_stays() {
    let workspace = workspace();
    let slow = ["draw", "--prompt", "a key", "--size", "64x64", "--steps", "100", "--json"];
    let outputs = ["--out", "b.png", "--dump", "d.safetensors"];
    let names = ["b.png", "d.safetensors"];
    let run = workspace.run_and_write(&[&slow[..], &outputs].concat(), 2, &names);
    assert_eq!(run.json()["file"], "b.new-1.png");
    let error = run.error();
    assert!(error.contains("b.png") && error.contains("b.new-1.png"), "{error}");
    assert!(error.contains("another program") && error.contains("d.new-1.safetensors"), "{error}");
    workspace.is_mine("b.png");
    workspace.is_mine("d.safetensors");
    assert!(workspace.is_picture("b.new-1.png"));

    let slow = ["--steps", "60", "--takes", "2", "--out", "c.png"];
    let run = workspace.run_and_write(&[&EDIT[..], &slow].concat(), 2, &["c-2.png"]);
    run.exits(0);
    workspace.is_mine("c-2.png");
    assert!(workspace.is_picture("c.png") && workspace.is_picture("c-2.new-1.png"));
    assert_eq!(workspace.temporary_files(), 0);
}

#[test]
fn a_picture_that_is_saved_while_it_is_edited_in_place_stays() {
    let workspace = workspace();
    let slow = ["--steps", "100", "--out", "a.png"];
    let run = workspace.run_and_write(&[&EDIT[..], &slow].concat(), 1, &["a.png"]);
    assert!(run.exits(0).error().contains("a.new-1.png"), "{}", run.error());
    workspace.is_mine("a.png");
    assert!(workspace.is_picture("a.new-1.png"));
}

#[test]
fn a_numbered_file_is_not_written_through_a_link() {
    let workspace = workspace();
    fs::create_dir(workspace.path("elsewhere")).unwrap();
    for (link, outputs) in [
        ("b-2.png", ["--out", "b.png", "--dump", "d.safetensors"]),
        ("d-2.safetensors", ["--out", "c.png", "--dump", "d.safetensors"]),
    ] {
        symlink("elsewhere/new", workspace.path(link)).unwrap();
        let run = workspace.run(&[&EDIT[..], &["--steps", "1", "--takes", "2"], &outputs].concat());
        run.fails_with(&[link, "exists"]);
        assert_eq!(fs::read_dir(workspace.path("elsewhere")).unwrap().count(), 0);
        assert_eq!(workspace.temporary_files(), 0);
    }
}

#[test]
fn the_files_of_the_model_are_not_overwritten() {
    let workspace = workspace();
    // As in the cache of the hub: the files are links.
    fs::create_dir_all(workspace.path("m/snapshots/1/unet")).unwrap();
    fs::create_dir_all(workspace.path("m/blobs")).unwrap();
    fs::write(workspace.path("m/blobs/123"), "weights").unwrap();
    let weights = "m/snapshots/1/unet/x.safetensors";
    symlink("../../../blobs/123", workspace.path(weights)).unwrap();
    let draw = ["draw", "--prompt", "a key", "--size", "64x64"];
    for model in ["m", "m/snapshots/1", weights] {
        for dump in [weights, "m/blobs/123"] {
            for command in [&draw[..], &EDIT] {
                let more = ["--steps", "1", "--out", "b.png", "--model", model, "--dump", dump];
                let run = workspace.run(&[command, &more].concat());
                run.fails_with(&[dump, "also reads that file"]);
            }
        }
    }
    assert_eq!(fs::read(workspace.path("m/blobs/123")).unwrap(), b"weights");
}

#[test]
fn a_file_with_two_paths_is_one_file() {
    let workspace = workspace();
    let drawn = fs::read(workspace.path("a.png")).unwrap();
    fs::create_dir(workspace.path("m")).unwrap();
    fs::write(workspace.path("m/model.safetensors"), "weights").unwrap();
    // As a folder that is mounted twice, hard links give files two paths.
    for (file, other) in
        [("a.png", "b.png"), ("mask.png", "c.png"), ("m/model.safetensors", "d.safetensors")]
    {
        fs::hard_link(workspace.path(file), workspace.path(other)).unwrap();
    }
    let edit = [&EDIT[..], &["--steps", "1"]].concat();
    for (command, outputs) in [
        (&["select", "--point", "1,1"][..], ["--picture", "a.png", "--out", "b.png"]),
        (&["replay"], ["--picture", "a.png", "--out", "b.png"]),
        (&edit, ["--takes", "1", "--out", "c.png"]),
        (&[&edit[..], &["--model", "m"]].concat(), ["--out", "e.png", "--dump", "d.safetensors"]),
    ] {
        workspace.run(&[command, &outputs].concat()).fails_with(&["also reads that file"]);
    }
    assert_eq!(fs::read(workspace.path("b.png")).unwrap(), drawn);
    assert_eq!(fs::read(workspace.path("d.safetensors")).unwrap(), b"weights");
}

#[test]
fn no_file_of_a_model_with_more_files_than_are_listed_is_overwritten() {
    let workspace = workspace();
    fs::create_dir_all(workspace.path("m/unet")).unwrap();
    for n in 0..10_000 {
        fs::write(workspace.path(&format!("m/{n}")), "").unwrap();
    }
    let weights = "m/unet/model.safetensors";
    fs::write(workspace.path(weights), "weights").unwrap();
    let draw = ["draw", "--prompt", "a key", "--out", "b.png", "--model", "m", "--dump", weights];
    workspace.run(&draw).fails_with(&[weights, "also read"]);
}

#[test]
fn a_resized_picture_is_refused_before_it_is_drawn_again() {
    let workspace = workspace();
    let provenance = picture_file::provenance(&workspace.path("a.png")).unwrap();
    let small = RgbaImage::new(32, 32);
    let png = picture_file::encode(&small, &provenance, &Attachments::default()).unwrap();
    fs::write(workspace.path("small.png"), png).unwrap();
    fs::write(workspace.path("b.png"), mine()).unwrap();
    let replay = ["replay", "--picture", "small.png", "--out", "b.png"];
    workspace.run(&replay).fails_with(&["small.png", "32x32", "64x64", "resized"]);
    workspace.is_mine("b.png");
}
