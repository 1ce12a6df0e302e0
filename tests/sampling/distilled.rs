//! Compares pictures of a UNet that embeds the guidance scale with diffusers, step by step.

use std::fs;

use bevy_illustrator::{
    diffusion::{DeviceKind, DrawRequest, Interrupt, Model, Noise, Trace},
    model::{FolderPackage, ModelDefaults},
    recipe::{Images, ResolvedSampler, Size},
};
use candle_core::Device;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{assert_near, copy_folder::copy_folder, fixture, range, tensors};

/// The tolerance of latents, relative to their range.
const TOLERANCE: f64 = 1e-4;

const GUIDANCE: &str = "time_embedding.cond_proj.weight";

/// A copy of the model `sd1`, whose UNet embeds the guidance scale.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("sd1"), folder.path());
    let weights = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let mut unet = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap();
    unet.insert(GUIDANCE.to_owned(), tensors("distilled.safetensors")[GUIDANCE].clone());
    candle_core::safetensors::save(&unet, weights).unwrap();
    let change = |file: &str, change: &dyn Fn(&mut Value)| {
        let path = folder.path().join(file);
        let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut json);
        fs::write(path, json.to_string()).unwrap();
    };
    change("unet/config.json", &|config| config["time_cond_proj_dim"] = json!(16));
    change("model_index.json", &|index| {
        index["_class_name"] = json!("LatentConsistencyModelPipeline");
        index["scheduler"] = json!(["diffusers", "LCMScheduler"]);
    });
    folder
}

#[test]
fn pictures_of_a_model_that_embeds_the_guidance_scale_match_diffusers() {
    let recorded = tensors("distilled.safetensors");
    let folder = folder();
    let package = FolderPackage::open(folder.path()).unwrap();
    let mut model = Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap();
    for guidance_scale in [1.0, 3.5, 8.5] {
        let request = DrawRequest {
            prompt: "a red lighthouse by the sea at night".to_owned(),
            // It has no effect.
            negative_prompt: "low fog".to_owned(),
            size: Size::new(64, 48),
            sampler: ResolvedSampler {
                scheduler: "DDIMScheduler".to_owned(),
                sigmas: None,
                prediction_type: None,
                clip_skip: None,
                steps: 4,
                guidance_scale,
                guidance_rescale: 0.0,
                guidance_interval: None,
            },
            noise: Noise::Latents(recorded["noise"].clone()),
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let mut trace = Trace::default();
        model.draw(&request, &Interrupt::default(), &mut [&mut trace]).unwrap();
        for step in 1..=4 {
            let key = &format!("latents_{step}");
            let what = format!("guidance_{guidance_scale:?}.{key}");
            let (found, expected) = (trace.get(key).unwrap(), &recorded[&what]);
            assert_near(&what, found, expected, TOLERANCE * range(expected));
        }
    }
}

#[test]
fn a_latent_consistency_model_draws_few_steps_with_the_guidance_scale_of_its_pipeline() {
    let folder = folder();
    let defaults = ModelDefaults::of(&FolderPackage::open(folder.path()).unwrap()).unwrap();
    assert_eq!(defaults.scheduler, "LCMScheduler");
    assert_eq!((defaults.steps, defaults.guidance_scale), (4, 8.5));
}
