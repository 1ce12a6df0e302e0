//! Compares pictures and edits of FLUX.2 Klein with diffusers, step by step.

use std::{fs, path::Path, sync::Arc};

use bevy_illustrator::{
    diffusion::{
        DeviceKind, DiffusionError, DrawError, DrawRequest, EditRequest, Interrupt, Model, Noise,
        Trace,
    },
    generator::open_model,
    mask::{Area, Mask},
    model::{FolderPackage, ModelCard, ModelDefaults, Package, inspect::inspect, with_transformer},
    recipe::{
        BlobId, EditKind, ImageUse, Images, Inspiration, InspirationKind, Part, PartEdit,
        ResolvedSampler, Size,
    },
};
use candle_core::Tensor;
use image::{DynamicImage, RgbImage, RgbaImage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{assert_near, copy_folder::copy_folder, fixture, range, tensors};

/// The tolerance of latents and pictures, relative to their range.
pub(super) const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Picture {
    name: String,
    is_distilled: bool,
    prompt: String,
    steps: u32,
    guidance: f32,
    size: [u32; 2],
    /// Width and height of each reference.
    references: Vec<[u32; 2]>,
}

#[derive(Deserialize)]
struct Edit {
    name: String,
    prompt: String,
    steps: u32,
    strength: f32,
    size: [u32; 2],
    /// Left, top, width, height.
    part: [u32; 4],
}

pub(super) fn cases<T: for<'a> Deserialize<'a>>(file: &str) -> Vec<T> {
    serde_json::from_str(&fs::read_to_string(fixture(file)).unwrap()).unwrap()
}

/// A copy of the fixture with another index.
fn changed(change: impl Fn(&mut Value)) -> tempfile::TempDir {
    changed_file("klein", "model_index.json", change)
}

/// A copy of a fixture in which one file is another.
pub(super) fn changed_file(
    name: &str,
    file: &str,
    change: impl Fn(&mut Value),
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture(name), folder.path());
    let file = folder.path().join(file);
    let mut json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    change(&mut json);
    fs::write(file, json.to_string()).unwrap();
    folder
}

pub(super) fn load(files: &dyn Package) -> Model {
    Model::load(files, DeviceKind::Cpu, &Interrupt::default()).unwrap()
}

pub(super) fn sampler(steps: u32, guidance_scale: f32) -> ResolvedSampler {
    ResolvedSampler {
        scheduler: "FlowMatchEulerDiscreteScheduler".to_owned(),
        sigmas: None,
        prediction_type: None,
        clip_skip: None,
        steps,
        guidance_scale,
        guidance_rescale: 0.0,
        guidance_interval: None,
    }
}

#[test]
fn pictures_match_the_pipeline() {
    let pictures: Vec<Picture> = cases("pipelines/klein_cases.json");
    assert_eq!(pictures.len(), 5);
    for case in pictures {
        let name = case.name;
        let recorded = tensors(&format!("pipelines/{name}.safetensors"));
        let folder = changed(|index| index["is_distilled"] = case.is_distilled.into());
        let mut model = load(&FolderPackage::open(folder.path()).unwrap());
        let [width, height] = case.size;
        let references = case.references.iter().enumerate();
        let references =
            references.map(|(at, &size)| picture(&recorded[&format!("reference_{at}")], size));
        let (inspirations, images) = references_of(references);
        let request = DrawRequest {
            prompt: case.prompt,
            negative_prompt: String::new(),
            size: Size::new(width, height),
            sampler: sampler(case.steps, case.guidance),
            noise: Noise::Latents(recorded["noise"].clone()),
            inspirations,
            losses: Vec::new(),
            score: false,
            images,
        };
        let mut trace = Trace::default();
        let drawn = model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        assert_eq!(drawn.image.dimensions(), (width, height), "{name}");
        let mut compared = 0;
        let is_input = |key: &str| key == "noise" || key.starts_with("reference");
        for (key, expected) in recorded.iter().filter(|(key, _)| !is_input(key)) {
            let found = trace.get(key).unwrap_or_else(|| panic!("{name}: no {key}"));
            // The pipeline clamps the picture.
            let allowed = if key == "image" { 2.0 } else { range(expected) };
            assert_near(&format!("{name}: {key}"), found, expected, TOLERANCE * allowed);
            compared += 1;
        }
        assert_eq!(compared, 3 + case.steps, "{name}");
    }
}

/// A recorded picture.
pub(super) fn picture(bytes: &Tensor, [width, height]: [u32; 2]) -> RgbaImage {
    let bytes = bytes.flatten_all().unwrap().to_vec1::<u8>().unwrap();
    DynamicImage::ImageRgb8(RgbImage::from_raw(width, height, bytes).unwrap()).into_rgba8()
}

/// Inspirations by these reference images.
fn references_of(pictures: impl IntoIterator<Item = RgbaImage>) -> (Vec<Inspiration>, Images) {
    let referred = pictures.into_iter().map(|picture| {
        let id = BlobId::of_image(&picture);
        let kind = InspirationKind::Image(ImageUse::Reference, id.clone());
        (Inspiration::new(kind), (id, Arc::new(picture)))
    });
    referred.unzip()
}

/// An edit of one part of a recorded picture.
fn edit_request(case: &Edit, recorded: &std::collections::HashMap<String, Tensor>) -> EditRequest {
    let [width, height] = case.size;
    let [x, y, wide, high] = case.part;
    let part = Part::new(
        "part",
        Mask::rectangle(width, height, Area { x, y, width: wide, height: high }),
        PartEdit {
            words: case.prompt.clone(),
            strength: Some(case.strength),
            grow: Some(0),
            feather: Some(0),
            ..PartEdit::new(EditKind::Replace)
        },
    );
    EditRequest {
        parts: vec![part],
        style: String::new(),
        // diffusers samples the whole picture.
        context: Some(Area { x: 0, y: 0, width, height }),
        tiled: false,
        picture: picture(&recorded["picture"], case.size),
        prompt: String::new(),
        negative_prompt: String::new(),
        sampler: sampler(case.steps, 1.0),
        noise: Noise::Latents(recorded["noise"].clone()),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

pub(super) fn kept_outside(before: &RgbaImage, after: &RgbaImage, blend: &Mask) -> usize {
    let mut changed = 0;
    for (x, y, pixel) in before.enumerate_pixels() {
        let is_kept = pixel == after.get_pixel(x, y);
        assert!(is_kept || blend.at(x, y) > 0, "pixel {x},{y} changed");
        changed += usize::from(!is_kept);
    }
    changed
}

#[test]
fn an_edit_of_one_part_matches_the_inpainting_pipeline_and_keeps_the_rest() {
    let edits: Vec<Edit> = cases("edits/klein_cases.json");
    assert_eq!(edits.len(), 2);
    let mut model = load(&FolderPackage::open(fixture("klein")).unwrap());
    for case in edits {
        let recorded = tensors(&format!("edits/{}.safetensors", case.name));
        let request = edit_request(&case, &recorded);
        let mut trace = Trace::default();
        let edited = model.edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let mut compared = 0;
        for (key, expected) in recorded.iter().filter(|(key, _)| key.starts_with("latents")) {
            let what = format!("{}: {key}", case.name);
            let found = trace.get(key).unwrap_or_else(|| panic!("no {what}"));
            assert_near(&what, found, expected, TOLERANCE * range(expected));
            compared += 1;
        }
        assert_eq!(compared, (case.steps as f32 * case.strength) as usize, "{}", case.name);
        let blend = model.plan_edit(&request).unwrap().blend_mask;
        let [_, _, wide, high] = case.part;
        let changed = kept_outside(&request.picture, &edited.image, &blend);
        assert!(changed > (wide * high / 2) as usize, "{}: {changed} pixels", case.name);
    }
}

#[test]
fn the_folder_runs_and_has_the_defaults_of_its_pipeline() {
    let found = inspect(&fixture("klein")).unwrap();
    assert!(found.runs(), "{:?}", found.obstacles);
    let files = FolderPackage::open(fixture("klein")).unwrap();
    let grid = load(&files).grid();
    assert_eq!((grid.scale, grid.trained_latents), (16, 64));
    let card = ModelCard::new(&files, grid, &Interrupt::default()).unwrap();
    assert!(!card.abilities.negative_prompt);
    let distilled = ModelDefaults {
        scheduler: "FlowMatchEulerDiscreteScheduler".to_owned(),
        steps: 4,
        guidance_scale: 1.0,
        guidance_rescale: 0.0,
        prediction_type: None,
        size: [1024, 1024],
    };
    assert_eq!(card.defaults, distilled);

    let folder = changed(|index| index["is_distilled"] = false.into());
    let base = FolderPackage::open(folder.path()).unwrap();
    let base_card = ModelCard::new(&base, grid, &Interrupt::default()).unwrap();
    assert!(base_card.abilities.negative_prompt);
    assert_eq!((base_card.defaults.steps, base_card.defaults.guidance_scale), (50, 4.0));
    // The same weights, but another configuration.
    assert_eq!(base_card.hash, card.hash);
    assert_ne!(base_card.config_hash, card.config_hash);
    let transformer = folder.path().join("transformer/diffusion_pytorch_model.safetensors");
    let mut bytes = fs::read(&transformer).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(transformer, bytes).unwrap();
    let other = FolderPackage::open(folder.path()).unwrap();
    assert_ne!(other.hash(&Interrupt::default()).unwrap(), card.hash);
}

#[test]
fn a_folder_that_does_not_fit_together_is_refused_with_the_field() {
    let error = |folder: &Path| {
        let files = FolderPackage::open(folder).unwrap();
        let loaded = Model::load(&files, DeviceKind::Cpu, &Interrupt::default());
        loaded.err().unwrap().to_string()
    };
    let folder = changed(|index| index["scheduler"][1] = "DDIMScheduler".into());
    assert!(error(folder.path()).contains("FlowMatchEulerDiscreteScheduler"));
    let folder = changed(|_| {});
    for (part, field, value, words) in [
        ("transformer", "joint_attention_dim", json!(24), ["context_embedder", "36"]),
        (
            "transformer",
            "axes_dims_rope",
            json!([4, 4, 4]),
            ["axes_dims_rope", "four even numbers"],
        ),
        ("transformer", "out_channels", json!(32), ["out_channels", "in_channels"]),
        ("vae", "patch_size", json!([4, 4]), ["patch_size", "vae/config.json"]),
        ("text_encoder", "num_hidden_layers", json!(27), ["num_hidden_layers", "more than 27"]),
        ("text_encoder", "num_key_value_heads", json!(3), ["num_key_value_heads", "divisor"]),
    ] {
        let file = folder.path().join(part).join("config.json");
        let before = fs::read_to_string(&file).unwrap();
        let mut json: Value = serde_json::from_str(&before).unwrap();
        json[field] = value;
        fs::write(&file, json.to_string()).unwrap();
        let error = error(folder.path());
        fs::write(&file, before).unwrap();
        assert!(words.iter().all(|word| error.contains(word)), "{field}: {error}");
    }
}

#[test]
fn the_references_of_a_part_are_only_seen_by_its_prompt() {
    let case = &cases::<Edit>("edits/klein_cases.json")[0];
    let recorded = tensors(&format!("edits/{}.safetensors", case.name));
    let mut model = load(&FolderPackage::open(fixture("klein")).unwrap());
    let mut latents = |change: &dyn Fn(&mut EditRequest)| {
        let mut request = edit_request(case, &recorded);
        // A second part with the same words, which touches the first one nowhere.
        let [width, height] = case.size;
        let area = Area { x: 0, y: 0, width: 16, height: 16 };
        let mut second = request.parts[0].clone();
        second.mask = Mask::rectangle(width, height, area);
        request.parts.push(second);
        change(&mut request);
        let mut trace = Trace::default();
        model.edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        // The first step starts from the same latents.
        trace.get("latents_1").unwrap().clone()
    };
    let reference =
        || references_of([RgbaImage::from_pixel(32, 32, image::Rgba([250, 10, 10, 255]))]);
    let plain = latents(&|_| {});
    let of_part = latents(&|request| {
        (request.parts[0].edit.inspirations, request.parts[0].images) = reference();
    });
    let of_picture = latents(&|request| (request.inspirations, request.images) = reference());
    let differs = |other: &Tensor, x: usize, y: usize| {
        let at = |tensor: &Tensor| tensor.narrow(2, y, 1).unwrap().narrow(3, x, 1).unwrap();
        super::numbers(&at(&plain)) != super::numbers(&at(other))
    };
    // The first part begins at the second latent of both axes.
    assert_eq!([differs(&of_part, 0, 0), differs(&of_part, 1, 1)], [false, true]);
    assert_eq!([differs(&of_picture, 0, 0), differs(&of_picture, 1, 1)], [true, true]);
}

#[test]
fn a_model_that_does_not_see_references_refuses_them() {
    let sketch = bevy_illustrator::model::EmbeddedPackage::built_in();
    let (inspirations, images) = references_of([RgbaImage::new(32, 32)]);
    let request = DrawRequest {
        prompt: "a harbour".to_owned(),
        negative_prompt: String::new(),
        size: Size::new(64, 64),
        sampler: ResolvedSampler { scheduler: "DDIMScheduler".to_owned(), ..sampler(2, 1.0) },
        noise: Noise::Seed(1),
        inspirations,
        losses: Vec::new(),
        score: false,
        images,
    };
    let refused = load(&sketch).draw(&request, &Interrupt::default(), &mut []).unwrap_err();
    assert!(matches!(refused, DiffusionError::Draw(DrawError::NoReferences)), "{refused}");
}

#[test]
fn a_model_of_three_files_draws_as_the_same_model_in_a_folder() {
    let part = |name: &str| fixture("single_files").join(name).display().to_string();
    // No tensor tells whether the model was distilled.
    let folder = changed(|index| index["is_distilled"] = false.into());
    let config = folder.path().join("transformer/config.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    (json["attention_head_dim"], json["axes_dims_rope"]) = (json!(16), json!([4, 4, 4, 4]));
    // As in the published models.
    json["rope_theta"] = json!(2000.0);
    fs::write(config, json.to_string()).unwrap();
    let whole = FolderPackage::open(folder.path()).unwrap();
    let whole = with_transformer(whole.shared(), Path::new(&part("klein_original.gguf"))).unwrap();

    let (encoders, vae) = ([part("klein_text_encoder.gguf")], fixture("klein/vae"));
    let vae = vae.display().to_string();
    let open = |encoders: &[String], vae: Option<&str>| {
        let parts = open_model(&part("klein_original.gguf"), encoders, vae).unwrap();
        Model::load(&*parts, DeviceKind::Cpu, &Interrupt::default())
    };
    let draw = |mut model: Model, guidance: f32| {
        let request = DrawRequest {
            prompt: "a red lighthouse by the sea at night".to_owned(),
            negative_prompt: String::new(),
            size: Size::new(48, 32),
            sampler: sampler(2, guidance),
            noise: Noise::Seed(7),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        model.draw(&request, &Interrupt::default(), &mut []).unwrap().image
    };
    let [plain, guided] = [1.0, 4.0].map(|guidance| {
        let drawn = draw(open(&encoders, Some(&vae)).unwrap(), guidance);
        assert!(drawn == draw(load(&whole), guidance), "the pictures with {guidance} differ");
        assert!(drawn.pixels().any(|pixel| pixel != drawn.get_pixel(0, 0)));
        drawn
    });
    assert!(plain != guided, "an author can guide the base model");
    let parts = open_model(&part("klein_original.gguf"), &encoders, Some(&vae)).unwrap();
    let defaults = ModelDefaults::of(&*parts).unwrap();
    assert_eq!((defaults.steps, defaults.guidance_scale), (4, 1.0));

    let refused = |encoders: &[String], vae| open(encoders, vae).err().unwrap().to_string();
    assert!(refused(&[], Some(&vae)).contains("has no text encoder"));
    assert!(refused(&encoders, None).contains("has no autoencoder"));
}
