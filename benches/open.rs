//! Measures how long a model takes to open: its networks, the hash of its files, and both, as before the first picture.
//!
//! ```sh
//! cargo bench --bench open --profile dev [-- MODEL...]
//! ```
//!
//! A `MODEL` is a folder in diffusers' layout or a file, by default the built-in model. All are opened in turn, and the
//! smallest of five times counts. The first round leaves the files in the page cache.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{fs, time::Instant};

use bevy_illustrator::{
    control::Interrupt,
    diffusion::{DeviceKind, LoadOptions, Model},
    generator::{LocalModels, ModelLoader, open_package},
};

/// The length of a unit of `/proc/self/stat` in seconds.
const TICK: f64 = 0.01;

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let mut models = std::env::args().skip(1).filter(|it| !it.starts_with("--")).peekable();
    let models: Vec<_> = match models.peek() {
        Some(_) => models.collect(),
        None => vec!["sketch".to_owned()],
    };
    let mut measured = vec![[[f64::INFINITY; 2]; 3]; models.len()];
    for _ in 0..if is_bench { 5 } else { 1 } {
        for (model, best) in models.iter().zip(&mut measured) {
            let parts: [fn(&str); 3] = [networks, hash, both];
            for (part, best) in parts.into_iter().zip(best) {
                let times = measure(|| part(model));
                *best = [best[0].min(times[0]), best[1].min(times[1])];
            }
        }
    }
    println!("| model | what | time | processor time |");
    println!("|---|---|---:|---:|");
    for (model, best) in models.iter().zip(measured) {
        for (part, [time, processor]) in ["networks", "hash", "both"].into_iter().zip(best) {
            println!("| {model} | {part} | {time:.2} s | {processor:.2} s |");
        }
    }
}

fn networks(model: &str) {
    let package = open_package(model).unwrap();
    Model::load(&*package, DeviceKind::Cpu, &Interrupt::default()).unwrap();
}

fn hash(model: &str) {
    open_package(model).unwrap().hash(&Interrupt::default()).unwrap();
}

fn both(model: &str) {
    let models = LocalModels::new(LoadOptions::new(DeviceKind::Cpu));
    models.load(model, &Interrupt::default()).unwrap().unwrap();
}

/// The time of a function on the clock and on the processor, in seconds.
fn measure(function: impl FnOnce()) -> [f64; 2] {
    let (began, before) = (Instant::now(), processor_time());
    function();
    [began.elapsed().as_secs_f64(), processor_time() - before]
}

/// The processor time of the process, in seconds.
fn processor_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    // In user mode and in the kernel.
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() * TICK).sum()
}
