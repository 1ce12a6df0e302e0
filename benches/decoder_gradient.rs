//! Measures memory and time of the gradient through the decoder of Stable Diffusion, whose blocks are computed again in the backward pass.
//!
//! ```sh
//! python tests/reference/make.py full FOLDER
//! FULL_SIZE_REFERENCE=FOLDER cargo bench --bench decoder_gradient --profile dev
//! ```
//!
//! Without `FULL_SIZE_REFERENCE`, it measures the autoencoder of the built-in model. The picture has 512 x 512 pixels. The
//! memory is the peak above that of the process with the loaded autoencoder.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{fs, time::Instant};

use bevy_illustrator::{
    diffusion::{Autoencoder, Interrupt, LatentSpec, autoencoder::AutoencoderKL},
    model::{EmbeddedPackage, FolderPackage, Package},
};
use candle_core::{DType, Device, Tensor, Var};

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let side = if std::env::args().any(|argument| argument == "--bench") { 512 } else { 64 };
    let package: Box<dyn Package> = match std::env::var_os("FULL_SIZE_REFERENCE") {
        Some(folder) => Box::new(FolderPackage::open(folder).unwrap()),
        None => Box::new(EmbeddedPackage::built_in()),
    };
    let autoencoder = AutoencoderKL::load(&*package, "vae", &Device::Cpu).unwrap();
    let LatentSpec { channels, scale } = autoencoder.spec();
    let values = (0..channels * (side / scale).pow(2)).map(|i| (0.7 * i as f32).sin()).collect();
    let shape = (1, channels, side / scale, side / scale);
    let latents = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    let interrupt = Interrupt::default();

    println!("| what | time | peak memory |");
    println!("|---|---:|---:|");
    measure("decoding", || drop(autoencoder.decode(&latents, &interrupt).unwrap()));
    measure("decoding, and the gradient with respect to the latents", || {
        let variable = Var::from_tensor(&latents).unwrap();
        let picture = autoencoder.decode(&variable, &interrupt).unwrap();
        let gradients = picture.sqr().unwrap().mean_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&variable).unwrap().sqr().unwrap().sum_all().unwrap();
        assert!(gradient.to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap() > 0.0);
    });
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
