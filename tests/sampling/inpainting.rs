//! Compares pictures and edits of inpainting models with diffusers, step by step.

#[path = "../common/inpainting.rs"]
mod model;

use std::fs;

use bevy_illustrator::{
    diffusion::{
        DeviceKind, DrawRequest, EditRequest, Interrupt, Model, Noise, Trace,
        family::{check, families},
        scheduler,
    },
    mask::{Area, Mask},
    model::{FolderPackage, ModelDefaults, inspect::inspect},
    recipe::{EditKind, Images, Part, PartEdit, ResolvedSampler, Size},
};
use image::{DynamicImage, RgbImage};
use serde::Deserialize;

use super::{assert_near, fixture, range, tensors};

/// The tolerance of latents, relative to their range.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    scheduler: String,
    steps: u32,
    size: [u32; 2],
    /// Left, top, width, height, strength. Without parts, the whole picture is drawn.
    parts: Vec<(u32, u32, u32, u32, f32)>,
    prompt: String,
    #[serde(rename = "unwanted")]
    negative_prompt: String,
    guidance: f32,
}

impl Case {
    fn sampler(&self) -> ResolvedSampler {
        ResolvedSampler {
            scheduler: scheduler::find(&self.scheduler).unwrap().class_name.to_owned(),
            sigmas: None,
            prediction_type: None,
            clip_skip: None,
            steps: self.steps,
            guidance_scale: self.guidance,
            guidance_rescale: 0.0,
            guidance_interval: None,
        }
    }

    fn part(&self, (x, y, width, height, strength): (u32, u32, u32, u32, f32)) -> Part {
        let mask = Mask::rectangle(self.size[0], self.size[1], Area { x, y, width, height });
        let edit = PartEdit {
            words: self.prompt.clone(),
            negative_prompt: self.negative_prompt.clone(),
            strength: Some(strength),
            grow: Some(0),
            feather: Some(0),
            ..PartEdit::new(EditKind::Replace)
        };
        Part::new("part", mask, edit)
    }
}

#[test]
fn pictures_and_edits_of_inpainting_models_match_diffusers() {
    let cases = fs::read_to_string(fixture("inpainting/cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert!(cases.len() >= 6);
    for case in cases {
        let recorded = tensors(&format!("inpainting/{}.safetensors", case.name));
        let [width, height] = case.size;
        let folder = model::folder(&fixture(""), &case.model);
        let package = FolderPackage::open(folder.path()).unwrap();
        let mut model = Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap();
        let (mut trace, noise) = (Trace::default(), Noise::Latents(recorded["noise"].clone()));
        let strongest = case.parts.iter().map(|part| part.4).fold(0.0, f32::max);
        let strength = if case.parts.is_empty() { 1.0 } else { strongest };
        if case.parts.is_empty() {
            let request = DrawRequest {
                prompt: case.prompt.clone(),
                negative_prompt: case.negative_prompt.clone(),
                size: Size::new(width, height),
                sampler: case.sampler(),
                noise,
                inspirations: Vec::new(),
                losses: Vec::new(),
                score: false,
                images: Images::new(),
            };
            model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        } else {
            let bytes = recorded["picture"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
            let picture = RgbImage::from_raw(width, height, bytes).unwrap();
            let request = EditRequest {
                parts: case.parts.iter().map(|part| case.part(*part)).collect(),
                style: String::new(),
                // diffusers samples the whole picture.
                context: Some(Area { x: 0, y: 0, width, height }),
                tiled: false,
                picture: DynamicImage::ImageRgb8(picture).into_rgba8(),
                prompt: String::new(),
                negative_prompt: String::new(),
                sampler: case.sampler(),
                noise,
                inspirations: Vec::new(),
                losses: Vec::new(),
                score: false,
                images: Images::new(),
            };
            model.edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        }
        let mut compared = 0;
        for step in 1..=case.steps {
            let key = &format!("latents_{step}");
            let Some(expected) = recorded.get(key) else { continue };
            let found = trace.get(key).unwrap_or_else(|| panic!("{}: no {key}", case.name));
            let what = format!("{}: {key}", case.name);
            assert_near(&what, found, expected, TOLERANCE * range(expected));
            compared += 1;
        }
        let steps = (f64::from(case.steps) * f64::from(strength) + 1e-4) as u32;
        assert_eq!(compared, steps, "{}", case.name);
        if case.parts.is_empty() {
            let found = trace.get("image").unwrap();
            assert_near(&case.name, found, &recorded["image"], 2.0 * TOLERANCE);
        }
    }
}

#[test]
fn the_inspector_and_the_loader_accept_inpainting_models_of_both_families() {
    for name in ["sd1", "sd2", "sdxl"] {
        let folder = model::folder(&fixture(""), name);
        let found = inspect(folder.path()).unwrap();
        assert!(found.runs(), "{name}: {:?}", found.obstacles);
        let package = FolderPackage::open(folder.path()).unwrap();
        check(&families(), &package, &Interrupt::default()).unwrap();
        assert_eq!(ModelDefaults::of(&package).unwrap().guidance_scale, 7.5);
    }
}
