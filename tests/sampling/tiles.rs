//! Compares pictures that are drawn again, as a whole and in tiles, with diffusers, step by step.

use std::fs;

use bevy_illustrator::{
    diffusion::{DeviceKind, EditRequest, Interrupt, Model, Noise, Trace, scheduler},
    model::FolderPackage,
    recipe::{Images, Part, PartEdit, ResolvedSampler, Size},
};
use image::{DynamicImage, RgbImage};
use serde::Deserialize;

use super::{assert_near, fixture, range, tensors};

#[derive(Deserialize)]
struct Case {
    name: String,
    scheduler: String,
    steps: u32,
    strength: f32,
    size: [u32; 2],
    prompt: String,
    negative_prompt: String,
    guidance: f32,
}

/// The tolerance of latents, relative to their range.
const TOLERANCE: f64 = 1e-4;

/// In tiles, the UNet of diffusers predicts for each tile, and `tests/reference/tiles.py` blends its predictions.
#[test]
fn a_picture_that_is_drawn_again_matches_diffusers_img2img_as_a_whole_and_in_tiles() {
    let cases = fs::read_to_string(fixture("tiles/cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let recorded = tensors(&format!("tiles/{}.safetensors", case.name));
        let [width, height] = case.size;
        let bytes = recorded["picture"].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        let picture = RgbImage::from_raw(width, height, bytes).unwrap();
        let whole = Part::whole(Size::new(width, height), case.strength);
        let edit = PartEdit { grow: Some(0), feather: Some(0), ..whole.edit.clone() };
        let request = EditRequest {
            parts: vec![Part { edit, ..whole }],
            style: String::new(),
            context: None,
            tiled: case.name == "tiled",
            picture: DynamicImage::ImageRgb8(picture).into_rgba8(),
            prompt: case.prompt,
            negative_prompt: case.negative_prompt,
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
        let files = FolderPackage::open(fixture("sd1")).unwrap();
        let mut model = Model::load(&files, DeviceKind::Cpu, &Interrupt::default()).unwrap();
        let mut trace = Trace::default();
        model.edit(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        for step in 1..=3 {
            let key = format!("latents_{step}");
            let (found, expected) = (trace.get(&key).unwrap(), &recorded[&key]);
            let what = format!("{}: {key}", case.name);
            assert_near(&what, found, expected, TOLERANCE * range(expected));
        }
        assert!(!recorded.contains_key("latents_4"));
    }
}
