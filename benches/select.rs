//! Measures object selection: analysing a picture, answering a click, and finding the object in another picture.
//!
//! MobileSAM runs with random weights, which take the same time as the real ones.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::time::Instant;

use bevy_illustrator::mask::{
    objects::{Objects, SelectionPrompt},
    sam::Sam,
};
use candle_core::Device;
use image::{Rgba, RgbaImage};

#[path = "../tests/common/mobile_sam.rs"]
mod mobile_sam;

/// The median time of `times` runs in seconds.
fn seconds<T>(times: usize, f: impl Fn() -> T) -> f64 {
    let mut runs: Vec<f64> = (0..times)
        .map(|_| {
            let started = Instant::now();
            let result = f();
            let elapsed = started.elapsed().as_secs_f64();
            drop(result);
            elapsed
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[times / 2]
}

fn main() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), mobile_sam::weights(&mobile_sam::shapes())).unwrap();
    let sam = Sam::load(file.path(), &Device::Cpu).unwrap();
    println!("| picture | method | analysis, s | click, ms | find in another picture, ms |");
    println!("|---|---|---|---|---|");
    for (width, height) in [(256, 256), (384, 224), (1024, 1024)] {
        let picture = RgbaImage::from_fn(width, height, |x, y| {
            Rgba([(x * 255 / width) as u8, (y / 16 % 2 * 200) as u8, (x / 24 % 2 * 90) as u8, 255])
        });
        let prompt = SelectionPrompt {
            include: vec![(width / 2, height / 3)],
            ..SelectionPrompt::default()
        };
        let objects = Objects::detect(&picture);
        let analysis = seconds(3, || Objects::detect(&picture));
        let click = 1000.0 * seconds(9, || objects.select(&prompt));
        let mask = objects.select(&prompt);
        let other = 1000.0 * seconds(9, || objects.find_similar(&objects, &mask));
        println!(
            "| {width}x{height} | colours and edges | {analysis:.2} | {click:.0} | {other:.0} |"
        );
        let embedding = sam.embed(&picture).unwrap();
        let analysis = seconds(3, || sam.embed(&picture).unwrap());
        let click = 1000.0 * seconds(9, || sam.select(&embedding, &prompt).unwrap());
        println!("| {width}x{height} | MobileSAM | {analysis:.2} | {click:.0} | |");
    }
}
