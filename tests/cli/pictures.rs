//! Pictures and masks of other programs.

use super::*;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

const EDIT: [&str; 9] =
    ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "2", "--out", "b.png"];

/// A PNG of 96 by 64 pixels in RGB with these chunks before its pixels.
fn png(chunks: &[([u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 96, 64);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    for (kind, data) in chunks {
        writer.write_chunk(png::chunk::ChunkType(*kind), data).unwrap();
    }
    writer.write_image_data(&[90; 96 * 64 * 3]).unwrap();
    writer.finish().unwrap();
    bytes
}

/// A workspace with the picture `a.png`, and an edit of its left third by `mask.png`.
fn workspace(picture: &[u8]) -> Workspace {
    let workspace = Workspace::new(STORY);
    fs::write(workspace.path("a.png"), picture).unwrap();
    let mask = |x, _| Luma([u8::from(x < 32) * 255]);
    GrayImage::from_fn(96, 64, mask).save(workspace.path("mask.png")).unwrap();
    let edit = r#"(parts: [(mask: "mask.png", edit: Replace, words: "a dark cloud")])"#;
    fs::write(workspace.path("edit.ron"), edit).unwrap();
    workspace
}

#[test]
fn an_edit_keeps_the_colour_space_the_resolution_and_the_texts_of_other_programs() {
    let chunks: [([u8; 4], &[u8]); 5] = [
        (*b"gAMA", &100_000_u32.to_be_bytes()),
        (
            *b"cHRM",
            &[31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000]
                .map(u32::to_be_bytes)
                .concat(),
        ),
        (*b"pHYs", &[0, 0, 46, 35, 0, 0, 46, 35, 1]),
        (*b"tEXt", b"Copyright\0Ada"),
        (*b"iTXt", b"Title\0\0\0\0\0Bay"),
    ];
    let workspace = workspace(&png(&chunks));
    workspace.run(&EDIT).exits(0);
    let written = fs::read(workspace.path("b.png")).unwrap();
    for (kind, data) in chunks {
        let chunk = [&kind, data].concat();
        let name = String::from_utf8_lossy(&kind).into_owned();
        assert_eq!(written.windows(chunk.len()).filter(|part| *part == chunk).count(), 1, "{name}");
    }
    assert!(!written.windows(4).any(|part| part == b"sRGB"), "gAMA says otherwise");
    assert_eq!(
        image::open(workspace.path("b.png")).unwrap().into_rgb8().get_pixel(95, 0).0,
        [90; 3]
    );

    // The copy of an edit has them too, and our own texts once.
    fs::copy(workspace.path("b.png"), workspace.path("a.png")).unwrap();
    workspace.run(&EDIT).exits(0);
    let written = fs::read(workspace.path("b.png")).unwrap();
    let times = |text: &[u8]| written.windows(text.len()).filter(|part| *part == text).count();
    let expected =
        [b"Copyright\0Ada".as_slice(), b"iTXtbevy_illustrator\0", b"parameters\0"].map(times);
    assert_eq!(expected, [1, 1, 1]);
}

#[test]
fn an_edit_keeps_the_settings_that_another_program_drew_the_picture_with() {
    let settings = b"parameters\0a fox\nSteps: 20, Sampler: Euler a, Seed: 7";
    let workspace = workspace(&png(&[(*b"tEXt", settings)]));
    let in_place = [&EDIT[..8], &["a.png"]].concat();
    for _ in 0..2 {
        workspace.run(&in_place).exits(0);
        let written = fs::read(workspace.path("a.png")).unwrap();
        let times = |text: &[u8]| written.windows(text.len()).filter(|part| *part == text).count();
        let kept = times(b"tEXtparameters before the edit\0a fox\nSteps: 20");
        assert_eq!((kept, times(b"parameters\0")), (1, 1));
    }
}

#[test]
fn a_rotated_photograph_is_edited_upright() {
    // EXIF orientation 6: to be rotated by 90 degrees clockwise (Exif 2.32, table 4).
    let orientation = b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
    let artist = b"\x01\x3b\0\x02\0\0\0\x04Ada\0";
    let exif = [b"MM\0*\0\0\0\x08\0\x02", &orientation[..], artist, &[0; 4]].concat();
    let workspace = workspace(&png(&[(*b"eXIf", &exif)]));
    GrayImage::from_fn(64, 96, |x, _| Luma([u8::from(x < 32) * 255]))
        .save(workspace.path("mask.png"))
        .unwrap();
    workspace.run(&EDIT).exits(0);
    let written = fs::read(workspace.path("b.png")).unwrap();
    let decoded = bevy_illustrator::picture::decode(&written).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (64, 96));
    let has = |entry: &[u8]| written.windows(entry.len()).any(|part| part == entry);
    assert!(has(artist) && !has(orientation), "EXIF data is kept");
}

#[test]
fn what_an_edit_cannot_keep_is_refused_or_reported() {
    let layers = (*b"mkBT", b"layers".as_slice());
    let workspace = workspace(&png(&[layers]));
    let error = workspace.run(&EDIT).exits(0).error();
    assert!(error.contains("a.png") && error.contains("mkBT"), "{error}");
    // The only copy of the layers is not replaced, neither of those in chunks nor of those behind the picture.
    let in_place = [&EDIT[..8], &["a.png"]].concat();
    let layered = fs::read(workspace.path("a.png")).unwrap();
    workspace.run(&in_place).fails_with(&["a.png", "mkBT", "--out"]);
    assert_eq!(fs::read(workspace.path("a.png")).unwrap(), layered);
    let followed = [png(&[]), b"layers".to_vec()].concat();
    fs::write(workspace.path("a.png"), &followed).unwrap();
    workspace.run(&in_place).fails_with(&["a.png", "after the end", "--out"]);
    assert_eq!(fs::read(workspace.path("a.png")).unwrap(), followed);
    // Many names are not all printed.
    let names = |n: u8| ([b'o', b'a' + n / 26, b'A' + n % 26, b'x'], &b""[..]);
    fs::write(workspace.path("a.png"), png(&(0..100).map(names).collect::<Vec<_>>())).unwrap();
    workspace.run(&in_place).fails_with(&["oaAx", "and 92 more"]);
    // Two frames, which are repeated without end (PNG specification, third edition, 11.3.6.1).
    let animation = png(&[(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0])]);
    fs::write(workspace.path("a.png"), &animation).unwrap();
    workspace.run(&in_place).fails_with(&["a.png", "animation", "frames"]);
    assert_eq!(fs::read(workspace.path("a.png")).unwrap(), animation);
}

#[test]
fn pictures_that_are_too_large_are_named_with_their_size() {
    let workspace = workspace(&png(&[]));
    // The beginning of a white page at one bit per pixel: 150 kB are enough for all of it.
    let mut page = Vec::new();
    let mut encoder = png::Encoder::new(&mut page, 30_000, 30_000);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[]).unwrap();
    drop(writer);
    fs::write(workspace.path("mask.png"), &page).unwrap();
    workspace.run(&EDIT).fails_with(&["mask.png", "30000x30000", "40 million"]);
    fs::write(workspace.path("a.png"), &page).unwrap();
    let error = workspace.run(&EDIT).fails_with(&["a.png", "30000x30000", "40 million"]);
    assert!(!error.contains("use a PNG"), "{error}");
}

#[test]
fn masks_that_are_no_masks_are_reported() {
    let workspace = workspace(&png(&[]));
    let mask = workspace.path("mask.png");
    GrayImage::from_fn(96, 64, |x, _| Luma([u8::from(x < 32)])).save(&mask).unwrap();
    workspace.run(&EDIT).fails_with(&["mask.png", "0 and 1", "255"]);
    let hole = |x, _| Rgba([200, 90, 30, u8::from(x >= 32) * 255]);
    RgbaImage::from_fn(96, 64, hole).save(&mask).unwrap();
    workspace.run(&EDIT).fails_with(&["mask.png", "transparent pixels", "grey PNG"]);
    // White strokes on a transparent layer are a mask.
    let layer = |x, _| Rgba([255, 255, 255, u8::from(x < 32) * 255]);
    RgbaImage::from_fn(96, 64, layer).save(&mask).unwrap();
    workspace.run(&EDIT).exits(0);
    RgbImage::from_pixel(96, 64, Rgb([255; 3])).save(&mask).unwrap();
    workspace.run(&EDIT).exits(0);
}

#[test]
fn git_lfs_pointers_are_called_so() {
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    for (file, args) in [
        ("a.png", &EDIT[..]),
        ("edit.ron", &EDIT),
        ("mask.png", &EDIT),
        ("noise.safetensors", &[&EDIT[..], &["--noise", "noise.safetensors"]].concat()),
        ("two.story.ron", &["plan", "two.story.ron"]),
        ("illustrations/two/ledger.ron", &["plan", "two.story.ron"]),
        ("a.png", &["replay", "--picture", "a.png", "--out", "b.png"]),
    ] {
        let workspace = workspace(&png(&[]));
        fs::create_dir_all(workspace.path(file).parent().unwrap()).unwrap();
        fs::write(workspace.path(file), pointer).unwrap();
        workspace.run(args).fails_with(&[file, "Git LFS pointer", "git lfs pull"]);
        assert_eq!(fs::read_to_string(workspace.path(file)).unwrap(), pointer);
    }
    let workspace = workspace(&png(&[]));
    let edit = r#"(parts: [(scribble: "mask.png", edit: Replace, words: "a dark cloud")])"#;
    fs::write(workspace.path("edit.ron"), edit).unwrap();
    fs::write(workspace.path("mask.png"), pointer).unwrap();
    workspace.run(&EDIT).fails_with(&["mask.png", "Git LFS pointer", "git lfs pull"]);
}
