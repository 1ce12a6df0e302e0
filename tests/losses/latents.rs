//! Pictures without a diffusion network: an optimizer and losses.

use bevy_illustrator::{
    generator::{Drawn, GenerateError, Generator, GeneratorRegistry, Inputs},
    recipe::{
        ImageUse, Inspiration, InspirationKind, PictureEdit, Recipe, Sampler, picture_hash,
        style::LATENTS_MODEL,
    },
};
use image::Rgba;

use super::*;

fn generator() -> Box<dyn Generator> {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    registry.load(LATENTS_MODEL, &Interrupt::default()).unwrap()
}

fn recipe(prompt: &str, optimizer: &str, steps: u32, losses: &[LossKind]) -> Recipe {
    let losses = losses.iter().map(|kind| Loss { to: Some(1.0), ..Loss::new(kind.clone()) });
    Recipe {
        sampler: Sampler {
            scheduler: Some(optimizer.to_owned()),
            steps: Some(steps),
            ..Sampler::default()
        },
        losses: losses.collect(),
        ..Recipe::new(prompt, Size::new(128, 128), LATENTS_MODEL)
    }
}

/// Draws a picture, and returns the value of the first loss in each step.
fn values(generator: &mut dyn Generator, recipe: &Recipe, images: &Images) -> (Vec<f32>, Drawn) {
    let last = Mutex::new(Step::default());
    let control = OnStep::new(Interrupt::default(), |step| *last.lock().unwrap() = step);
    let mut inputs = Inputs::default();
    inputs.add_images(images);
    let drawn = generator.generate(recipe, &inputs, &control).unwrap();
    let step = last.into_inner().unwrap();
    let steps = recipe.sampler.steps.unwrap();
    assert_eq!((step.done, step.of), (steps, steps));
    assert_eq!(step.preview.unwrap().dimensions(), (8, 8));
    let first = step.losses.into_iter().next();
    (first.map(|loss| loss.values).unwrap_or_default(), drawn)
}

/// A red disc on a pale ground.
fn disc() -> RgbaImage {
    RgbaImage::from_fn(128, 128, |x, y| {
        let is_inside = (x as i32 - 64).pow(2) + (y as i32 - 64).pow(2) < 40 * 40;
        if is_inside { Rgba([180, 30, 40, 255]) } else { Rgba([240, 230, 200, 255]) }
    })
}

#[test]
fn the_value_of_every_loss_falls() {
    let mut images = Images::new();
    let disc = add(&mut images, disc());
    let mut generator = generator();
    for kind in [
        LossKind::Text("a green coat".to_owned()),
        LossKind::Direction { from: "by day".to_owned(), to: "at night".to_owned() },
        LossKind::Style(disc.clone()),
        LossKind::Content(disc.clone()),
        LossKind::Outline(disc.clone()),
        LossKind::Colours(disc.clone()),
        LossKind::Palette(vec![Colour([32, 48, 96]), Colour([224, 176, 64])]),
        LossKind::TotalVariation,
        LossKind::Saturation(0.6),
        LossKind::Latents(disc.clone()),
    ] {
        let name = kind.name().to_owned();
        let recipe = recipe("", "Adam", 30, &[kind]);
        let (values, drawn) = values(&mut *generator, &recipe, &images);
        assert_eq!(values.len(), 30, "{name}");
        let last = drawn.losses[0].value;
        println!("{name}: {} -> {last}", values[0]);
        assert!(last < 0.9 * values[0], "{name}: {last} of {}", values[0]);
    }
}

#[test]
fn every_optimizer_follows_the_prompt_and_avoids_the_negative_prompt() {
    let mut generator = generator();
    for optimizer in ["SGD", "Adam", "LBFGS"] {
        let recipe = Recipe {
            negative_prompt: "a castle at night".to_owned(),
            ..recipe("a white horse by the sea", optimizer, 50, &[])
        };
        let (values, drawn) = values(&mut *generator, &recipe, &Images::new());
        let [prompt, negative] = [&drawn.losses[0], &drawn.losses[1]];
        println!("{optimizer}: {} -> {}", values[0], prompt.value);
        assert!(!prompt.unlike && prompt.value < 0.6 * values[0], "{optimizer}: {prompt:?}");
        assert!(negative.unlike && negative.value > 1.0, "{optimizer}: {negative:?}");
    }
}

#[test]
fn a_palette_loss_halves_the_distance_of_the_start() {
    let colours = [[0x20, 0x30, 0x60], [0xe0, 0xb0, 0x40], [0xf0, 0xf0, 0xe0]];
    let mut generator = generator();
    let kind = LossKind::Palette(colours.map(Colour).to_vec());
    let mut distance = |optimizer, steps, losses: &[LossKind]| {
        let recipe = recipe("", optimizer, steps, losses);
        let (_, drawn) = values(&mut *generator, &recipe, &Images::new());
        palette_distance(&drawn.image, &colours)
    };
    // One step of gradient descent without losses is about the start.
    let start = distance("SGD", 1, &[]);
    for optimizer in ["SGD", "Adam", "LBFGS"] {
        let found = distance(optimizer, 100, std::slice::from_ref(&kind));
        println!("palette, {optimizer}: {start:.2} -> {found:.2}");
        assert!(found <= 0.5 * start, "{optimizer}: {found} of {start}");
    }
}

#[test]
fn the_same_recipe_draws_the_same_picture_and_another_seed_another_one() {
    let recipe = recipe("a girl in a red coat", "LBFGS", 20, &[LossKind::TotalVariation]);
    let draw = |recipe: &Recipe| values(&mut *generator(), recipe, &Images::new()).1;
    let first = draw(&recipe);
    assert_eq!(first, draw(&recipe));
    assert_ne!(first.image, draw(&Recipe { seed: 7, ..recipe }).image);
}

#[test]
fn a_scribble_is_the_start_where_it_is_opaque() {
    let scribble = RgbaImage::from_fn(128, 128, |x, _| match x {
        0..64 => Rgba([200, 30, 40, 255]),
        _ => Rgba([0; 4]),
    });
    let mut images = Images::new();
    let kind = InspirationKind::Image(ImageUse::Scribble, add(&mut images, scribble));
    let recipe =
        Recipe { inspirations: vec![Inspiration::new(kind)], ..recipe("", "Adam", 1, &[]) };
    let (_, drawn) = values(&mut *generator(), &recipe, &images);
    let redness = |from: u32| {
        let pixels = drawn.image.enumerate_pixels();
        let pixels = pixels.filter(|(x, ..)| (from..from + 48).contains(x));
        mean(pixels.map(|(_, _, pixel)| f64::from(pixel.0[0]) - f64::from(pixel.0[1])))
    };
    let [left, right] = [redness(8), redness(72)];
    assert!(left > 120.0 && right < 60.0, "{left} {right}");
}

#[test]
fn cancelling_stops_within_one_iteration() {
    let interrupt = Interrupt::default();
    let done = Mutex::new(0);
    let control = OnStep::new(interrupt.clone(), |step: Step| {
        *done.lock().unwrap() = step.done;
        if step.done == 3 {
            interrupt.cancel();
        }
    });
    let recipe = recipe("a bay", "Adam", 1000, &[]);
    let error = generator().generate(&recipe, &Inputs::default(), &control).unwrap_err();
    assert!(matches!(error, GenerateError::Cancelled), "{error}");
    assert_eq!(done.into_inner().unwrap(), 3);
}

#[test]
fn edits_and_unknown_optimizers_are_refused() {
    let mut generator = generator();
    assert!(!generator.card().abilities.edits_parts);
    let whole = recipe("a bay", "DDIMScheduler", 10, &[]);
    let mut error = |recipe: &Recipe| {
        let drawn = generator.generate(recipe, &Inputs::default(), &Interrupt::default());
        drawn.unwrap_err().to_string()
    };
    let unknown = error(&whole);
    assert!(
        unknown.contains("\"DDIMScheduler\"") && unknown.contains("SGD, Adam, LBFGS"),
        "{unknown}"
    );
    for steps in [0, 1001, u32::MAX] {
        let error = error(&recipe("a bay", "Adam", steps, &[]));
        assert!(error.contains(&format!("{steps} iterations")), "{error}");
    }
    let edit = PictureEdit { picture: picture_hash(&disc()), ..PictureEdit::default() };
    let refused = error(&Recipe { edit: Some(edit), ..whole });
    assert!(refused.contains("`latents`") && refused.contains("`sketch`"), "{refused}");
}
