//! Measures the cost of an edit by the share of the picture that it changes.
//!
//! ```sh
//! cargo bench --bench edit --profile dev
//! ```
//!
//! The part is a rectangle in the centre, without growing or feathering, at full strength. It is drawn in the smallest crop
//! that an author can choose, and in the default one, which has at least the size of the model's training pictures. Model,
//! size, sampler and prompt are the same for the edits and for the whole picture.

use std::time::Instant;

use bevy_illustrator::model::EmbeddedPackage;
use bevy_illustrator::{
    diffusion::{DeviceKind, DiffusionError, DrawRequest, EditRequest, Interrupt, Model, Noise},
    mask::{Area, Mask},
    recipe::{EditKind, Images, Part, PartEdit, ResolvedSampler, Size},
};

const SHARES: [u32; 5] = [5, 10, 25, 50, 100];
const RUNS: usize = 5;
const WORDS: &str = "a night sky with stars, storybook illustration";

fn main() -> Result<(), DiffusionError> {
    // Inside the thread pool, as in the studio. Outside, each operation would be sent to the pool separately.
    rayon::scope(|_| measure())
}

fn measure() -> Result<(), DiffusionError> {
    let mut model =
        Model::load(&EmbeddedPackage::built_in(), DeviceKind::Cpu, &Interrupt::default())?;
    let sampler = ResolvedSampler::default();
    let size = Size::new(384, 224);
    let draw = DrawRequest {
        prompt: WORDS.to_owned(),
        negative_prompt: String::new(),
        size,
        sampler: sampler.clone(),
        noise: Noise::Seed(0),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let interrupt = Interrupt::default();
    let picture = model.draw(&draw, &interrupt, &mut [])?.image;
    let whole = median(|| model.draw(&draw, &interrupt, &mut []).map(drop))?;
    println!("{size}, {} steps, medians of {RUNS}", sampler.steps);
    println!("{:>10} {:>12} {:>9} {:>9}", "changed", "context", "seconds", "of whole");
    println!("{:>10} {:>12} {whole:>9.3} {:>8.0}%", "drawn", "", 100.0);
    for is_small in [true, false] {
        println!("{} crop", if is_small { "smallest" } else { "default" });
        let mut points = Vec::new();
        for share in SHARES {
            let (width, height) = (size.width, size.height);
            let side =
                |side: u32| (f64::from(side) * (f64::from(share) / 100.0).sqrt()).round() as u32;
            let (wide, high) = (side(width), side(height));
            let area =
                Area { x: (width - wide) / 2, y: (height - high) / 2, width: wide, height: high };
            let edit = PartEdit {
                words: WORDS.to_owned(),
                grow: Some(0),
                feather: Some(0),
                strength: Some(1.0),
                ..PartEdit::new(EditKind::Refine)
            };
            let part = Part::new("part", Mask::rectangle(width, height, area), edit);
            let request = EditRequest {
                parts: vec![part],
                style: String::new(),
                context: is_small.then_some(area),
                tiled: false,
                picture: picture.clone(),
                prompt: String::new(),
                negative_prompt: String::new(),
                sampler: sampler.clone(),
                noise: Noise::Seed(0),
                inspirations: Vec::new(),
                losses: Vec::new(),
                score: false,
                images: Images::new(),
            };
            let context = model.plan_edit(&request)?.crop;
            let seconds = median(|| model.edit(&request, &interrupt, &mut []).map(drop))?;
            let context = format!("{}x{}", context.width, context.height);
            println!("{share:>9}% {context:>12} {seconds:>9.3} {:>8.0}%", 100.0 * seconds / whole);
            points.push((f64::from(share) / 100.0, seconds / whole));
        }
        let (slope, intercept) = line(&points);
        println!("cost / whole picture = {intercept:.3} + {slope:.3} * share of the picture");
    }
    Ok(())
}

/// The median time of [`RUNS`] runs in seconds, after a warm-up run.
fn median(mut run: impl FnMut() -> Result<(), DiffusionError>) -> Result<f64, DiffusionError> {
    run()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        run()?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[RUNS / 2])
}

/// Slope and intercept of a linear least-squares fit.
fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let rise = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>();
    let slope = rise / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>();
    (slope, y - slope * x)
}
