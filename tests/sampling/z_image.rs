//! Compares pictures and edits of Z-Image with diffusers, step by step.

use std::{fs, path::Path};

use bevy_illustrator::{
    diffusion::{DeviceKind, DrawRequest, EditRequest, Interrupt, Model, Noise, Trace},
    generator::inspect,
    mask::{Area, Mask},
    model::{FolderPackage, ModelCard, ModelDefaults},
    recipe::{EditKind, GuidanceInterval, Images, Part, PartEdit, ResolvedSampler, Size},
};
use candle_core::Tensor;
use image::{Rgba, RgbaImage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    assert_near, fixture,
    klein::{cases, changed_file, kept_outside, load, picture, sampler},
    range, tensors,
};

/// The tolerance of latents and pictures, relative to their range.
const TOLERANCE: f64 = 1e-4;

const SCHEDULER: &str = "scheduler/scheduler_config.json";

#[derive(Deserialize)]
struct Picture {
    name: String,
    prompt: String,
    #[serde(rename = "unwanted")]
    negative_prompt: String,
    steps: u32,
    guidance: f32,
    size: [u32; 2],
    /// Whether the noise levels depend on the size.
    dynamic: bool,
    /// The timestep after which the pipeline does not guide.
    truncation: Option<f32>,
}

#[derive(Deserialize)]
struct Edit {
    name: String,
    prompt: String,
    #[serde(rename = "unwanted")]
    negative_prompt: String,
    steps: u32,
    strength: f32,
    guidance: f32,
    size: [u32; 2],
    /// Left, top, width, height.
    part: [u32; 4],
}

fn z_image() -> Model {
    load(&FolderPackage::open(fixture("z_image")).unwrap())
}

fn draw_request(prompt: &str, [width, height]: [u32; 2], noise: Noise) -> DrawRequest {
    DrawRequest {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        size: Size::new(width, height),
        sampler: sampler(2, 0.0),
        noise,
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

fn edit_request(picture: RgbaImage, part: Part, noise: Noise) -> EditRequest {
    EditRequest {
        parts: vec![part],
        style: String::new(),
        context: None,
        tiled: false,
        picture,
        prompt: String::new(),
        negative_prompt: String::new(),
        sampler: sampler(2, 0.0),
        noise,
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

/// A part in a picture of this size.
fn part([width, height]: [u32; 2], [x, y, wide, high]: [u32; 4], words: &str) -> Part {
    let edit = PartEdit {
        words: words.to_owned(),
        grow: Some(0),
        feather: Some(0),
        ..PartEdit::new(EditKind::Replace)
    };
    let area = Area { x, y, width: wide, height: high };
    Part::new("part", Mask::rectangle(width, height, area), edit)
}

#[test]
fn pictures_match_the_pipeline() {
    let pictures: Vec<Picture> = cases("pipelines/z_image_cases.json");
    assert_eq!(pictures.len(), 5);
    for case in pictures {
        let name = case.name;
        let recorded = tensors(&format!("pipelines/{name}.safetensors"));
        let folder = changed_file("z_image", SCHEDULER, |config| {
            config["use_dynamic_shifting"] = case.dynamic.into();
        });
        let mut model = load(&FolderPackage::open(folder.path()).unwrap());
        let noise = Noise::Latents(recorded["noise"].clone());
        let request = DrawRequest {
            negative_prompt: case.negative_prompt,
            sampler: ResolvedSampler {
                guidance_interval: case.truncation.map(|_| GuidanceInterval { from: 0.0, to: 0.6 }),
                ..sampler(case.steps, case.guidance)
            },
            ..draw_request(&case.prompt, case.size, noise)
        };
        let mut trace = Trace::default();
        let drawn = model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        assert_eq!(drawn.image.dimensions(), case.size.into(), "{name}");
        let mut compared = 0;
        for (key, expected) in recorded.iter().filter(|(key, _)| *key != "noise") {
            let found = trace.get(key).unwrap_or_else(|| panic!("{name}: no {key}"));
            // The pipeline clamps the picture.
            let allowed = if key == "image" { 2.0 } else { range(expected) };
            assert_near(&format!("{name}: {key}"), found, expected, TOLERANCE * allowed);
            compared += 1;
        }
        assert_eq!(compared, 3 + case.steps, "{name}");
    }
}

#[test]
fn an_edit_of_one_part_matches_the_inpainting_pipeline_and_keeps_the_rest() {
    let edits: Vec<Edit> = cases("edits/z_image_cases.json");
    assert_eq!(edits.len(), 2);
    let mut model = z_image();
    for case in edits {
        let recorded = tensors(&format!("edits/{}.safetensors", case.name));
        let mut part = part(case.size, case.part, &case.prompt);
        part.edit.strength = Some(case.strength);
        part.edit.negative_prompt = case.negative_prompt;
        let [width, height] = case.size;
        let noise = Noise::Latents(recorded["noise"].clone());
        let request = EditRequest {
            // diffusers samples the whole picture.
            context: Some(Area { x: 0, y: 0, width, height }),
            sampler: sampler(case.steps, case.guidance),
            ..edit_request(picture(&recorded["picture"], case.size), part, noise)
        };
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
        let changed = kept_outside(&request.picture, &edited.image, &blend);
        let [_, _, wide, high] = case.part;
        assert!(changed > (wide * high / 2) as usize, "{}: {changed} pixels", case.name);
    }
}

#[test]
fn pictures_and_crops_of_any_size_are_whole_patches() {
    let mut model = z_image();
    let (interrupt, size) = (Interrupt::default(), [37, 67]);
    let mut trace = Trace::default();
    let request = draw_request("a harbour", size, Noise::Seed(3));
    let drawn = model.draw(&request, &interrupt, &mut [&mut trace]).unwrap();
    assert_eq!(drawn.image.dimensions(), size.into());
    assert_eq!(trace.get("latents_0").unwrap().dims(), [1, 4, 10, 6]);

    // The part ends at the edge of the picture, in half a patch.
    let part = part(size, [29, 9, 8, 58], "a red door");
    let request = EditRequest {
        context: Some(Area { x: 24, y: 9, width: 13, height: 58 }),
        ..edit_request(
            RgbaImage::from_pixel(37, 67, Rgba([90, 120, 40, 255])),
            part,
            Noise::Seed(4),
        )
    };
    let mut trace = Trace::default();
    let edited = model.edit(&request, &interrupt, &mut [&mut trace]).unwrap();
    let plan = model.plan_edit(&request).unwrap();
    for side in [plan.crop.x, plan.crop.y, plan.crop.width, plan.crop.height] {
        assert_eq!(side % 16, 0, "{:?}", plan.crop);
    }
    let (rows, columns) = (plan.crop.height / 8, plan.crop.width / 8);
    let latents = trace.get("latents_1").unwrap();
    assert_eq!(latents.dims(), [1, 4, rows as usize, columns as usize]);
    assert!(kept_outside(&request.picture, &edited.image, &plan.blend_mask) > 200);
}

#[test]
fn the_file_of_another_autoencoder_has_the_scale_and_the_shift_of_the_model() {
    let (mut model, interrupt) = (z_image(), Interrupt::default());
    let mut draw = |vae: Option<&Path>| {
        let vae = vae.map(|vae| vae.display().to_string());
        model.set_vae(vae.as_deref(), &interrupt).unwrap();
        let mut trace = Trace::default();
        let request = draw_request("a harbour", [32, 32], Noise::Seed(3));
        model.draw(&request, &interrupt, &mut [&mut trace]).unwrap();
        trace.get("image").unwrap().clone()
    };
    // The tensors of the file do not tell the scale and the shift.
    let file = fixture("z_image/vae/diffusion_pytorch_model.safetensors");
    let (own, other): (Tensor, Tensor) = (draw(None), draw(Some(&file)));
    assert_near("the picture", &other, &own, 1e-6);
}

#[test]
fn the_folder_runs_and_has_the_defaults_of_its_pipeline() {
    let found = inspect(&fixture("z_image")).unwrap();
    assert!(found.runs(), "{:?}", found.obstacles);
    assert_eq!(found.base_name(), Some("Z-Image"));
    let kept = found.parts.iter().filter(|part| part.name != "text_encoder");
    let weights: u64 = kept.map(|part| 4 * part.parameters).sum();
    let needs = found.memory.unwrap();
    assert_eq!((needs.usual, needs.usual.weights), (needs.low, weights));

    let files = FolderPackage::open(fixture("z_image")).unwrap();
    let grid = load(&files).grid();
    // A patch of latents counts as one.
    assert_eq!((grid.scale, grid.trained_latents), (16, 64));
    let card = ModelCard::new(&files, grid, &Interrupt::default()).unwrap();
    assert!(card.abilities.negative_prompt);
    let turbo = ModelDefaults {
        scheduler: "FlowMatchEulerDiscreteScheduler".to_owned(),
        steps: 8,
        guidance_scale: 0.0,
        guidance_rescale: 0.0,
        prediction_type: None,
        size: [1024, 1024],
    };
    assert_eq!(card.defaults, turbo);
    let folder = changed_file("z_image", SCHEDULER, |config| config["shift"] = json!(6.0));
    let base = FolderPackage::open(folder.path()).unwrap();
    let defaults = ModelDefaults::of(&base).unwrap();
    assert_eq!(defaults, ModelDefaults { steps: 50, guidance_scale: 5.0, ..turbo });
}

#[test]
fn a_folder_that_does_not_fit_together_is_refused_with_the_field() {
    let error = |folder: &Path| {
        let files = FolderPackage::open(folder).unwrap();
        let loaded = Model::load(&files, DeviceKind::Cpu, &Interrupt::default());
        loaded.err().unwrap().to_string()
    };
    let folder = changed_file("z_image", "model_index.json", |index| {
        index["transformer"][1] = "Flux2Transformer2DModel".into();
    });
    assert!(error(folder.path()).contains("ZImageTransformer2DModel"));
    let folder = changed_file("z_image", SCHEDULER, |_| {});
    for (part, field, value, words) in [
        ("transformer", "cap_feat_dim", json!(24), ["cap_embedder", "24"]),
        ("transformer", "axes_dims", json!([4, 4, 4]), ["axes_dims", "three even numbers"]),
        ("transformer", "axes_dims", json!([5, 5]), ["axes_dims", "three even numbers"]),
        ("transformer", "all_patch_size", json!([2, 4]), ["all_patch_size", "[2]"]),
        ("transformer", "siglip_feat_dim", json!(1152), ["siglip_feat_dim", "null"]),
        ("transformer", "qk_norm", json!(false), ["qk_norm", "true"]),
        ("transformer", "n_layers", json!(0), ["n_layers", "1 to 1024"]),
        ("transformer", "t_scale", json!(0.0), ["t_scale", "above 0"]),
        ("text_encoder", "num_hidden_layers", json!(1), ["num_hidden_layers", "more than 1"]),
        ("text_encoder", "num_hidden_layers", json!(5), ["layers.3", "missing"]),
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
