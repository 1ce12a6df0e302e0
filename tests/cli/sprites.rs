//! Edits of pictures with an alpha channel.

use super::*;
use image::{GrayImage, Luma, Rgba, RgbaImage};

/// A round figure of 40 pixels in a picture of 96 by 64, half transparent at its edge, with colours that nobody sees
/// around it.
fn sprite(hidden: [u8; 3]) -> RgbaImage {
    RgbaImage::from_fn(96, 64, |x, y| {
        let [r, g, b] = hidden;
        match (x as f32 - 28.0).hypot(y as f32 - 32.0) {
            ..20.0 => Rgba([220, 180, 60, 255]),
            ..21.0 => Rgba([220, 180, 60, 128]),
            _ => Rgba([r, g, b, 0]),
        }
    })
}

/// A workspace with the sprite `a.png`, and the masks of a disc at `x`, 32: `on.png` on the figure, `beside.png` beside
/// it, and `figure.png` of the figure.
fn workspace(hidden: [u8; 3]) -> Workspace {
    let workspace = Workspace::new(STORY);
    sprite(hidden).save(workspace.path("a.png")).unwrap();
    for (name, x, radius) in [("on", 28.0, 6.0), ("beside", 72.0, 8.0), ("figure", 28.0, 24.0)] {
        GrayImage::from_fn(96, 64, |column, row| {
            Luma([u8::from((column as f32 - x).hypot(row as f32 - 32.0) < radius) * 255])
        })
        .save(workspace.path(&format!("{name}.png")))
        .unwrap();
    }
    workspace
}

/// The result of an edit without growing and feathering, and its mask.
fn edited(workspace: &Workspace, part: &str, edit: &str) -> (RgbaImage, GrayImage) {
    let text = format!(
        r#"(parts: [(mask: "{part}.png", edit: {edit}, words: "a red ball", grow: 0, feather: 0)])"#
    );
    fs::write(workspace.path("edit.ron"), text).unwrap();
    let args = ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "2"];
    workspace.run(&[&args[..], &["--out", "b.png"]].concat()).exits(0);
    let open = |name: &str| image::open(workspace.path(name)).unwrap();
    (open("b.png").into_rgba8(), open(&format!("{part}.png")).into_luma8())
}

#[test]
fn colours_of_transparent_pixels_decide_nothing() {
    let (black, magenta) = (workspace([0, 0, 0]), workspace([255, 0, 255]));
    for (part, edit) in
        [("on", "Add"), ("beside", "Add"), ("figure", "Refine"), ("figure", "Remove")]
    {
        let (one, _) = edited(&black, part, edit);
        let (other, _) = edited(&magenta, part, edit);
        for (x, y, pixel) in one.enumerate_pixels() {
            let other = other.get_pixel(x, y);
            assert!(pixel == other || (pixel.0[3], other.0[3]) == (0, 0), "{edit} {part}: {x},{y}");
        }
    }
}

#[test]
fn what_is_added_beside_a_figure_is_visible_and_no_other_pixel_changes() {
    let workspace = workspace([9, 8, 7]);
    let before = sprite([9, 8, 7]);
    for edit in ["Add", "Replace"] {
        let (after, mask) = edited(&workspace, "beside", edit);
        for (x, y, pixel) in after.enumerate_pixels() {
            match mask.get_pixel(x, y).0[0] {
                0 => assert_eq!(pixel, before.get_pixel(x, y), "{edit} {x},{y}"),
                _ => assert_eq!(pixel.0[3], 255, "{edit} {x},{y}"),
            }
        }
    }
}

#[test]
fn a_refined_figure_keeps_its_outline_and_a_removed_one_becomes_transparent() {
    let workspace = workspace([9, 8, 7]);
    let before = sprite([9, 8, 7]);
    let (refined, _) = edited(&workspace, "figure", "Refine");
    assert!(refined.pixels().zip(before.pixels()).all(|(a, b)| a.0[3] == b.0[3]));
    assert_ne!(refined.get_pixel(28, 32), before.get_pixel(28, 32));
    let (removed, _) = edited(&workspace, "figure", "Remove");
    assert!(removed.pixels().all(|pixel| pixel.0[3] == 0));
    // The surroundings of a spot on the figure are opaque.
    let (removed, _) = edited(&workspace, "on", "Remove");
    assert!(removed.pixels().zip(before.pixels()).all(|(a, b)| a.0[3] == b.0[3]));
}
