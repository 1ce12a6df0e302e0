//! Compares pictures and edits of FLUX.2 Klein with diffusers, step by step.

use std::{fs, path::Path};

use bevy_illustrator::{
    diffusion::{
        Denoiser, DeviceKind, DrawRequest, EditRequest, Interrupt, Model, Noise, SampleInputs,
        TextEncoder, Trace,
        adapter::PictureAdapters,
        autoencoder,
        denoise::flux2::Flux2Transformer2DModel,
        guide::Unguided,
        hooks::{Differential, Surroundings},
        sample,
        scheduler::{self, FlowSchedule, SchedulerConfig},
        text::qwen3::Qwen3TextEncoder,
    },
    mask::{Area, Mask},
    model::{FolderPackage, ModelCard, ModelDefaults, Package, inspect::inspect},
    recipe::{EditKind, Images, Part, PartEdit, ResolvedSampler, Size},
};
use candle_core::{DType, Device, Tensor};
use image::{DynamicImage, RgbImage, RgbaImage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{assert_near, fixture, range, tensors};

/// The tolerance of latents and pictures, relative to their range.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Picture {
    name: String,
    is_distilled: bool,
    prompt: String,
    steps: u32,
    guidance: f32,
    size: [u32; 2],
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

fn cases<T: for<'a> Deserialize<'a>>(file: &str) -> Vec<T> {
    serde_json::from_str(&fs::read_to_string(fixture(file)).unwrap()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { _ = fs::copy(from, to).unwrap() }
    }
}

/// A copy of the fixture with another index.
fn changed(change: impl Fn(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture("klein"), folder.path());
    let index = folder.path().join("model_index.json");
    let mut json = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    change(&mut json);
    fs::write(index, json.to_string()).unwrap();
    folder
}

fn load(files: &dyn Package) -> Model {
    Model::load(files, DeviceKind::Cpu, &Interrupt::default()).unwrap()
}

fn sampler(steps: u32, guidance_scale: f32) -> ResolvedSampler {
    ResolvedSampler {
        scheduler: "FlowMatchEulerDiscreteScheduler".to_owned(),
        sigmas: None,
        prediction_type: None,
        steps,
        guidance_scale,
        guidance_rescale: 0.0,
    }
}

#[test]
fn pictures_match_the_pipeline() {
    let pictures: Vec<Picture> = cases("pipelines/klein_cases.json");
    assert_eq!(pictures.len(), 3);
    for case in pictures {
        let name = case.name;
        let recorded = tensors(&format!("pipelines/{name}.safetensors"));
        let folder = changed(|index| index["is_distilled"] = case.is_distilled.into());
        let mut model = load(&FolderPackage::open(folder.path()).unwrap());
        let [width, height] = case.size;
        let request = DrawRequest {
            prompt: case.prompt,
            negative_prompt: String::new(),
            size: Size::new(width, height),
            sampler: sampler(case.steps, case.guidance),
            noise: Noise::Latents(recorded["noise"].clone()),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let mut trace = Trace::default();
        let drawn = model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        assert_eq!(drawn.image.dimensions(), (width, height), "{name}");
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

/// An edit of one part of a recorded picture.
fn edit_request(case: &Edit, recorded: &std::collections::HashMap<String, Tensor>) -> EditRequest {
    let [width, height] = case.size;
    let bytes = recorded["picture"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
    let picture = RgbImage::from_raw(width, height, bytes).unwrap();
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
        picture: DynamicImage::ImageRgb8(picture).into_rgba8(),
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

/// diffusers' inpainting pipeline shows the picture itself to the model.
#[test]
fn a_conditioning_with_the_picture_as_reference_matches_the_inpainting_pipeline() {
    let files = FolderPackage::open(fixture("klein")).unwrap();
    let (device, interrupt) = (&Device::Cpu, &Interrupt::default());
    let denoiser = Flux2Transformer2DModel::load(&files, "transformer", true, device).unwrap();
    assert!(denoiser.sees_references());
    let encoder = Qwen3TextEncoder::load(&files, &[9, 18, 27], device).unwrap();
    let vae = autoencoder::load(&files, "vae", device).unwrap();
    let config = SchedulerConfig::from_value(files.config("scheduler").unwrap()).unwrap();
    let config = config.for_flow(FlowSchedule::Flux2);
    for case in cases::<Edit>("edits/klein_cases.json") {
        let recorded = tensors(&format!("edits/{}.safetensors", case.name));
        let picture = recorded["picture"].to_dtype(DType::F32).unwrap();
        let picture = picture.permute((2, 0, 1)).unwrap().unsqueeze(0).unwrap();
        let picture = picture.affine(1.0 / 127.5, -1.0).unwrap().contiguous().unwrap();
        let original = vae.encode(&picture, interrupt).unwrap();
        let prompt = encoder.encode(&case.prompt, interrupt).unwrap();
        let prompt = prompt.with_references(vec![original.clone()]);
        let [columns, rows] = case.size.map(|side| (side / 16) as usize);
        let [x, y, wide, high] = case.part.map(|side| (side / 16) as usize);
        let strengths = (0..rows * columns).map(|at| {
            let inside = (x..x + wide).contains(&(at % columns));
            let inside = inside && (y..y + high).contains(&(at / columns));
            if inside { case.strength } else { 0.0 }
        });
        let mask = Tensor::from_vec(strengths.collect(), (1, 1, rows, columns), device).unwrap();
        let noised = Surroundings::Noised;
        let mut differential = Differential::new(mask, original.clone(), original, noised).unwrap();
        let config = config.clone().for_picture(rows * columns);
        let name = "FlowMatchEulerDiscreteScheduler";
        let mut scheduler = scheduler::build(name, &config, case.steps).unwrap();
        let mut trace = Trace::default();
        let inputs = SampleInputs {
            denoiser: &denoiser,
            scheduler: &mut *scheduler,
            noise: recorded["noise"].clone(),
            step_noise: &|_| unreachable!("Euler adds no noise"),
            inpainting: None,
            conditionings: std::slice::from_ref(&prompt),
            guide: &Unguided { prompt: 0 },
            prompt: &prompt,
            negative_prompt: None,
            adapters: &PictureAdapters::default(),
            interrupt,
        };
        sample(inputs, &mut [&mut differential, &mut trace]).unwrap();
        let mut compared = 0;
        for (key, expected) in recorded.iter().filter(|(key, _)| key.starts_with("referred")) {
            let what = format!("{}: {key}", case.name);
            let found = trace.get(&key.replace("referred", "latents")).unwrap();
            assert_near(&what, found, expected, TOLERANCE * range(expected));
            compared += 1;
        }
        assert_eq!(compared, (case.steps as f32 * case.strength) as usize, "{}", case.name);
    }
}

fn kept_outside(before: &RgbaImage, after: &RgbaImage, blend: &Mask) -> usize {
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
