//! `illustrate img2img`, `illustrate outpaint` and `illustrate upscale`.

use std::collections::BTreeSet;

use super::*;
use bevy_illustrator::art::picture_file;
use image::{GrayImage, Luma, RgbaImage};

/// A workspace with `a.png`, a picture of 96x64 pixels with a recipe.
fn workspace() -> Workspace {
    let workspace = Workspace::new(STORY);
    let draw = ["draw", "--prompt", "a lighthouse", "--negative", "fog", "--size", "96x64"];
    workspace.run(&[&draw[..], &["--steps", "2", "--out", "a.png"]].concat()).exits(0);
    workspace
}

impl Workspace {
    fn enlarge(&self, command: &str, more: &[&str]) -> Run {
        let args = [command, "--picture", "a.png", "--steps", "2", "--out", "b.png"];
        self.run(&[&args[..], more].concat())
    }

    fn image(&self, name: &str) -> RgbaImage {
        image::open(self.path(name)).unwrap().into_rgba8()
    }

    /// Draws `b.png` again, and asserts that no pixel differs.
    #[track_caller]
    fn replays(&self) {
        let args = ["replay", "--picture", "b.png", "--parent", "a.png", "--out", "c.png"];
        assert_eq!(self.run(&[&args[..], &["--json"]].concat()).json()["differing"], 0);
    }
}

#[test]
fn img2img_starts_from_the_picture_and_its_prompt() {
    let workspace = workspace();
    workspace.enlarge("img2img", &["--strength", "0.5"]).exits(0);
    let recipe = picture_file::provenance(&workspace.path("b.png")).unwrap().recipe;
    assert_eq!((recipe.prompt.as_str(), recipe.negative_prompt.as_str()), ("a lighthouse", "fog"));
    let weak = workspace.image("b.png");
    workspace.replays();
    workspace.enlarge("img2img", &["--strength", "1", "--prompt", "a red fox"]).exits(0);
    let recipe = picture_file::provenance(&workspace.path("b.png")).unwrap().recipe;
    assert_eq!((recipe.prompt.as_str(), recipe.negative_prompt.as_str()), ("a red fox", ""));
    let (before, strong) = (workspace.image("a.png"), workspace.image("b.png"));
    let apart = |other: &RgbaImage| -> u64 {
        let all = before.as_raw().iter().zip(other.as_raw());
        all.map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    assert!(0 < apart(&weak) && apart(&weak) < apart(&strong));
    workspace.enlarge("img2img", &["--size", "192x128"]).exits(0);
    assert_eq!(workspace.image("b.png").dimensions(), (192, 128));
    workspace.replays();
    workspace.enlarge("img2img", &["--size", "128x128"]).fails_with(&["96x64", "stretched"]);
}

#[test]
fn a_picture_without_a_recipe_needs_a_prompt() {
    let workspace = workspace();
    RgbaImage::new(32, 32).save(workspace.path("a.png")).unwrap();
    workspace.enlarge("img2img", &[]).fails_with(&["a.png", "--prompt"]);
    workspace.enlarge("img2img", &["--prompt", "a fox"]).exits(0);
    for strength in ["0", "1.1", "NaN", "much"] {
        workspace.enlarge("img2img", &["--strength", strength]).exits(2);
    }
}

#[test]
fn outpainting_keeps_the_picture_and_draws_around_it() {
    let workspace = workspace();
    let place = ["--size", "160x96", "--across", "right", "--down", "top"];
    let json = workspace.enlarge("outpaint", &[&place[..], &["--json"]].concat()).json();
    let (before, after) = (workspace.image("a.png"), workspace.image("b.png"));
    assert_eq!(after.dimensions(), (160, 96));
    // The margins reach into the picture by their transition.
    let changed = json[0]["changed"].as_u64().unwrap();
    assert!((160 * 96 - 96 * 64..160 * 96 - 76 * 44).contains(&changed), "{changed}");
    for (x, y, pixel) in before.enumerate_pixels().filter(|(x, y, _)| *x >= 20 && *y < 44) {
        assert_eq!(after.get_pixel(x + 64, y), pixel, "{x} {y}");
    }
    let margin = after.enumerate_pixels().filter(|(x, ..)| *x < 64);
    let margin = margin.map(|(_, _, pixel)| pixel.0).collect::<BTreeSet<_>>().len();
    assert!(margin > 100, "the margin has {margin} colours");
    workspace.replays();
    workspace.enlarge("outpaint", &["--size", "64x96"]).fails_with(&["96x64", "64x96"]);
    workspace.enlarge("outpaint", &["--size", "96x64"]).fails_with(&["changes nothing"]);
}

#[test]
fn upscaling_keeps_masked_parts_and_draws_the_rest_in_tiles() {
    let workspace = workspace();
    let kept = |x: u32, _| Luma([if x < 48 { 255 } else { 0 }]);
    GrayImage::from_fn(96, 64, kept).save(workspace.path("kept.png")).unwrap();
    workspace.enlarge("upscale", &["--factor", "8", "--keep", "kept.png"]).exits(0);
    let recipe = picture_file::provenance(&workspace.path("b.png")).unwrap().recipe;
    assert!(recipe.edit.unwrap().tiled);
    let after = workspace.image("b.png");
    assert_eq!(after.dimensions(), (768, 512));
    workspace.enlarge("upscale", &["--factor", "8", "--seed", "9", "--keep", "kept.png"]).exits(0);
    let other = workspace.image("b.png");
    let same = |(x, y, pixel): (u32, u32, &image::Rgba<u8>)| (x, other.get_pixel(x, y) == pixel);
    let (kept, drawn): (Vec<_>, Vec<_>) =
        after.enumerate_pixels().map(same).partition(|(x, _)| *x < 384);
    assert!(kept.iter().all(|(_, same)| *same));
    assert!(drawn.iter().filter(|(_, same)| !same).count() > drawn.len() / 2);
    GrayImage::new(9, 9).save(workspace.path("kept.png")).unwrap();
    workspace.enlarge("upscale", &["--keep", "kept.png"]).fails_with(&["kept.png", "96x64"]);
    workspace.enlarge("upscale", &["--factor", "9"]).exits(2);
}
