//! What losses do to pictures of the built-in model, over 20 seeds, by measures that are not the losses.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod inspirations;
mod latents;
mod measures;
mod score;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bevy_illustrator::{
    control::{Interrupt, OnStep, Step},
    diffusion::{DeviceKind, DrawRequest, EditRequest, Model, Noise},
    mask::Mask,
    model::EmbeddedPackage,
    recipe::{
        BlobId, Colour, EditKind, Images, Loss, LossKind, Part, PartEdit, ResolvedSampler, Size,
    },
};
use image::{GrayImage, Luma, RgbaImage};
use imageproc::drawing::{draw_hollow_circle_mut, draw_line_segment_mut};
use measures::{
    channel, edges_on_lines, layout_correlation, lightness, mean, oklab_distance, palette_distance,
    saturation, style_distance, variation,
};

const SEEDS: u64 = 20;

/// Combinations that no training drawing has.
const PROMPTS: [&str; 5] = [
    "a girl in a red coat in the forest by day, storybook illustration",
    "a white horse by the sea at sunset, oil painting",
    "a knight in blue in a meadow by day, storybook illustration",
    "an old man in a village in the rain, watercolour",
    "a black cat in a castle hall at night, storybook illustration",
];

fn model() -> MutexGuard<'static, Model> {
    static MODEL: OnceLock<Mutex<Model>> = OnceLock::new();
    let load = || {
        let package = EmbeddedPackage::built_in();
        Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap().into()
    };
    MODEL.get_or_init(load).lock().unwrap_or_else(PoisonError::into_inner)
}

fn sampler() -> ResolvedSampler {
    ResolvedSampler {
        scheduler: "DPMSolverMultistepScheduler".to_owned(),
        sigmas: None,
        prediction_type: None,
        clip_skip: None,
        steps: 10,
        guidance_scale: 5.0,
        guidance_rescale: 0.5,
        guidance_interval: None,
    }
}

fn request(prompt: &str, seed: u64, losses: &[Loss], images: &Images) -> DrawRequest {
    DrawRequest {
        prompt: prompt.to_owned(),
        negative_prompt: String::new(),
        size: Size::new(256, 256),
        noise: Noise::Seed(seed),
        sampler: sampler(),
        inspirations: Vec::new(),
        losses: losses.to_vec(),
        score: false,
        images: images.clone(),
    }
}

fn draw(prompt: &str, seed: u64, losses: &[Loss], images: &Images) -> RgbaImage {
    let request = request(prompt, seed, losses, images);
    model().draw(&request, &Interrupt::default(), &mut []).unwrap().image
}

/// Edits a picture, and checks that no pixel changes outside of the parts.
fn edit(picture: &RgbaImage, parts: &[Part]) -> RgbaImage {
    let request = EditRequest {
        picture: picture.clone(),
        prompt: PROMPTS[0].to_owned(),
        negative_prompt: String::new(),
        parts: parts.to_vec(),
        style: String::new(),
        context: None,
        tiled: false,
        sampler: sampler(),
        noise: Noise::Seed(3),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let mut model = model();
    let plan = model.plan_edit(&request).unwrap();
    let edited = model.edit(&request, &Interrupt::default(), &mut []).unwrap().image;
    for (x, y, pixel) in edited.enumerate_pixels() {
        if plan.blend_mask.at(x, y) == 0 {
            assert_eq!(pixel, picture.get_pixel(x, y), "{x},{y}");
        }
    }
    edited
}

/// The prompts with their seeds.
fn scenes() -> impl Iterator<Item = (&'static str, u64)> {
    (0..SEEDS).map(|seed| (PROMPTS[seed as usize % PROMPTS.len()], seed))
}

/// Pictures of all seeds without losses.
fn plain() -> &'static [RgbaImage] {
    static PLAIN: OnceLock<Vec<RgbaImage>> = OnceLock::new();
    let draw_all =
        || scenes().map(|(prompt, seed)| draw(prompt, seed, &[], &Images::new())).collect();
    PLAIN.get_or_init(draw_all)
}

/// Pictures of all seeds with a loss.
fn with(loss: LossKind, images: &Images) -> Vec<RgbaImage> {
    let loss = Loss::new(loss);
    scenes().map(|(prompt, seed)| draw(prompt, seed, std::slice::from_ref(&loss), images)).collect()
}

/// The means of a measure without and with a loss.
fn compare(steered: &[RgbaImage], measure: impl Fn(&RgbaImage) -> f64) -> [f64; 2] {
    [plain(), steered].map(|pictures| mean(pictures.iter().map(&measure)))
}

fn add(images: &mut Images, image: RgbaImage) -> BlobId {
    let id = BlobId::of_image(&image);
    images.insert(id.clone(), Arc::new(image));
    id
}

#[test]
fn a_palette_halves_the_distance_of_colours_to_it() {
    let colours = [[0x20, 0x30, 0x60], [0xe0, 0xb0, 0x40], [0xf0, 0xf0, 0xe0]];
    let kind = LossKind::Palette(colours.map(Colour).to_vec());
    let steered = with(kind, &Images::new());
    let [without, with] = compare(&steered, |picture| palette_distance(picture, &colours));
    println!("palette: {without:.2} -> {with:.2}");
    assert!(with <= 0.5 * without, "{with} of {without}");
}

#[test]
fn edges_move_onto_the_lines_of_an_outline() {
    let mut lines = GrayImage::from_pixel(256, 256, Luma([255]));
    for radius in 38..=40 {
        draw_hollow_circle_mut(&mut lines, (180, 80), radius, Luma([0]));
    }
    for offset in 0..3_u8 {
        let y = f32::from(offset);
        draw_line_segment_mut(&mut lines, (0.0, 200.0 + y), (100.0, 130.0 + y), Luma([0]));
        draw_line_segment_mut(&mut lines, (100.0, 130.0 + y), (255.0, 210.0 + y), Luma([0]));
    }
    let mut images = Images::new();
    let image = image::DynamicImage::ImageLuma8(lines.clone()).into_rgba8();
    let steered = with(LossKind::Outline(add(&mut images, image)), &images);
    let [without, with] = compare(&steered, |picture| edges_on_lines(picture, &lines));
    println!("outline: {without:.2} -> {with:.2}");
    assert!(with >= 2.0 && with >= 1.5 * without, "{with} instead of {without}");
}

#[test]
fn the_layout_follows_a_content_image() {
    let mut images = Images::new();
    let content =
        draw("a lighthouse by the sea at night, storybook illustration", 99, &[], &images);
    let steered = with(LossKind::Content(add(&mut images, content.clone())), &images);
    let [without, with] = compare(&steered, |picture| layout_correlation(picture, &content));
    println!("content: {without:.2} -> {with:.2}");
    assert!(with >= without + 0.2, "{with} instead of {without}");
}

#[test]
fn the_style_moves_towards_a_style_image() {
    let mut images = Images::new();
    let style = draw("a castle on a hill by day, ink drawing", 99, &[], &images);
    let steered = with(LossKind::Style(add(&mut images, style.clone())), &images);
    let [without, with] = compare(&steered, |picture| style_distance(picture, &style));
    println!("style: {without:.3} -> {with:.3}");
    assert!(with <= 0.7 * without, "{with} of {without}");
}

#[test]
fn total_variation_makes_pictures_smoother() {
    let steered = with(LossKind::TotalVariation, &Images::new());
    let [without, with] = compare(&steered, variation);
    println!("variation: {without:.2} -> {with:.2}");
    assert!(with <= 0.8 * without, "{with} of {without}");
}

#[test]
fn the_saturation_halves_its_distance_to_the_target() {
    let steered = with(LossKind::Saturation(0.1), &Images::new());
    let [without, with] = compare(&steered, |picture| (saturation(picture) - 0.1).abs());
    println!("saturation: {without:.3} -> {with:.3}");
    assert!(with <= 0.5 * without, "{with} of {without}");
}

#[test]
fn the_lightness_halves_its_distance_to_the_target() {
    let steered = with(LossKind::Lightness(0.3), &Images::new());
    let [without, with] = compare(&steered, |picture| (lightness(picture) - 0.3).abs());
    println!("lightness: {without:.3} -> {with:.3}");
    assert!(with <= 0.5 * without, "{with} of {without}");
}

#[test]
fn a_direction_to_night_makes_daylight_dark() {
    let kind = LossKind::Direction { from: "by day".to_owned(), to: "at night".to_owned() };
    let steered = with(kind, &Images::new());
    let [without, with] = compare(&steered, |picture| channel(picture, 1));
    println!("direction: {without:.1} -> {with:.1}");
    assert!(with <= 0.8 * without, "{with} of {without}");
}

#[test]
fn opposite_losses_of_two_parts_both_win_and_the_rest_stays_as_it_was() {
    let picture = plain()[0].clone();
    let part = |name: &str, strict: bool, from: u32, colour: [u8; 3]| {
        let mask = Mask::from_fn(256, 256, |x, y| {
            let inside = (from..from + 96).contains(&x) && (64..224).contains(&y);
            if inside { 255 } else { 0 }
        });
        let kind = LossKind::Palette(vec![Colour(colour)]);
        let losses = vec![Loss { strict, ..Loss::new(kind) }];
        let edit =
            PartEdit { losses, grow: Some(0), feather: Some(0), ..PartEdit::new(EditKind::Refine) };
        Part::new(name.to_owned(), mask, edit)
    };
    // Red minus blue, inside each part.
    let redness = |picture: &RgbaImage, part: &Part| {
        mean(
            picture
                .enumerate_pixels()
                .filter(|(x, y, _)| part.mask.at(*x, *y) > 0)
                .map(|(_, _, pixel)| f64::from(pixel.0[0]) - f64::from(pixel.0[2])),
        )
    };
    for strict in [false, true] {
        let left = part("left", strict, 16, [200, 30, 30]);
        let parts = [left, part("right", strict, 144, [30, 30, 200])];
        let edited = edit(&picture, &parts);
        let [left, right] =
            [&parts[0], &parts[1]].map(|part| redness(&edited, part) - redness(&picture, part));
        println!("red against blue, strict {strict}: {left:+.1} left, {right:+.1} right");
        assert!(left > 10.0 && right < -10.0, "strict {strict}: {left} {right}");
    }
}
