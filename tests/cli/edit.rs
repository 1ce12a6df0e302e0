//! `illustrate edit`, `illustrate select` and `illustrate map`.

use super::*;
use bevy_illustrator::{
    art::{Art, TakeId, picture_file},
    recipe::{Blob, picture_hash},
    storyboard::ShotId,
};
use candle_core::{Device, Tensor, safetensors};
use image::{GrayImage, ImageBuffer, Luma, Rgb, Rgba, RgbaImage};

/// A workspace with a 96x64 picture (a red rectangle on blue), a mask of the rectangle, and an edit of it.
fn workspace_with_edit() -> Workspace {
    let workspace = Workspace::new(STORY);
    let in_field = |x: u32, y: u32| (32..64).contains(&x) && (16..48).contains(&y);
    RgbaImage::from_fn(96, 64, |x, y| {
        if in_field(x, y) { Rgba([200, 30, 30, 255]) } else { Rgba([60, 90, 200, 255]) }
    })
    .save(workspace.path("a.png"))
    .unwrap();
    let white = |x, y| Luma([if in_field(x, y) { 255 } else { 0 }]);
    GrayImage::from_fn(96, 64, white).save(workspace.path("field.png")).unwrap();
    workspace.edits(
        r#"(prompt: "a meadow", parts: [(mask: "field.png", edit: Replace,
        words: "a white moon", grow: 0, feather: 0)])"#,
    );
    workspace
}

impl Workspace {
    fn edits(&self, text: &str) {
        fs::write(self.path("edit.ron"), text).unwrap();
    }

    fn edit(&self, more: &[&str]) -> Run {
        let args = ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "2"];
        self.run(&[&args[..], &["--out", "b.png"], more].concat())
    }

    fn pixels(&self, name: &str) -> RgbaImage {
        image::open(self.path(name)).unwrap().into_rgba8()
    }
}

#[test]
fn an_edit_changes_only_its_part_and_reports_its_crop_and_changed_pixels() {
    let workspace = workspace_with_edit();
    let json = workspace.edit(&["--json", "--dump", "dump.safetensors"]).json();
    assert_eq!(json[0]["changed"], 32 * 32);
    let (before, after) = (workspace.pixels("a.png"), workspace.pixels("b.png"));
    let mask = workspace.pixels("field.png");
    let changed = |x: u32, y: u32| before.get_pixel(x, y) != after.get_pixel(x, y);
    let mut inside = 0;
    for (x, y, pixel) in mask.enumerate_pixels() {
        assert!(pixel.0[0] == 255 || !changed(x, y), "pixel {x},{y} changed");
        inside += usize::from(changed(x, y));
    }
    assert!(inside > 500, "{inside}");

    let dump = safetensors::load(workspace.path("dump.safetensors"), &Device::Cpu).unwrap();
    let blend = dump["blend_mask"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(dump["blend_mask"].dims(), [1, 1, 64, 96]);
    assert!(blend.iter().zip(mask.pixels()).all(|(&b, pixel)| b * 255.0 == f32::from(pixel.0[0])));
    let context = dump["context_box"].to_vec1::<f32>().unwrap();
    let reported = ["x", "y", "width", "height"].map(|side| &json[0]["context_box"][side]);
    assert!(context.iter().zip(reported).all(|(&a, b)| Some(f64::from(a)) == b.as_f64()));
    let latents = dump["latents_2"].dims();
    assert_eq!(latents[2] * 16, context[3] as usize);
    for name in ["latents_0", "latents_1", "image", "prompt_embeds", "timesteps"] {
        assert!(dump.contains_key(name), "{name}");
    }
}

#[test]
fn each_take_has_its_own_noise_unless_it_comes_from_a_file() {
    let workspace = workspace_with_edit();
    workspace.edit(&["--takes", "2"]).exits(0);
    assert_ne!(workspace.pixels("b.png"), workspace.pixels("b-2.png"));
    let second = workspace.pixels("b-2.png");
    workspace.edit(&["--seed", "1"]).exits(0);
    assert_eq!(workspace.pixels("b.png"), second, "take 2 of seed 0 is take 1 of seed 1");
    let noise = Tensor::randn(0_f32, 1_f32, (1, 32, 4, 6), &Device::Cpu).unwrap();
    noise.save_safetensors("latents", workspace.path("noise.safetensors")).unwrap();
    workspace
        .edit(&["--noise", "noise.safetensors", "--takes", "1", "--dump", "dump.safetensors"])
        .exits(0);
    assert_ne!(workspace.pixels("b.png"), second);
    let provenance = picture_file::provenance(&workspace.path("b.png"));
    assert!(provenance.is_err(), "the recipe's seed would draw another picture");
    workspace.edit(&["--noise", "noise.safetensors", "--takes", "2"]).exits(2);
}

#[test]
fn parts_with_their_own_seed_differ_between_takes() {
    let workspace = workspace_with_edit();
    workspace
        .edits(r#"(parts: [(mask: "field.png", edit: Replace, words: "a white moon", seed: 5)])"#);
    workspace.edit(&["--takes", "2"]).exits(0);
    assert_ne!(workspace.pixels("b.png"), workspace.pixels("b-2.png"));
    let args = ["replay", "--picture", "b-2.png", "--parent", "a.png", "--out", "again.png"];
    assert_eq!(workspace.run(&[&args[..], &["--json"]].concat()).json()["differing"], 0);
}

#[test]
fn replay_redraws_a_picture_from_the_recipe_in_its_file() {
    let workspace = workspace_with_edit();
    workspace.edit(&["--seed", "5"]).exits(0);
    let replay = |more: &[&str]| {
        let args = ["replay", "--picture", "b.png", "--out", "again.png"];
        workspace.run(&[&args[..], more].concat())
    };
    replay(&[]).fails_with(&["b.png", "--parent"]);
    let json = replay(&["--parent", "a.png", "--json"]).json();
    assert_eq!((&json["differing"], &json["same_model"]), (&0.into(), &true.into()));
    assert_eq!(workspace.pixels("again.png"), workspace.pixels("b.png"));
    let again = picture_file::provenance(&workspace.path("again.png")).unwrap();
    assert_eq!(again.recipe, picture_file::provenance(&workspace.path("b.png")).unwrap().recipe);
    // `b.png` is not the picture that was edited.
    replay(&["--parent", "b.png"]).fails_with(&["changed"]);
    RgbaImage::new(64, 96).save(workspace.path("other.png")).unwrap();
    replay(&["--parent", "other.png"]).fails_with(&["changed"]);
    fs::copy(workspace.path("a.png"), workspace.path("b.png")).unwrap();
    replay(&[]).fails_with(&["b.png", "no provenance"]);

    // Inside an art folder, `replay` finds the parent.
    workspace.render(&["--shot", "item-key"]).exits(0);
    let drawn =
        workspace.pictures().into_keys().find(|path| path.to_string_lossy().contains("takes"));
    let drawn = drawn.unwrap();
    let from = picture_file::provenance(&drawn).unwrap();
    let white = GrayImage::from_pixel(from.recipe.size.width, from.recipe.size.height, Luma([255]));
    white.save(workspace.path("all.png")).unwrap();
    workspace.edits(r#"(prompt: "a key", parts: [(mask: "all.png", edit: Refine)])"#);
    let (parent, edited) = (drawn.display().to_string(), drawn.with_file_name("edited.png"));
    let edited = edited.display().to_string();
    let args =
        ["edit", "--edit", "edit.ron", "--steps", "2", "--picture", &parent, "--out", &edited];
    workspace.run(&args).exits(0);
    let differing = |picture: &str| {
        let json = workspace.run(&["replay", "--json", "--picture", picture, "--out", "c.png"]);
        json.json()["differing"].clone()
    };
    assert_eq!(differing(&edited), 0);

    // The file of a take has no masks. They are found in the art folder.
    let (provenance, blobs) = picture_file::provenance_with_blobs(Path::new(&edited)).unwrap();
    let art = Art::open(workspace.path("illustrations/two")).unwrap();
    blobs.values().for_each(|blob| drop(art.blobs().put(blob).unwrap()));
    let shot = ShotId::new("item-key").unwrap();
    let take = art.writer().write(&shot, &workspace.pixels(&edited), provenance).unwrap();
    let (_, contained) = picture_file::provenance_with_blobs(&take.path).unwrap();
    assert!(contained.is_empty());
    assert_eq!(differing(take.path.to_str().unwrap()), 0);
    let mask = art.root().join("blobs").join(format!("{}.png", blobs.keys().next().unwrap()));
    // The files that `replay` finds are not overwritten.
    for found in [drawn.to_str().unwrap(), mask.to_str().unwrap()] {
        let args = ["replay", "--picture", take.path.to_str().unwrap(), "--out", found];
        workspace.run(&args).fails_with(&[found, "also reads that file"]);
    }
    // `..` in the name of the picture does not matter.
    let name = take.path.file_name().unwrap().to_str().unwrap();
    let roundabout = take.path.with_file_name(format!("../item-key/{name}"));
    assert_eq!(differing(roundabout.to_str().unwrap()), 0);
    fs::remove_file(&mask).unwrap();
    let args = ["replay", "--picture", take.path.to_str().unwrap(), "--out", "c.png"];
    workspace.run(&args).fails_with(&[mask.to_str().unwrap(), "missing"]);
}

#[test]
fn an_edited_picture_contains_its_edit() {
    let workspace = workspace_with_edit();
    workspace.edit(&[]).exits(0);
    let provenance = picture_file::provenance(&workspace.path("b.png")).unwrap();
    let edit = provenance.recipe.edit.unwrap();
    let picture = picture_hash(&workspace.pixels("a.png"));
    assert_eq!((edit.picture, edit.parts[0].name.as_str()), (picture, "field"));
    let (_, blobs) = picture_file::provenance_with_blobs(&workspace.path("b.png")).unwrap();
    let Blob::Mask(mask) = &blobs[&edit.parts[0].mask] else { panic!("the blob is not a mask") };
    assert_eq!(mask.coverage(), 32.0 * 32.0 / (96.0 * 64.0));
    assert_eq!(edit.parent, None, "a.png has no provenance");
    fs::copy(workspace.path("b.png"), workspace.path("a.png")).unwrap();
    let first = picture_file::provenance(&workspace.path("a.png")).unwrap();
    workspace.edit(&[]).exits(0);
    let edit = picture_file::provenance(&workspace.path("b.png")).unwrap().recipe.edit.unwrap();
    assert_eq!(edit.parent, Some(first.take_id()));
    // A take name of an older version.
    let old = "0123456789abcdef.png";
    fs::copy(workspace.path("a.png"), workspace.path(old)).unwrap();
    let args = ["edit", "--edit", "edit.ron", "--steps", "2", "--picture", old, "--out", "b.png"];
    workspace.run(&args).exits(0);
    let edit = picture_file::provenance(&workspace.path("b.png")).unwrap().recipe.edit.unwrap();
    assert_eq!(edit.parent, Some(TakeId::new("0123456789abcdef").unwrap()));
}

#[test]
fn an_invalid_edit_is_explained_and_writes_nothing() {
    let workspace = workspace_with_edit();
    let refused = |edits: &str, words: &[&str]| {
        workspace.edits(edits);
        workspace.edit(&[]).fails_with(words);
        assert!(!workspace.path("b.png").exists());
    };
    let part = |more: &str| format!(r#"(parts: [(mask: "field.png", {more})])"#);
    refused(&part(r#"edit: Enlarge"#), &["edit.ron:1:", "Enlarge"]);
    refused(&part(r#"edit: Refine, strength: 1.5"#), &["`field`", "1.5"]);
    refused(&part(r#"edit: Refine, strenth: 0.5"#), &["strenth"]);
    refused(&part(r#"edit: Replace"#), &["`field`", "prompt"]);
    refused(&part(r#"edit: Keep"#), &["changes nothing"]);
    refused(r#"(parts: [])"#, &["changes nothing"]);
    refused(r#"(parts: [(mask: "gone.png", edit: Refine)])"#, &["gone.png"]);
    refused(r#"(parts: [(edit: Refine)])"#, &["mask"]);
    refused("(parts", &["edit.ron:1:"]);
    GrayImage::new(64, 96).save(workspace.path("field.png")).unwrap();
    refused(&part(r#"edit: Refine"#), &["64x96", "96x64"]);
    fs::write(workspace.path("field.png"), "no picture").unwrap();
    refused(&part(r#"edit: Refine"#), &["field.png", "PNG"]);
    ImageBuffer::<Rgb<u16>, _>::new(96, 64).save(workspace.path("a.png")).unwrap();
    refused(&part(r#"edit: Refine"#), &["a.png", "16 bits"]);
    fs::write(workspace.path("a.png"), "no picture").unwrap();
    refused(&part(r#"edit: Refine"#), &["a.png", "PNG"]);
}

#[test]
fn select_writes_the_mask_of_an_object() {
    let workspace = workspace_with_edit();
    let select = |more: &[&str]| {
        workspace.run(&[&["select", "--picture", "a.png", "--out", "m.png"], more].concat())
    };
    select(&["--point", "48,32"]).exits(0);
    let (found, expected) = (workspace.pixels("m.png"), workspace.pixels("field.png"));
    let wrong = found.pixels().zip(expected.pixels()).filter(|(a, b)| a != b).count();
    assert!(wrong < 60, "{wrong} pixels are wrong");
    select(&["--box", "28,12,40,40"]).exits(0);
    assert_eq!(workspace.pixels("m.png").get_pixel(48, 32).0[0], 255);
    select(&["--point", "48,32", "--not", "50,34"]).exits(0);
    assert_eq!(workspace.pixels("m.png").get_pixel(50, 34).0[0], 0);
    select(&["--box", "28,12,40,40", "--box", "0,0,4,4"]).exits(0);
    let both = workspace.pixels("m.png");
    assert_eq!([both.get_pixel(48, 32).0[0], both.get_pixel(2, 2).0[0]], [255, 255]);
    select(&["--point", "96,0"]).fails_with(&["96,0", "96x64"]);
    select(&["--box", "96,0,4,4"]).fails_with(&["96,0", "96x64"]);
    for usage in [&[][..], &["--not", "1,1"], &["--point", "1"], &["--box", "1,2,3"]] {
        select(usage).exits(2);
    }
}

#[test]
fn map_writes_the_edges_or_the_rough_colours_of_a_picture() {
    let workspace = workspace_with_edit();
    let map = |kind: &str| {
        workspace.run(&["map", "--picture", "a.png", "--kind", kind, "--out", "m.png"])
    };
    for kind in ["edges", "soft-edges"] {
        map(kind).exits(0);
        let lines = workspace.pixels("m.png");
        let darkest =
            |range: std::ops::Range<u32>| range.map(|x| lines.get_pixel(x, 32).0[0]).min().unwrap();
        // The rectangle begins at column 32.
        assert!(darkest(30..34) < 60 && darkest(40..56) == 255, "{kind}");
    }
    map("rough-colours").exits(0);
    let rough = workspace.pixels("m.png");
    assert_eq!(rough.dimensions(), (96, 64));
    assert_eq!(rough.get_pixel(48, 32).0, [200, 30, 30, 255]);
    map("lines").exits(2);
}

#[test]
fn select_clips_boxes_to_the_picture() {
    let workspace = workspace_with_edit();
    let select = |area: &str| {
        workspace.run(&["select", "--picture", "a.png", "--out", "m.png", "--box", area]).exits(0);
        workspace.pixels("m.png")
    };
    let corner = select("90,60,6,4");
    assert!(corner.pixels().any(|pixel| pixel.0[0] == 255), "the box contains an object");
    for larger in ["90,60,1000,1000", "90,60,4294967295,4294967295"] {
        assert!(select(larger) == corner, "{larger}");
    }
}

#[test]
fn the_best_take_of_an_edit_is_written_and_a_score_in_the_file_keeps_all() {
    let workspace = workspace_with_edit();
    let json = workspace.edit(&["--best-of", "3", "--json"]).json();
    let [edited] = json.as_array().unwrap().as_slice() else { panic!("{json}") };
    let takes = edited["takes"].as_array().unwrap();
    let value = |take: &Value| take["losses"][0]["value"].as_f64().unwrap();
    assert_eq!(takes.len(), 3);
    assert!(takes.windows(2).all(|pair| value(&pair[0]) <= value(&pair[1])), "{takes:?}");
    assert_eq!(edited["losses"], takes[0]["losses"]);
    assert_eq!(
        (&takes[0]["losses"][0]["kind"], &takes[0]["losses"][0]["part"]),
        (&"Direction".into(), &0.into())
    );
    assert!(workspace.path("b.png").exists() && !workspace.path("b-2.png").exists());
    let best = workspace.pixels("b.png");
    let replay = ["replay", "--picture", "b.png", "--parent", "a.png", "--out", "c.png", "--json"];
    assert_eq!(workspace.run(&replay).json()["differing"], 0);

    let file = fs::read_to_string(workspace.path("edit.ron")).unwrap();
    workspace.edits(&file.replacen('(', "(score: true, ", 1));
    let run = workspace.edit(&["--takes", "3"]);
    let text = String::from_utf8_lossy(&run.exits(0).0.stdout).into_owned();
    assert_eq!(text.matches("(field: Direction ").count(), 3, "{text}");
    let names = ["b.png", "b-2.png", "b-3.png"];
    let seed = takes[0]["seed"].as_u64().unwrap();
    assert_eq!(workspace.pixels(names[seed as usize]), best);
    workspace.edit(&["--best-of", "2", "--takes", "2"]).exits(2);

    let file = file.replacen("words:", "seed: 5, words:", 1);
    workspace.edits(&file);
    let json = workspace.edit(&["--best-of", "2", "--json"]).json();
    let takes = json[0]["takes"].as_array().unwrap();
    for take in takes {
        let seed = 5 + take["seed"].as_u64().unwrap();
        assert_eq!(
            take["part_seeds"],
            serde_json::json!([["field", seed]]),
            "the noise of the part"
        );
    }
}
