//! Compares an autoencoder that works in tiles with the same one on the whole picture: time, memory, and how much the
//! results differ.
//!
//! ```sh
//! cargo bench --bench tiles --profile dev [-- SIDE TILE]
//! ```
//!
//! The picture is some drawings of `assets/docs/contact_sheet.png`, enlarged to `SIDE` pixels, by default 2048. Tiles
//! have at most `TILE` pixels, by default 1024. With `FULL_SIZE_REFERENCE`, a folder that
//! `python tests/reference/make.py full FOLDER` builds, it measures the autoencoder of Stable Diffusion 1.5 with random
//! weights instead of the built-in one.
//!
//! The memory is the peak above that of the process with the loaded network and the input. Differences and errors are
//! means of absolute values in steps of 1/255 of the range. A seam would be a row or column of pixels that differs more from
//! the next one in tiles than in the whole.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{fs, time::Instant};

use bevy_illustrator::{
    diffusion::{
        Autoencoder, Interrupt,
        autoencoder::{AutoencoderKL, Tiling},
    },
    model::{EmbeddedPackage, FolderPackage, Package},
};
use candle_core::{Device, Tensor};
use image::imageops::FilterType;

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let mut given = std::env::args().filter_map(|argument| argument.parse::<usize>().ok());
    let [side, tile] = if is_bench { [2048, 1024] } else { [128, 64] };
    let (side, tile) = (given.next().unwrap_or(side), given.next().unwrap_or(tile));
    let package: Box<dyn Package> = match std::env::var_os("FULL_SIZE_REFERENCE") {
        Some(folder) => Box::new(FolderPackage::open(folder).unwrap()),
        None => Box::new(EmbeddedPackage::built_in()),
    };
    let whole = AutoencoderKL::load(&*package, "vae", &Device::Cpu).unwrap();
    let whole = whole.with_tiling(Tiling { max_whole: usize::MAX, max_side: tile });
    let tiled = whole.clone().with_tiling(Tiling { max_whole: 0, max_side: tile });
    let picture = picture(side as u32);
    let interrupt = Interrupt::default();
    let encode = |autoencoder: &AutoencoderKL| autoencoder.encode(&picture, &interrupt).unwrap();
    let decode =
        |autoencoder: &AutoencoderKL, x: &Tensor| autoencoder.decode(x, &interrupt).unwrap();
    println!("| what | time | peak memory |");
    println!("|---|---:|---:|");
    // The tiles first: memory that an allocator keeps would hide their peak.
    let tiled_latents = measure("encoding in tiles", || encode(&tiled));
    let tiled_decoded = measure("decoding in tiles", || decode(&tiled, &tiled_latents));
    let latents = measure("encoding the whole", || encode(&whole));
    let decoded = measure("decoding the whole", || decode(&whole, &latents));
    println!(
        "\n| what is in tiles | difference | error in tiles | error of the whole | largest seam |"
    );
    println!("|---|---:|---:|---:|---:|");
    compare("decoding", &decode(&tiled, &latents), &decoded, &picture);
    compare("encoding", &decode(&whole, &tiled_latents), &decoded, &picture);
    compare("both", &tiled_decoded, &decoded, &picture);
}

/// A picture, (1, 3, side, side) in -1..=1.
fn picture(side: u32) -> Tensor {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/docs/contact_sheet.png");
    let sheet = image::open(file).unwrap().into_rgb32f();
    let part = image::imageops::crop_imm(&sheet, 180, 190, 380, 380).to_image();
    let picture = image::imageops::resize(&part, side, side, FilterType::CatmullRom);
    let side = side as usize;
    let values = Tensor::from_vec(picture.into_raw(), (1, side, side, 3), &Device::Cpu).unwrap();
    let values = values.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    values.clamp(0.0, 1.0).unwrap().affine(2.0, -1.0).unwrap()
}

/// Prints how much the results differ from each other and from the picture.
fn compare(what: &str, tiled: &Tensor, whole: &Tensor, picture: &Tensor) {
    let [tiled, whole, picture] = [tiled, whole, picture]
        .map(|it| it.clamp(-1.0, 1.0).unwrap().affine(127.5, 127.5).unwrap());
    let apart = |a: &Tensor, b: &Tensor| {
        let mean = (a - b).unwrap().abs().unwrap().mean_all().unwrap();
        mean.to_scalar::<f32>().unwrap()
    };
    // The mean difference of each row or column to the next one.
    let steps = |x: &Tensor, dim: usize| {
        let count = x.dim(dim).unwrap() - 1;
        let steps = (x.narrow(dim, 1, count).unwrap() - x.narrow(dim, 0, count).unwrap()).unwrap();
        steps.abs().unwrap().mean((0, 1, 5 - dim)).unwrap()
    };
    let seam = |dim: usize| {
        let more = (steps(&tiled, dim) - steps(&whole, dim)).unwrap();
        more.max_all().unwrap().to_scalar::<f32>().unwrap()
    };
    println!(
        "| {what} | {:.2} | {:.2} | {:.2} | {:.2} |",
        apart(&tiled, &whole),
        apart(&tiled, &picture),
        apart(&whole, &picture),
        seam(2).max(seam(3))
    );
}

/// Prints the time and the peak of the memory of a computation.
fn measure<T>(what: &str, compute: impl FnOnce() -> T) -> T {
    // Resets the peak to the current memory.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = peak();
    let began = Instant::now();
    let result = compute();
    let gigabytes = (peak() - before) as f64 / 1e6;
    println!("| {what} | {:.1} s | {gigabytes:.2} GB |", began.elapsed().as_secs_f64());
    result
}

/// The peak of the resident memory of the process, in kilobytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
