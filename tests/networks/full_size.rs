//! Compares networks of the size of published models with diffusers. `make.py` builds them: see `tests/reference/README.md`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use bevy_illustrator::{
    diffusion::{
        Interrupt,
        autoencoder::AutoencoderKL,
        denoise::{flux2::Flux2Transformer2DModel, unet::UNet2DConditionModel},
        text::qwen3::Qwen3TextModel,
    },
    model::{FolderPackage, Package, TransformerFile, with_qwen3},
};
use candle_core::Device;

use super::{Record, compare_text_encoder, compare_unet};

fn folder() -> PathBuf {
    std::env::var_os("FULL_SIZE_REFERENCE").expect("FULL_SIZE_REFERENCE is a folder").into()
}

fn record(folder: &Path, name: &str) -> Record {
    Record::open(folder.join(format!("{name}.safetensors")))
}

#[test]
#[ignore = "needs up to 6 GB of memory and a folder of `make.py full` or `full-xl`: run it by hand, see tests/reference/README.md"]
fn stable_diffusion_agrees_with_diffusers() {
    let folder = folder();
    let files = FolderPackage::open(&folder).unwrap();
    for name in ["text_encoder", "text_encoder_2"] {
        if folder.join(name).is_dir() {
            compare_text_encoder(&files, name, &record(&folder, name));
        }
    }
    let vae = AutoencoderKL::load(&files, "vae", &Device::Cpu).unwrap();
    let (expected, interrupt) = (record(&folder, "vae"), Interrupt::default());
    let start = Instant::now();
    let (mean, _) = vae.moments(expected.get("image"), &interrupt).unwrap();
    expected.compare("mean", &mean);
    expected.compare("decoded", &vae.decode_raw(expected.get("latents"), &interrupt).unwrap());
    println!("autoencoder: {:?}", start.elapsed());
    let unet = UNet2DConditionModel::load_narrow(&files, "unet", &Device::Cpu).unwrap();
    let start = Instant::now();
    compare_unet(&unet, &record(&folder, "unet"));
    println!("UNet: {:?}", start.elapsed());
}

#[test]
#[ignore = "needs a folder of `make.py full-klein` and `full-qwen3`: run it by hand, see tests/reference/README.md"]
fn klein_in_blocks_of_4_bits_agrees_with_diffusers() {
    let (folder, device, interrupt) = (folder(), Device::Cpu, Interrupt::default());
    let package = TransformerFile::open(&folder.join("transformer.gguf")).unwrap().unwrap();
    let package = with_qwen3(package.shared(), &folder.join("text_encoder.gguf")).unwrap();
    let start = Instant::now();
    let encoder = Qwen3TextModel::load(&package, "text_encoder", &[9, 18, 27], &device).unwrap();
    let expected = record(&folder, "text_encoder");
    let encoded = encoder.encode(expected.get("ids"), None, &interrupt).unwrap();
    for (at, layer) in [9, 18, 27].into_iter().enumerate() {
        let width = encoder.width() / 3;
        let found = encoded.narrow(2, at * width, width).unwrap();
        expected.compare(&format!("layer_{layer}"), &found);
    }
    println!("text encoder: {:?}", start.elapsed());

    let start = Instant::now();
    let network = Flux2Transformer2DModel::load(&package, "transformer", true, &device).unwrap();
    println!("loading the transformer: {:?}", start.elapsed());
    let start = Instant::now();
    let expected = record(&folder, "transformer");
    let (latents, context) = (expected.get("latents"), expected.get("context"));
    let found =
        network.forward_observed(latents, 437.5, context, &[], &interrupt, &mut |_, _| {}).unwrap();
    expected.compare("output", &found);
    println!("transformer: {:?}", start.elapsed());
}
