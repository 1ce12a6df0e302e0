//! Pictures of a model whose folder has adapters, compared with diffusers' pipelines.

#[path = "adapters/unusable.rs"]
mod unusable;
#[path = "adapters/xl.rs"]
mod xl;

use std::{collections::HashMap, fs, path::Path};

use bevy_illustrator::{
    diffusion::{
        DeviceKind, DiffusionError, DrawRequest, EditRequest, Interrupt, Model, Noise, Trace,
        family::{check, families},
        scheduler,
    },
    mask::{Area, Mask},
    model::{FolderPackage, ModelCard},
    recipe::{
        BlobId, EditKind, ImageUse, Images, Inspiration, InspirationKind, Loss, LossKind, Part,
        PartEdit, ResolvedSampler, Size,
    },
};
use candle_core::{DType, Tensor};
use image::{Rgba, RgbaImage};
use tempfile::TempDir;

use super::{assert_near, fixture, tensors};

pub(super) const SIZE: Size = Size::new(64, 48);
/// The weight in `tests/reference/adapters.py`.
const WEIGHT: f32 = 0.8;
pub(super) const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";

/// Copies the files of `tests/reference/fixtures` into a folder.
pub(super) fn copy(from: &str, to: &Path) {
    let from = fixture(from);
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        copy(entry.path().to_str().unwrap(), &to.join(entry.file_name()));
    }
}

/// The model `sd1` with the ControlNet for this use.
pub(super) fn control_folder(usage: &str) -> TempDir {
    let folder = folder(&[]);
    copy("sd1_control_net", &folder.path().join("adapters").join(usage));
    folder
}

/// The tensors of an adapter in the file `to` of the model `sd1`, by the original names in `single_files/NAMES.json`.
pub(super) fn single_file(weights: &str, names: &str, to: &str) -> TempDir {
    let folder = folder(&[]);
    let names = fs::read(fixture(&format!("single_files/{names}.json"))).unwrap();
    let names: HashMap<String, String> = serde_json::from_slice(&names).unwrap();
    let tensors = tensors(weights);
    let renamed = names.iter().map(|(name, of)| (name.as_str(), tensors[of].clone()));
    let renamed: HashMap<&str, Tensor> = renamed.collect();
    let to = folder.path().join("adapters").join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    candle_core::safetensors::save(&renamed, to).unwrap();
    folder
}

/// The model `sd1` with these files of `sd1_adapters` below `adapters`.
pub(super) fn folder(adapters: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy("sd1", folder.path());
    for (from, to) in adapters {
        copy(&format!("sd1_adapters/{from}"), &folder.path().join("adapters").join(to));
    }
    folder
}

const OUTLINE: (&str, &str) = ("full", "outline");
const SCRIBBLE: (&str, &str) = ("full", "scribble");
pub(super) const ENCODER: (&str, &str) = ("image_encoder", "image_encoder");
pub(super) const PLAIN: (&str, &str) = ("plain.safetensors", "style/ip-adapter_sd15.safetensors");
const PLUS: (&str, &str) = ("plus.safetensors", "style/ip-adapter-plus_sd15.safetensors");
const CONTENT: (&str, &str) = ("plus.safetensors", "content/ip-adapter-plus_sd15.safetensors");
const REFERENCE: (&str, &str) = ("plain.safetensors", "reference/ip-adapter_sd15.safetensors");
const ALL: [(&str, &str); 6] = [OUTLINE, SCRIBBLE, ENCODER, PLAIN, CONTENT, REFERENCE];

pub(super) fn load(folder: &TempDir) -> Model {
    let package = FolderPackage::open(folder.path()).unwrap();
    Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap()
}

/// A recorded u8 image, (channels, height, width).
fn picture(channels: &Tensor) -> RgbaImage {
    let channels = channels.to_vec3::<u8>().unwrap();
    let (width, height) = (channels[0][0].len() as u32, channels[0].len() as u32);
    RgbaImage::from_fn(width, height, |x, y| {
        let at = |channel: usize| channels[channel][y as usize][x as usize];
        match channels.len() {
            1 => Rgba([at(0), at(0), at(0), 255]),
            _ => Rgba([at(0), at(1), at(2), 255]),
        }
    })
}

/// A drawing of a disc.
pub(super) fn disc() -> RgbaImage {
    RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let distance = (x as f32 - 24.0).hypot(y as f32 - 20.0);
        if distance < 15.0 { Rgba([20, 40, 200, 255]) } else { Rgba([250, 240, 230, 255]) }
    })
}

fn add(images: &mut Images, image: RgbaImage) -> BlobId {
    let id = BlobId::of_image(&image);
    images.insert(id.clone(), image.into());
    id
}

/// An inspiration in all steps, with its image.
pub(super) fn inspiration(
    usage: ImageUse,
    image: RgbaImage,
    weight: f32,
) -> (Vec<Inspiration>, Images) {
    let mut images = Images::new();
    let kind = InspirationKind::Image(usage, add(&mut images, image));
    (vec![Inspiration { weight, to: Some(1.0), ..Inspiration::new(kind) }], images)
}

fn sampler() -> ResolvedSampler {
    ResolvedSampler {
        scheduler: scheduler::find("euler").unwrap().class_name.to_owned(),
        sigmas: None,
        prediction_type: None,
        clip_skip: None,
        steps: 5,
        guidance_scale: 5.0,
        guidance_rescale: 0.0,
        guidance_interval: None,
    }
}

pub(super) fn request((inspirations, images): (Vec<Inspiration>, Images)) -> DrawRequest {
    DrawRequest {
        prompt: "a red lighthouse by the sea at night".to_owned(),
        negative_prompt: "low fog".to_owned(),
        size: SIZE,
        sampler: sampler(),
        noise: Noise::Seed(3),
        inspirations,
        losses: Vec::new(),
        score: false,
        images,
    }
}

fn draw(
    model: &mut Model,
    inspired: (Vec<Inspiration>, Images),
) -> Result<RgbaImage, DiffusionError> {
    let drawn = model.draw(&request(inspired), &Interrupt::default(), &mut [])?;
    assert!(drawn.losses.is_empty(), "an adapter needs no loss");
    Ok(drawn.image)
}

/// The error of a picture with an image of this use, and that of the check of the model. Pictures without the image must
/// not need the adapter.
fn error_of(folder: &TempDir, usage: ImageUse) -> String {
    let mut model = load(folder);
    draw(&mut model, (Vec::new(), Images::new())).unwrap();
    let error = draw(&mut model, inspiration(usage, disc(), 1.0)).unwrap_err().to_string();
    let package = FolderPackage::open(folder.path()).unwrap();
    let checked = check(&families(), &package, &Interrupt::default()).unwrap_err().to_string();
    assert_eq!(checked, error);
    error
}

/// The largest difference of a channel.
fn apart(a: &RgbaImage, b: &RgbaImage) -> u8 {
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn pictures_with_adapters_match_diffusers() {
    let recorded = tensors("networks/sd1_adapters.safetensors");
    for (name, adapters, usage, image) in [
        ("outline", &[OUTLINE] as &[_], ImageUse::Outline, "lines"),
        ("plain", &[PLAIN, ENCODER], ImageUse::Style, "style"),
        ("plus", &[PLUS, ENCODER], ImageUse::Style, "style"),
        ("layout", &[CONTENT, ENCODER], ImageUse::Content, "content"),
    ] {
        assert_adapter_matches(name, &folder(adapters), usage, &recorded[image]);
    }
}

/// Compares a picture with the adapter of a model with the one that is recorded under `name`.
fn assert_adapter_matches(name: &str, folder: &TempDir, usage: ImageUse, image: &Tensor) {
    let recorded = tensors("networks/sd1_adapters.safetensors");
    let inspired = inspiration(usage, picture(image), WEIGHT);
    let noise = Noise::Latents(recorded[&format!("{name}.noise")].clone());
    let request = DrawRequest { noise, ..request(inspired) };
    let mut trace = Trace::default();
    load(folder).draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
    let expected = &recorded[&format!("{name}.picture")];
    let expected = expected.to_dtype(DType::F32).unwrap();
    assert_near(name, trace.get("image").unwrap(), &expected, 2e-4);
}

#[test]
fn pictures_with_a_control_net_match_diffusers() {
    assert_control_net_matches(&control_folder("outline"));
}

#[test]
fn pictures_with_a_single_file_match_diffusers() {
    let control = format!("sd1_control_net/{WEIGHTS}");
    let file = "outline/control_v11p_sd15_lineart.safetensors";
    assert_control_net_matches(&single_file(&control, "control_net_of_sd1", file));

    let sketch = format!("sd1_adapters/full/{WEIGHTS}");
    let file = "outline/t2iadapter_sketch_sd15v2.safetensors";
    let folder = single_file(&sketch, "full_adapter_of_sd1", file);
    let package = FolderPackage::open(folder.path()).unwrap();
    check(&families(), &package, &Interrupt::default()).unwrap();
    let recorded = tensors("networks/sd1_adapters.safetensors");
    assert_adapter_matches("outline", &folder, ImageUse::Outline, &recorded["lines"]);
}

/// Compares pictures with the ControlNet of a model with those that are recorded.
fn assert_control_net_matches(folder: &TempDir) {
    let recorded = tensors("networks/sd1_control_net.safetensors");
    let mut model = load(folder);
    // The weight and the ranges of `tests/reference/control_nets.py`.
    for (name, from, to) in [("all", 0.0, 1.0), ("some", 0.2, 0.6)] {
        let lines = picture(&recorded[&format!("{name}.lines")]);
        let size = Size::new(lines.width(), lines.height());
        let (mut inspirations, images) = inspiration(ImageUse::Outline, lines, 0.7);
        (inspirations[0].from, inspirations[0].to) = (from, Some(to));
        let noise = Noise::Latents(recorded[&format!("{name}.noise")].clone());
        let request = DrawRequest { noise, size, ..request((inspirations, images)) };
        let mut trace = Trace::default();
        model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let expected = &recorded[&format!("{name}.picture")];
        assert_near(name, trace.get("image").unwrap(), expected, 2e-4);
    }
}

#[test]
fn a_control_net_follows_outlines_scribbles_and_contents_but_not_styles() {
    for usage in [ImageUse::Outline, ImageUse::Scribble, ImageUse::Content] {
        let name = match usage {
            ImageUse::Outline => "outline",
            ImageUse::Scribble => "scribble",
            _ => "content",
        };
        let folder = control_folder(name);
        let mut model = load(&folder);
        let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
        let drawn = draw(&mut model, inspiration(usage, disc(), 1.0)).unwrap();
        assert!(apart(&drawn, &plain) > 3, "{usage:?}");
        // Only the edges of colours are drawn.
        let flat = RgbaImage::from_pixel(SIZE.width, SIZE.height, Rgba([250, 250, 250, 255]));
        let none = draw(&mut model, inspiration(usage, flat, 1.0)).unwrap();
        assert_ne!(none, drawn, "{usage:?}");
        let package = FolderPackage::open(folder.path()).unwrap();
        check(&families(), &package, &Interrupt::default()).unwrap();
    }
    let folder = control_folder("outline");
    let config = folder.path().join("adapters/outline/config.json");
    let other =
        fs::read_to_string(&config).unwrap().replace("ControlNetModel", "FluxControlNetModel");
    fs::write(config, other).unwrap();
    let error = error_of(&folder, ImageUse::Outline);
    assert!(error.contains("FluxControlNetModel"), "{error}");
    assert!(error.contains("ControlNetModel, ControlNetUnionModel or T2IAdapter"), "{error}");
    let error = error_of(&control_folder("style"), ImageUse::Style);
    assert!(error.contains("a ControlNet cannot follow an image as StyleImage"), "{error}");
}

#[test]
fn a_control_net_leaves_the_picture_free_where_a_scribble_is_transparent() {
    let folder = control_folder("scribble");
    let mut model = load(&folder);
    let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
    let clear = RgbaImage::from_pixel(SIZE.width, SIZE.height, Rgba([200, 20, 20, 0]));
    let drawn = draw(&mut model, inspiration(ImageUse::Scribble, clear, 1.0)).unwrap();
    assert_eq!(drawn, plain);
}

#[test]
fn a_transparent_scribble_does_not_even_load_the_network() {
    let folder = control_folder("scribble");
    let mut model = load(&folder);
    let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
    fs::write(folder.path().join("adapters/scribble").join(WEIGHTS), b"damaged").unwrap();
    let mut scribble = RgbaImage::from_pixel(SIZE.width, SIZE.height, Rgba([200, 20, 20, 0]));
    let clear = inspiration(ImageUse::Scribble, scribble.clone(), 1.0);
    assert_eq!(draw(&mut model, clear).unwrap(), plain);
    scribble.put_pixel(9, 9, Rgba([200, 20, 20, 255]));
    draw(&mut model, inspiration(ImageUse::Scribble, scribble, 1.0)).unwrap_err();
}

#[test]
fn a_thin_line_of_a_scribble_acts_in_the_cells_around_it() {
    let line = RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let is_line = x == 30 && (8..40).contains(&y);
        Rgba([0, 0, 0, if is_line { 255 } else { 0 }])
    });
    // A content image has no mask.
    let [masked, whole] =
        [("scribble", ImageUse::Scribble), ("content", ImageUse::Content)].map(|(name, usage)| {
            let folder = control_folder(name);
            let mut model = load(&folder);
            let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
            let drawn = draw(&mut model, inspiration(usage, line.clone(), 1.0)).unwrap();
            let changes = drawn.enumerate_pixels().zip(plain.pixels());
            let near = changes.filter(|((x, y, _), _)| (27..34).contains(x) && (8..40).contains(y));
            let change = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b));
            near.map(|((.., a), b)| a.0.iter().zip(&b.0).map(change).sum::<u64>()).sum::<u64>()
        });
    // A line fills an eighth of the smallest cells, and less of the others.
    assert!(3 * masked > whole, "{masked} {whole}");
}

#[test]
fn an_adapter_acts_by_its_weight_in_its_steps() {
    let folder = folder(&ALL);
    let mut model = load(&folder);
    let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
    for usage in ImageUse::ALL {
        let mut with = |change: &dyn Fn(&mut Inspiration)| {
            let (mut inspirations, images) = inspiration(usage, disc(), 1.0);
            change(&mut inspirations[0]);
            draw(&mut model, (inspirations, images)).unwrap()
        };
        let adapted = with(&|_| {});
        assert!(apart(&adapted, &plain) > 3, "{usage:?}");
        assert!(apart(&with(&|it| it.weight = 1e-6), &plain) <= 1, "{usage:?}");
        // The last of five steps begins at four fifths.
        assert_eq!(with(&|it| it.from = 0.9), plain, "{usage:?}");
        let first = with(&|it| it.to = Some(0.3));
        assert!(first != plain && first != adapted, "{usage:?}");
    }
}

#[test]
fn a_transparent_scribble_leaves_the_picture_free() {
    let folder = folder(&ALL);
    let mut model = load(&folder);
    let plain = draw(&mut model, (Vec::new(), Images::new())).unwrap();
    let clear = RgbaImage::from_pixel(SIZE.width, SIZE.height, Rgba([200, 20, 20, 0]));
    let drawn = draw(&mut model, inspiration(ImageUse::Scribble, clear, 1.0)).unwrap();
    assert_eq!(drawn, plain);
}

#[test]
fn a_use_without_an_adapter_is_that_of_a_model_without_adapters() {
    let folders = [folder(&[OUTLINE]), folder(&[])];
    let [mut with, mut without] = folders.each_ref().map(load);
    let request = request(inspiration(ImageUse::Scribble, disc(), 1.0));
    let [a, b] = [&mut with, &mut without]
        .map(|model| model.draw(&request, &Interrupt::default(), &mut []).unwrap());
    assert_eq!(a.image, b.image);
    assert_eq!(a.losses.len(), 1);
}

#[test]
fn losses_act_beside_adapters() {
    let folder = folder(&ALL);
    let mut model = load(&folder);
    let (inspirations, images) = inspiration(ImageUse::Outline, disc(), 1.0);
    let losses = vec![Loss::new(LossKind::TotalVariation)];
    let request = DrawRequest { losses, ..request((inspirations.clone(), images.clone())) };
    let drawn = model.draw(&request, &Interrupt::default(), &mut []).unwrap();
    assert_eq!(drawn.losses.len(), 1);
    assert_ne!(drawn.image, draw(&mut model, (inspirations, images)).unwrap());
}

#[test]
fn an_adapter_of_a_part_changes_nothing_else() {
    let original = RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        Rgba([(3 * x) as u8, (5 * y) as u8, 120, 255])
    });
    for (folder, usages) in [
        (folder(&ALL), &ImageUse::ALL[..]),
        (control_folder("outline"), &[ImageUse::Outline]),
        (control_folder("scribble"), &[ImageUse::Scribble]),
    ] {
        assert_only_parts_change(&original, &folder, usages);
    }
}

/// Asserts that images of these uses change nothing outside of a part.
fn assert_only_parts_change(original: &RgbaImage, folder: &TempDir, usages: &[ImageUse]) {
    let mut model = load(folder);
    let mut edit = |inspirations: Vec<Inspiration>, images: Images| {
        let area = Area { x: 8, y: 8, width: 24, height: 24 };
        let mask = Mask::rectangle(SIZE.width, SIZE.height, area);
        let edit = PartEdit { inspirations, ..PartEdit::new(EditKind::Refine) };
        let request = EditRequest {
            picture: original.clone(),
            prompt: "a tree".to_owned(),
            negative_prompt: "a tree".to_owned(),
            parts: vec![Part { images, ..Part::new("part", mask, edit) }],
            style: String::new(),
            context: None,
            tiled: false,
            sampler: sampler(),
            noise: Noise::Seed(3),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let plan = model.plan_edit(&request).unwrap();
        let drawn = model.edit(&request, &Interrupt::default(), &mut []).unwrap();
        assert!(drawn.losses.is_empty());
        (plan.blend_mask, drawn.image)
    };
    let (_, plain) = edit(Vec::new(), Images::new());
    for &usage in usages {
        let (inspirations, images) = inspiration(usage, disc(), 1.0);
        let (mask, edited) = edit(inspirations, images);
        assert_ne!(edited, plain, "{usage:?}");
        for (x, y, pixel) in edited.enumerate_pixels() {
            if mask.at(x, y) == 0 {
                assert_eq!(pixel, original.get_pixel(x, y), "{usage:?} {x},{y}");
            }
        }
        // Nothing is painted before the first step.
        let (inspirations, images) = inspiration(usage, disc(), 1e-6);
        assert!(apart(&edit(inspirations, images).1, &plain) <= 1, "{usage:?}");
    }
}

#[test]
fn adapters_are_part_of_the_identity_of_a_model() {
    let card = |folder: &TempDir| {
        let package = FolderPackage::open(folder.path()).unwrap();
        let card = ModelCard::new(&package, Default::default(), &Interrupt::default()).unwrap();
        (card.hash, card.config_hash)
    };
    let plain = card(&folder(&[]));
    let adapted = folder(&[OUTLINE]);
    let (hash, config_hash) = card(&adapted);
    assert!(hash != plain.0 && config_hash != plain.1);
    // The same adapter for another use draws other pictures.
    assert_ne!(card(&folder(&[SCRIBBLE])).0, hash);
    let weights = adapted.path().join("adapters/outline").join(WEIGHTS);
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    assert_ne!(card(&adapted).0, hash);
    assert_eq!(card(&adapted).1, config_hash);
}
