//! Compares edits with diffusers, step by step.

use std::fs;

use bevy_illustrator::model::{EmbeddedPackage, FolderPackage};
use bevy_illustrator::{
    diffusion::{DeviceKind, DrawRequest, EditRequest, Interrupt, Model, Noise, Trace, scheduler},
    mask::{Area, Mask},
    recipe::{EditKind, Images, Part, PartEdit, ResolvedSampler, Size},
};
use image::{DynamicImage, RgbImage, RgbaImage};
use serde::Deserialize;

use super::{assert_near, fixture, range, tensors};

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    scheduler: String,
    steps: u32,
    strength: f32,
    size: [u32; 2],
    /// Left, top, width, height.
    part: [u32; 4],
    prompt: String,
    #[serde(rename = "unwanted")]
    negative_prompt: String,
    guidance: f32,
}

/// The tolerance of latents, relative to their range.
const TOLERANCE: f64 = 1e-4;

#[test]
fn an_edit_of_one_part_matches_diffusers_inpainting() {
    let cases = fs::read_to_string(fixture("edits/cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let recorded = tensors(&format!("edits/{}.safetensors", case.name));
        let [width, height] = case.size;
        let bytes = recorded["picture"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        let picture = RgbImage::from_raw(width, height, bytes).unwrap();
        let picture = DynamicImage::ImageRgb8(picture).into_rgba8();
        let [x, y, wide, high] = case.part;
        let part = Part::new(
            "part",
            Mask::rectangle(width, height, Area { x, y, width: wide, height: high }),
            PartEdit {
                words: case.prompt,
                negative_prompt: case.negative_prompt,
                strength: Some(case.strength),
                grow: Some(0),
                feather: Some(0),
                ..PartEdit::new(EditKind::Replace)
            },
        );
        let request = EditRequest {
            parts: vec![part],
            style: String::new(),
            // diffusers samples the whole picture.
            context: Some(Area { x: 0, y: 0, width, height }),
            tiled: false,
            picture,
            prompt: String::new(),
            negative_prompt: String::new(),
            sampler: ResolvedSampler {
                scheduler: scheduler::find(&case.scheduler).unwrap().class_name.to_owned(),
                sigmas: None,
                prediction_type: None,
                clip_skip: None,
                steps: case.steps,
                guidance_scale: case.guidance,
                guidance_rescale: 0.0,
                guidance_interval: None,
            },
            noise: Noise::Latents(recorded["noise"].clone()),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let files = FolderPackage::open(fixture(&case.model)).unwrap();
        let mut model = Model::load(&files, DeviceKind::Cpu, &Interrupt::default()).unwrap();
        let mut trace = Trace::default();
        model.edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        let mut compared = 0;
        for (key, expected) in recorded.iter().filter(|(key, _)| key.starts_with("latents")) {
            let found = trace.get(key).unwrap_or_else(|| panic!("{}: no {key}", case.name));
            let what = format!("{}: {key}", case.name);
            assert_near(&what, found, expected, TOLERANCE * range(expected));
            compared += 1;
        }
        let steps = (f64::from(case.steps) * f64::from(case.strength) + 1e-4) as u32;
        assert_eq!(compared, steps, "{}", case.name);
    }
}

/// Also covers guidance rescaling, which diffusers does not support for inpainting.
#[test]
fn replacing_a_whole_picture_at_full_strength_equals_drawing_it() {
    replace_all("DPMSolverMultistepScheduler");
}

#[test]
fn a_stochastic_scheduler_adds_the_same_noise_to_an_edit_as_to_a_picture() {
    replace_all("EulerAncestralDiscreteScheduler");
}

fn replace_all(scheduler: &str) {
    let (width, height, words) = (64, 64, "a red lighthouse by the sea");
    let sampler = ResolvedSampler {
        scheduler: scheduler.to_owned(),
        steps: 4,
        guidance_rescale: 0.7,
        ..ResolvedSampler::default()
    };
    let picture = RgbaImage::from_pixel(width, height, image::Rgba([90, 120, 40, 255]));
    let part = Part::new(
        "all",
        Mask::rectangle(width, height, Area { x: 0, y: 0, width, height }),
        PartEdit {
            words: words.to_owned(),
            strength: Some(1.0),
            grow: Some(0),
            feather: Some(0),
            ..PartEdit::new(EditKind::Replace)
        },
    );
    let edit = EditRequest {
        parts: vec![part],
        style: String::new(),
        context: None,
        tiled: false,
        picture,
        prompt: String::new(),
        negative_prompt: "low fog".to_owned(),
        sampler: sampler.clone(),
        noise: Noise::Seed(3),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let drawing = DrawRequest {
        prompt: words.to_owned(),
        negative_prompt: edit.negative_prompt.clone(),
        size: Size::new(width, height),
        sampler,
        noise: Noise::Seed(3),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let mut model =
        Model::load(&EmbeddedPackage::built_in(), DeviceKind::Cpu, &Interrupt::default()).unwrap();
    let [mut edited, mut drawn] = [Trace::default(), Trace::default()];
    model.edit(&edit, &Interrupt::default(), &mut [&mut edited]).unwrap();
    model.draw(&drawing, &Interrupt::default(), &mut [&mut drawn]).unwrap();
    let [found, expected] = [&edited, &drawn].map(|trace| trace.get("latents_4").unwrap());
    assert_near("the last latents", found, expected, 1e-3 * range(expected));
}
