//! Measures of inspirations, over the same seeds as those of losses.

use std::sync::atomic::{AtomicU32, Ordering};

use bevy_illustrator::recipe::{ImageUse, Inspiration, InspirationKind};
use image::{Rgba, imageops};

use super::*;
use crate::measures::lab_distance;

fn draw_inspired(
    prompt: &str,
    seed: u64,
    inspirations: &[Inspiration],
    images: &Images,
) -> RgbaImage {
    let request =
        DrawRequest { inspirations: inspirations.to_vec(), ..request(prompt, seed, &[], images) };
    model().draw(&request, &Interrupt::default(), &mut []).unwrap().image
}

/// Pictures of all seeds with an inspiration.
fn inspired(kind: InspirationKind, images: &Images) -> Vec<RgbaImage> {
    let inspiration = Inspiration::new(kind);
    let inspirations = std::slice::from_ref(&inspiration);
    scenes().map(|(prompt, seed)| draw_inspired(prompt, seed, inspirations, images)).collect()
}

/// An orange sky above a dark sea with a red sail. Nothing is drawn between sky and sea.
fn scribble() -> RgbaImage {
    RgbaImage::from_fn(256, 256, |x, y| match (x, y) {
        (60..120, 60..180) => Rgba([200, 30, 40, 255]),
        (_, 0..110) => Rgba([240, 150, 60, 255]),
        (_, 170..) => Rgba([30, 60, 90, 255]),
        _ => Rgba([0; 4]),
    })
}

/// The mean distance in CIELAB of a picture, shrunk to 16 x 16 pixels, to the opaque pixels of a scribble.
fn scribble_distance(picture: &RgbaImage, scribble: &RgbaImage) -> f64 {
    let [picture, scribble] = [picture, scribble]
        .map(|image| imageops::resize(image, 16, 16, imageops::FilterType::Triangle));
    let both = picture.pixels().zip(scribble.pixels()).filter(|(_, colour)| colour.0[3] == 255);
    mean(both.map(|(found, colour)| {
        let rgb = |pixel: &Rgba<u8>| [pixel.0[0], pixel.0[1], pixel.0[2]];
        lab_distance(rgb(found), rgb(colour))
    }))
}

#[test]
fn a_picture_has_the_rough_colours_of_a_scribble() {
    let (mut images, scribble) = (Images::new(), scribble());
    let kind = InspirationKind::Image(ImageUse::Scribble, add(&mut images, scribble.clone()));
    let pictures = inspired(kind, &images);
    let [without, with] = compare(&pictures, |picture| scribble_distance(picture, &scribble));
    println!("scribble: {without:.1} -> {with:.1}");
    assert!(with <= 0.5 * without, "{with} of {without}");
}

#[test]
fn a_text_beside_the_prompt_changes_the_picture() {
    let pictures = inspired(InspirationKind::Text("at night".to_owned()), &Images::new());
    let [without, with] = compare(&pictures, |picture| channel(picture, 1));
    println!("text: {without:.1} -> {with:.1}");
    assert!(with <= 0.8 * without, "{with} of {without}");
}

#[test]
fn an_image_acts_as_the_loss_of_its_use() {
    let mut images = Images::new();
    let image = add(&mut images, plain()[3].clone());
    let (prompt, seed) = (PROMPTS[0], 0);
    for (usage, kind) in [
        (ImageUse::Style, LossKind::Style(image.clone())),
        (ImageUse::Content, LossKind::Content(image.clone())),
        (ImageUse::Outline, LossKind::Outline(image.clone())),
    ] {
        let inspiration = Inspiration {
            weight: 0.7,
            ..Inspiration::new(InspirationKind::Image(usage, image.clone()))
        };
        let loss = Loss { weight: 0.7, ..Loss::new(kind) };
        let expected = draw(prompt, seed, &[loss], &images);
        let found = draw_inspired(prompt, seed, &[inspiration], &images);
        assert_eq!(found, expected, "{usage:?}");
        assert_ne!(found, plain()[0], "{usage:?}");
    }
}

#[test]
fn a_scribble_of_a_part_changes_the_part_and_nothing_else() {
    let picture = plain()[0].clone();
    let mask = Mask::from_fn(256, 256, |x, y| {
        if (64..192).contains(&x) && (64..192).contains(&y) { 255 } else { 0 }
    });
    let mut images = Images::new();
    let green = RgbaImage::from_pixel(256, 256, Rgba([40, 160, 60, 255]));
    let kind = InspirationKind::Image(ImageUse::Scribble, add(&mut images, green));
    let edit = PartEdit {
        inspirations: vec![Inspiration::new(kind)],
        grow: Some(0),
        feather: Some(4),
        ..PartEdit::new(EditKind::Refine)
    };
    let part = Part { images, ..Part::new("coat", mask, edit) };
    let edited = super::edit(&picture, std::slice::from_ref(&part));
    let inside = |picture: &RgbaImage| {
        let pixels = picture.enumerate_pixels().filter(|(x, y, _)| part.mask.at(*x, *y) > 0);
        mean(pixels.map(|(_, _, it)| lab_distance([it.0[0], it.0[1], it.0[2]], [40, 160, 60])))
    };
    let [before, after] = [&picture, &edited].map(inside);
    println!("scribble of a part: {before:.1} -> {after:.1}");
    assert!(after <= 0.5 * before, "{after} of {before}");
}

#[test]
fn wrong_inspirations_are_refused_before_anything_is_drawn() {
    let refused = |inspiration: Inspiration, image: RgbaImage| {
        let mut images = Images::new();
        add(&mut images, image);
        let request =
            DrawRequest { inspirations: vec![inspiration], ..request(PROMPTS[0], 0, &[], &images) };
        let steps = AtomicU32::new(0);
        let control = OnStep::new(Interrupt::default(), |_: Step| {
            steps.fetch_add(1, Ordering::Relaxed);
        });
        let error = model().draw(&request, &control, &mut []).unwrap_err();
        assert_eq!(steps.into_inner(), 0);
        error.to_string()
    };
    let of = |usage, image: &RgbaImage| {
        Inspiration::new(InspirationKind::Image(usage, BlobId::of_image(image)))
    };
    let wide = RgbaImage::from_pixel(64, 32, Rgba([9, 9, 9, 255]));
    let blank = RgbaImage::from_pixel(32, 32, Rgba([255; 4]));
    for usage in [ImageUse::Content, ImageUse::Outline, ImageUse::Scribble] {
        let message = refused(of(usage, &wide), wide.clone());
        assert!(message.contains(usage.name()) && message.contains("ratio 2.00"), "{message}");
    }
    let message = refused(of(ImageUse::Outline, &blank), blank.clone());
    assert!(message.contains("no lines"), "{message}");
    let message = refused(of(ImageUse::Style, &wide), blank.clone());
    assert!(message.contains("missing"), "{message}");
    let heavy = Inspiration { weight: f32::NAN, ..of(ImageUse::Style, &wide) };
    assert!(refused(heavy, wide.clone()).contains("NaN"));
}
