//! Compares the networks with diffusers on the same weights.
//!
//! `tests/reference/make.py` builds the weights and records the tensors; see the README there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapters;
mod adapters_xl;
mod checkpoint_parts;
mod checkpoints;
mod clip_model;
mod control_nets;
#[path = "../../src/test_support/copy_folder.rs"]
mod copy_folder;
mod embeddings;
mod flow_loras;
mod flux2;
mod full_size;
mod half;
#[path = "../common/inpainting.rs"]
mod inpainting;
mod klein_files;
#[path = "../common/ldm_files.rs"]
mod ldm_files;
mod loras;
mod prompts;
mod single_files;
mod z_image;
mod z_image_files;

use std::{collections::HashMap, path::PathBuf, time::Instant};

use bevy_illustrator::diffusion::{
    Conditioning, DiffusionError, Interrupt, LatentSpec,
    autoencoder::{self, AutoencoderKL, AutoencoderTiny, Tiling},
    denoise::unet::UNet2DConditionModel,
    text::{clip::ClipTextModel, tokenizer::ClipTokenizer},
};
use bevy_illustrator::model::{EmbeddedPackage, FolderPackage, Package};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

/// The maximum absolute difference from diffusers.
const TOLERANCE: f64 = 1e-4;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures")
}

fn model(name: &str) -> FolderPackage {
    FolderPackage::open(fixtures().join(name)).unwrap()
}

/// Tensors recorded by Python in a file.
struct Record {
    file: String,
    tensors: HashMap<String, Tensor>,
}

impl Record {
    fn open(path: PathBuf) -> Self {
        let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        Self { file: path.file_stem().unwrap().display().to_string(), tensors }
    }

    fn of(name: &str) -> Self {
        Self::open(fixtures().join(format!("networks/{name}.safetensors")))
    }

    fn get(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Asserts that `found` matches the tensor recorded under `name`.
    fn compare(&self, name: &str, found: &Tensor) {
        let expected = self.get(name);
        assert_eq!(found.shape(), expected.shape(), "{} {name}", self.file);
        let (found, expected) = (numbers(found), numbers(expected));
        assert!(found.iter().all(|number| number.is_finite()), "{} {name}", self.file);
        let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
        println!("{} {name}: {worst:.1e}", self.file);
        assert!(worst <= TOLERANCE, "{} {name} is off by {worst:e}", self.file);
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Asserts that two gradients have the same direction and length.
fn assert_gradients_agree(name: &str, found: &Tensor, expected: &Tensor) {
    let [found, expected] = [found, expected].map(numbers);
    let cosine = dot(&found, &expected) / (dot(&found, &found) * dot(&expected, &expected)).sqrt();
    let length_ratio = (dot(&found, &found) / dot(&expected, &expected)).sqrt();
    println!("{name}: cosine {cosine:.8}, length ratio {length_ratio:.6}");
    assert!(cosine > 0.99999, "{name}: cosine {cosine}");
    assert!((length_ratio - 1.0).abs() < 1e-3, "{name}: length ratio {length_ratio}");
}

fn compare_text_encoder(files: &dyn Package, name: &str, record: &Record) {
    let encoder = ClipTextModel::load(files, name, &Device::Cpu).unwrap();
    let output = encoder.forward(record.get("ids"), None).unwrap();
    for (index, state) in output.hidden_states.iter().enumerate() {
        record.compare(&format!("hidden_states_{index}"), state);
    }
    assert!(!record.tensors.contains_key(&format!("hidden_states_{}", output.hidden_states.len())));
    record.compare("last_hidden_state", &output.last_hidden_state);
}

#[test]
fn text_encoders_agree_with_transformers_in_every_layer() {
    for name in ["sd1", "sd2"] {
        let record = Record::of(&format!("{name}_text_encoder"));
        compare_text_encoder(&model(name), "text_encoder", &record);
    }
}

#[test]
fn encoding_a_prompt_alone_matches_encoding_it_in_a_batch() {
    let encoder = ClipTextModel::load(&model("sd1"), "text_encoder", &Device::Cpu).unwrap();
    let record = Record::of("sd1_text_encoder");
    for index in 0..record.get("ids").dim(0).unwrap() {
        let ids = record.get("ids").narrow(0, index, 1).unwrap();
        let alone = encoder.encode(&ids).unwrap();
        let together = record.get("last_hidden_state").narrow(0, index, 1).unwrap();
        let apart = (alone - together).unwrap().abs().unwrap().max_all().unwrap();
        assert!(apart.to_scalar::<f32>().unwrap() < TOLERANCE as f32);
    }
}

#[test]
fn tokenizers_agree_with_transformers() {
    #[derive(Deserialize)]
    struct Prompt {
        text: String,
        ids: Vec<u32>,
    }
    for (name, length) in [("sd1", 77), ("sd2", 32)] {
        let tokenizer = ClipTokenizer::load(&model(name)).unwrap();
        assert_eq!(tokenizer.length(), length);
        let prompts =
            std::fs::read(fixtures().join(format!("networks/{name}_tokens.json"))).unwrap();
        let prompts: Vec<Prompt> = serde_json::from_slice(&prompts).unwrap();
        assert!(prompts.len() > 5);
        for Prompt { text, ids } in prompts {
            assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{name}: {text}");
        }
    }
}

/// The recorded conditioning.
fn conditioning(record: &Record) -> Conditioning {
    let conditioning = Conditioning::new(record.get("context").clone());
    match record.tensors.get("pooled") {
        Some(pooled) => conditioning.with_pooled(pooled.clone()),
        None => conditioning,
    }
}

fn compare_unet(unet: &UNet2DConditionModel, record: &Record) {
    let timestep = record.get("timestep").get(0).unwrap().to_scalar::<f64>().unwrap();
    let mut outputs = Vec::new();
    let output = unet
        .forward_observed(
            record.get("sample"),
            timestep,
            &conditioning(record),
            &Interrupt::default(),
            &mut |name, tensor| outputs.push((name.to_owned(), tensor.clone())),
        )
        .unwrap();
    for (name, tensor) in outputs {
        if record.tensors.contains_key(&name) {
            if name == "time_embedding" {
                // This crate uses batch size 1; diffusers repeats the embedding over the batch.
                let batch = record.get("sample").dim(0).unwrap();
                record.compare(&name, &tensor.broadcast_left(batch).unwrap().squeeze(1).unwrap());
            } else {
                record.compare(&name, &tensor);
            }
        }
    }
    record.compare("output", &output);
}

#[test]
fn unets_agree_with_diffusers_in_every_block_and_at_odd_sizes() {
    for name in ["sd1", "sd2", "sdxl", "asymmetric"] {
        let unet = UNet2DConditionModel::load(&model(name), "unet", &Device::Cpu).unwrap();
        let even = Record::of(&format!("{name}_unet_even"));
        assert!(even.tensors.contains_key("mid_block"));
        compare_unet(&unet, &even);
        compare_unet(&unet, &Record::of(&format!("{name}_unet_odd")));
    }
}

#[test]
fn unets_for_inpainting_agree_with_diffusers() {
    for name in ["sd1", "sd2", "sdxl"] {
        let folder = inpainting::folder(&fixtures(), name);
        let package = FolderPackage::open(folder.path()).unwrap();
        let unet = UNet2DConditionModel::load(&package, "unet", &Device::Cpu).unwrap();
        compare_unet(&unet, &Record::of(&format!("{name}_inpainting_unet_even")));
        compare_unet(&unet, &Record::of(&format!("{name}_inpainting_unet_odd")));
    }
}

#[test]
fn autoencoders_agree_with_diffusers() {
    let interrupt = Interrupt::default();
    for (name, scale) in [("sd1", 8), ("sd2", 4), ("tiny_vae", 8)] {
        let record = Record::of(&format!("{name}_vae"));
        let spec = autoencoder::load(&model(name), "vae", &Device::Cpu).unwrap().spec();
        assert_eq!(spec, LatentSpec { scale, channels: 4 });
        let (image, latents) = (record.get("image"), record.get("latents"));
        if name == "tiny_vae" {
            let vae = AutoencoderTiny::load(&model(name), "vae", &Device::Cpu).unwrap();
            record.compare("encoded", &vae.encode_raw(image, &interrupt).unwrap());
            record.compare("decoded", &vae.decode_raw(latents, &interrupt).unwrap());
        } else {
            let vae = AutoencoderKL::load(&model(name), "vae", &Device::Cpu).unwrap();
            let (mean, log_variance) = vae.moments(image, &interrupt).unwrap();
            record.compare("mean", &mean);
            record.compare("logvar", &log_variance);
            record.compare("decoded", &vae.decode_raw(latents, &interrupt).unwrap());
        }
    }
}

/// The tiles have 4 latents of the 9 x 11 for `sd1`, and 12 of the 16 x 25 for `sd2`.
#[test]
fn tiles_agree_with_those_of_diffusers() {
    let interrupt = Interrupt::default();
    for (name, max_side) in [("sd1", 32), ("sd2", 48)] {
        let record = Record::of(&format!("{name}_vae_tiles"));
        let vae = AutoencoderKL::load(&model(name), "vae", &Device::Cpu).unwrap();
        let vae = vae.with_tiling(Tiling { max_whole: 0, max_side });
        let (mean, log_variance) = vae.moments(record.get("image"), &interrupt).unwrap();
        record.compare("mean", &mean);
        record.compare("logvar", &log_variance);
        record.compare("decoded", &vae.decode_raw(record.get("latents"), &interrupt).unwrap());
    }
}

#[test]
fn an_autoencoder_scales_latents_for_the_unet() {
    let interrupt = Interrupt::default();
    // The scaling factor of each configuration; other families use the second one's shift.
    for (name, scaling) in [("sd1", 0.18215), ("sd2", 0.7)] {
        let record = Record::of(&format!("{name}_vae"));
        let vae = autoencoder::load(&model(name), "vae", &Device::Cpu).unwrap();
        let scaled = (record.get("latents") * scaling).unwrap();
        record.compare("decoded", &vae.decode(&scaled, &interrupt).unwrap());
        let encoded = vae.encode(record.get("image"), &interrupt).unwrap();
        record.compare("mean", &(encoded / scaling).unwrap());
    }
}

#[test]
fn a_cancelled_network_stops() {
    let interrupt = Interrupt::default();
    interrupt.cancel();
    let record = Record::of("sd1_unet_even");
    let unet = UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap();
    let stopped = unet.forward(record.get("sample"), 1.0, &conditioning(&record), &interrupt);
    assert!(matches!(stopped, Err(DiffusionError::Cancelled)));
    let vae = autoencoder::load(&model("sd1"), "vae", &Device::Cpu).unwrap();
    let stopped = vae.decode(Record::of("sd1_vae").get("latents"), &interrupt);
    assert!(matches!(stopped, Err(DiffusionError::Cancelled)));
}

#[test]
fn gradients_of_the_whole_unet_agree_with_pytorch() {
    let record = Record::of("sd1_unet_even");
    let expected = Record::of("sd1_unet_gradients");
    let unet = UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap();
    let timestep = record.get("timestep").get(0).unwrap().to_scalar::<f64>().unwrap();
    let variable = |name| candle_core::Var::from_tensor(record.get(name)).unwrap();
    let (sample, context) = (variable("sample"), variable("context"));
    let gradients = |context: &Tensor| {
        let conditioning = Conditioning::new(context.clone());
        let output = unet.forward(&sample, timestep, &conditioning, &Interrupt::default()).unwrap();
        output.sqr().unwrap().sum_all().unwrap().backward().unwrap()
    };
    // Only without a gradient of the context, the layers are computed again in the backward pass.
    let (of_both, of_sample) = (gradients(&context), gradients(&context.detach()));
    for (name, gradient) in [
        ("sample", of_both.get(&sample)),
        ("context", of_both.get(&context)),
        ("sample", of_sample.get(&sample)),
    ] {
        assert_gradients_agree(name, gradient.unwrap(), expected.get(name));
    }
}

#[test]
fn the_built_in_model_gives_finite_output() {
    let files = EmbeddedPackage::built_in();
    let tokenizer = ClipTokenizer::load(&files).unwrap();
    let ids = ["a lighthouse on a cliff, at night", ""].map(|text| tokenizer.ids(text).unwrap());
    let ids = Tensor::new(ids.to_vec(), &Device::Cpu).unwrap();
    let encoder = ClipTextModel::load(&files, "text_encoder", &Device::Cpu).unwrap();
    let unet = UNet2DConditionModel::load(&files, "unet", &Device::Cpu).unwrap();
    let vae = autoencoder::load(&files, "vae", &Device::Cpu).unwrap();

    let conditioning = Conditioning::new(encoder.encode(&ids).unwrap());
    let noise: Vec<f32> = (0..2 * 32 * 16 * 16).map(|i| (i as f32 * 0.7).sin()).collect();
    let sample = Tensor::from_vec(noise, (2, 32, 16, 16), &Device::Cpu).unwrap();
    let interrupt = Interrupt::default();
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let output = unet.forward(&sample, 500.0, &conditioning, &interrupt).unwrap();
        let step = start.elapsed();
        assert_eq!(output.dims(), sample.dims());
        let start = Instant::now();
        let picture = vae.decode(&output.narrow(0, 0, 1).unwrap(), &interrupt).unwrap();
        times.push((step, start.elapsed()));
        assert_eq!(picture.dims(), [1, 3, 256, 256]);
        let sum = picture.sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(sum.is_finite());
    }
    println!("one step of both prompts, and one decoding: {times:?}");
}
