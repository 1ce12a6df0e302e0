//! Measures the time that each kind of loss adds to a step of the built-in model, as a share of a step without losses.
//!
//! ```sh
//! cargo bench --bench losses --profile dev
//! ```
//!
//! A picture has 256 x 256 pixels. Pictures without and with each loss are drawn in turn, and the smallest time of a step
//! counts: of all pictures without a loss, and of those with it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints or fails")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bevy_illustrator::{
    control::{Interrupt, OnStep, Step},
    diffusion::{DeviceKind, DrawRequest, Model, Noise},
    model::EmbeddedPackage,
    recipe::{BlobId, Colour, Images, Loss, LossKind, ResolvedSampler, Size},
};
use image::{Rgba, RgbaImage};

fn main() {
    // `cargo test --benches` only checks that the benchmark runs.
    let (rounds, steps) = if std::env::args().any(|it| it == "--bench") { (3, 20) } else { (1, 3) };
    let package = EmbeddedPackage::built_in();
    let mut model = Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap();
    let image = RgbaImage::from_fn(256, 256, |x, y| Rgba([x as u8, y as u8, 128, 255]));
    let lines = RgbaImage::from_fn(256, 256, |x, _| {
        let level = if x % 64 < 3 { 0 } else { 255 };
        Rgba([level, level, level, 255])
    });
    let [image, lines] = [image, lines].map(|it| (BlobId::of_image(&it), Arc::new(it)));
    let images = Images::from([image.clone(), lines.clone()]);
    let kinds = [
        LossKind::Text("a girl at night".to_owned()),
        LossKind::Direction { from: "by day".to_owned(), to: "at night".to_owned() },
        LossKind::Style(image.0.clone()),
        LossKind::Content(image.0.clone()),
        LossKind::Outline(lines.0),
        LossKind::Colours(image.0.clone()),
        LossKind::Palette(vec![Colour([32, 48, 96]), Colour([224, 176, 64])]),
        LossKind::TotalVariation,
        LossKind::Saturation(0.4),
        LossKind::Lightness(0.3),
        LossKind::Latents(image.0),
    ];
    let mut without = Duration::MAX;
    let mut measured = Vec::new();
    for kind in kinds {
        let mut with = [Duration::MAX; 2];
        for _ in 0..rounds {
            without = without.min(step(&mut model, Vec::new(), &images, steps));
            for (strict, with) in [false, true].into_iter().zip(&mut with) {
                let loss = Loss { strict, to: Some(1.0), ..Loss::new(kind.clone()) };
                *with = (*with).min(step(&mut model, vec![loss], &images, steps));
            }
        }
        measured.push((kind, with));
    }
    println!("A step without losses: {:.1} ms", 1e3 * without.as_secs_f64());
    println!("| kind | cost | with `strict` |");
    println!("|---|---:|---:|");
    for (kind, with) in measured {
        let cost = |with: Duration| 100.0 * (with.as_secs_f64() / without.as_secs_f64() - 1.0);
        let [cost, strict] = with.map(cost);
        println!("| `{}` | {cost:+.0} % | {strict:+.0} % |", kind.name());
    }
}

/// The smallest time between two steps of a picture.
fn step(model: &mut Model, losses: Vec<Loss>, images: &Images, steps: u32) -> Duration {
    let request = DrawRequest {
        prompt: "a girl in a red coat in the forest by day".to_owned(),
        negative_prompt: String::new(),
        size: Size::new(256, 256),
        sampler: ResolvedSampler { steps, ..ResolvedSampler::default() },
        noise: Noise::Seed(1),
        inspirations: Vec::new(),
        losses,
        score: false,
        images: images.clone(),
    };
    let times = Mutex::new(Vec::new());
    let control =
        OnStep::new(Interrupt::default(), |_: Step| times.lock().unwrap().push(Instant::now()));
    model.draw(&request, &control, &mut []).unwrap();
    let times = times.into_inner().unwrap();
    times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap()
}
