//! Measures memory and time of the gradients through the decoder and through the UNet of Stable Diffusion, whose layers are
//! computed again in the backward pass.
//!
//! ```sh
//! python tests/reference/make.py full FOLDER
//! FULL_SIZE_REFERENCE=FOLDER cargo bench --bench gradients --profile dev [-- SIDE]
//! ```
//!
//! Without `FULL_SIZE_REFERENCE`, it measures the built-in model. The picture has 512 x 512 pixels, or those of `SIDE`. The
//! memory is the peak above that of the process with the loaded network.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{fs, time::Instant};

use bevy_illustrator::{
    diffusion::{
        Autoencoder, Conditioning, Denoiser, Interrupt, LatentSpec, autoencoder::AutoencoderKL,
        denoise::unet::UNet2DConditionModel,
    },
    model::{EmbeddedPackage, FolderPackage, Package},
};
use candle_core::{DType, Device, Shape, Tensor, Var};

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let side = if std::env::args().any(|argument| argument == "--bench") { 512 } else { 64 };
    let given = std::env::args().find_map(|argument| argument.parse().ok());
    let side: usize = given.unwrap_or(side);
    let package: Box<dyn Package> = match std::env::var_os("FULL_SIZE_REFERENCE") {
        Some(folder) => Box::new(FolderPackage::open(folder).unwrap()),
        None => Box::new(EmbeddedPackage::built_in()),
    };
    println!("| what | time | peak memory |");
    println!("|---|---:|---:|");
    let spec = decoder(&*package, side);
    denoiser(&*package, side / spec.scale);
}

/// Measures the decoder. Returns the latents that it reads.
fn decoder(package: &dyn Package, side: usize) -> LatentSpec {
    let autoencoder = AutoencoderKL::load(package, "vae", &Device::Cpu).unwrap();
    let LatentSpec { channels, scale } = autoencoder.spec();
    let latents = waves((1, channels, side / scale, side / scale));
    let interrupt = Interrupt::default();
    let decode = |latents: &Tensor| autoencoder.decode(latents, &interrupt).unwrap();
    measure("decoding", || drop(decode(&latents)));
    measure("decoding, and the gradient", || differentiate(&latents, decode));
    autoencoder.spec()
}

/// Measures a prediction of the UNet under one prompt. `side` is in latents.
fn denoiser(package: &dyn Package, side: usize) {
    let unet = UNet2DConditionModel::load(package, "unet", &Device::Cpu).unwrap();
    let width = unet.adapter_places().unwrap().tokens;
    let latents = waves((1, unet.latent_channels(), side, side));
    let conditioning = Conditioning::new(waves((1, 77, width)));
    let interrupt = Interrupt::default();
    let predict =
        |latents: &Tensor| unet.forward(latents, 500.0, &conditioning, &interrupt).unwrap();
    measure("denoising", || drop(predict(&latents)));
    measure("denoising, and the gradient", || differentiate(&latents, predict));
}

/// Values between -1 and 1.
fn waves(shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let values = (0..shape.elem_count()).map(|index| (0.7 * index as f32).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Computes the gradient of a function with respect to the latents.
fn differentiate(latents: &Tensor, function: impl FnOnce(&Tensor) -> Tensor) {
    let variable = Var::from_tensor(latents).unwrap();
    let gradients = function(&variable).sqr().unwrap().mean_all().unwrap().backward().unwrap();
    let gradient = gradients.get(&variable).unwrap().sqr().unwrap().sum_all().unwrap();
    assert!(gradient.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap() > 0.0);
}

/// Prints the time and the peak of the memory of a computation.
fn measure(what: &str, compute: impl FnOnce()) {
    // Resets the peak to the current memory.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let began = Instant::now();
    compute();
    let gigabytes = (peak() - before) as f64 / 1e6;
    println!("| {what} | {:.1} s | {gigabytes:.2} GB |", began.elapsed().as_secs_f64());
}

/// The peak of the resident memory of the process, in kilobytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}
