//! Compares pictures with diffusers, step by step.

use std::{collections::HashMap, fs};

use bevy_illustrator::model::{EmbeddedPackage, FolderPackage, Package};
use bevy_illustrator::{
    diffusion::{DeviceKind, DrawRequest, Interrupt, Model, Noise, Trace, scheduler},
    recipe::{GuidanceInterval, Images, ResolvedSampler, Size},
};
use candle_core::Tensor;
use serde::Deserialize;

use super::{assert_near, fixture, range, tensors};

/// The tolerance of a picture, relative to its range. The documentation promises 1e-3.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Case {
    model: String,
    prompt: String,
    scheduler: String,
    steps: u32,
    guidance: f32,
    guidance_rescale: f32,
    size: [u32; 2],
    #[serde(rename = "unwanted")]
    negative_prompt: String,
}

#[test]
fn pictures_match_diffusers() {
    let cases = fs::read_to_string(fixture("pipelines/cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() >= 10);
    for case in cases {
        let name = format!("{}_{}", case.model, case.scheduler);
        let files = FolderPackage::open(fixture(&case.model)).unwrap();
        let (trace, recorded) = draw(&name, &case, &files);
        assert_near(&name, trace.get("image").unwrap(), &recorded["image"], 2.0 * TOLERANCE);
    }
}

#[test]
fn pictures_of_the_built_in_model_match_diffusers() {
    let case = fs::read_to_string(fixture("pipelines/sketch.json")).unwrap();
    let case: Case = serde_json::from_str(&case).unwrap();
    let (trace, recorded) = draw("sketch", &case, &EmbeddedPackage::built_in());
    let every_fourth = Tensor::arange_step(0_u32, 256, 4, &candle_core::Device::Cpu).unwrap();
    let image = trace.get("image").unwrap().index_select(&every_fourth, 2).unwrap();
    let image = image.index_select(&every_fourth, 3).unwrap();
    assert_near("sketch", &image, &recorded["image"], 2.0 * TOLERANCE);
}

#[derive(Deserialize)]
struct IntervalCase {
    name: String,
    start: f32,
    stop: f32,
    #[serde(flatten)]
    case: Case,
}

/// `tests/reference/guidance_interval.py` records them with diffusers' `ClassifierFreeGuidance`.
#[test]
fn pictures_with_guidance_in_an_interval_match_diffusers() {
    let cases = fs::read_to_string(fixture("guidance_interval/cases.json")).unwrap();
    let cases: Vec<IntervalCase> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 3);
    for IntervalCase { name, start, stop, case } in cases {
        let recorded = tensors(&format!("guidance_interval/{name}.safetensors"));
        let mut request = request(&case, &recorded);
        request.sampler.guidance_interval = Some(GuidanceInterval { from: start, to: stop });
        let files = FolderPackage::open(fixture(&case.model)).unwrap();
        let mut model = Model::load(&files, DeviceKind::Cpu, &Interrupt::default()).unwrap();
        let mut trace = Trace::default();
        model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        for step in 1..=case.steps {
            let key = &format!("latents_{step}");
            let (found, expected) = (trace.get(key).unwrap(), &recorded[key]);
            assert_near(&format!("{name}: {key}"), found, expected, TOLERANCE * range(expected));
        }
    }
}

/// Draws a recorded case and compares all intermediate tensors.
fn draw(name: &str, case: &Case, files: &dyn Package) -> (Trace, HashMap<String, Tensor>) {
    let recorded = tensors(&format!("pipelines/{name}.safetensors"));
    let [width, height] = case.size;
    let request = request(case, &recorded);
    let mut trace = Trace::default();
    let mut model = Model::load(files, DeviceKind::Cpu, &Interrupt::default()).unwrap();
    let picture = model
        .draw(&request, &Interrupt::default(), &mut [&mut trace])
        .unwrap_or_else(|error| panic!("{name}: {error}"))
        .image;
    assert_eq!(picture.dimensions(), (width, height), "{name}");
    let mut compared = 0;
    for (key, expected) in &recorded {
        if !["noise", "image"].contains(&key.as_str()) {
            let found = trace.get(key).unwrap_or_else(|| panic!("{name}: no {key}"));
            assert_near(&format!("{name}: {key}"), found, expected, TOLERANCE * range(expected));
            compared += 1;
        }
    }
    assert_eq!(compared, 4 + recorded["timesteps"].elem_count(), "{name}");
    (trace, recorded)
}

fn request(case: &Case, recorded: &HashMap<String, Tensor>) -> DrawRequest {
    let [width, height] = case.size;
    DrawRequest {
        prompt: case.prompt.clone(),
        negative_prompt: case.negative_prompt.clone(),
        size: Size::new(width, height),
        sampler: ResolvedSampler {
            scheduler: scheduler::find(&case.scheduler).unwrap().class_name.to_owned(),
            sigmas: None,
            prediction_type: None,
            clip_skip: None,
            steps: case.steps,
            guidance_scale: case.guidance,
            guidance_rescale: case.guidance_rescale,
            guidance_interval: None,
        },
        noise: Noise::Latents(recorded["noise"].clone()),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}
