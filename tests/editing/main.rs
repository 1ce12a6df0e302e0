//! Properties of edits, with the built-in model.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod latents;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bevy_illustrator::{
    control::{Interrupt, OnStep, Step},
    diffusion::{DeviceKind, DiffusionError, Drawn, EditRequest, Model, Noise, scheduler},
    edit::EditError,
    mask::{Area, Mask},
    model::EmbeddedPackage,
    recipe::{EditKind, Images, Part, PartEdit, ResolvedSampler, Scribble},
};
use image::{Rgba, RgbaImage};
use proptest::prelude::*;

/// The sky of [`landscape`].
const SKY: [u8; 3] = [120, 170, 230];

fn model() -> MutexGuard<'static, Model> {
    static MODEL: OnceLock<Mutex<Model>> = OnceLock::new();
    let load = || {
        let package = EmbeddedPackage::built_in();
        Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap().into()
    };
    MODEL.get_or_init(load).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sky over grass, with a red disc in the sky.
fn landscape(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = match (on_disc(width, height, x, y), y < height * 2 / 3) {
            (true, _) => [210, 40, 40],
            (false, true) => SKY,
            (false, false) => [70, 140, 60],
        };
        Rgba([r, g, b, 255])
    })
}

fn on_disc(width: u32, height: u32, x: u32, y: u32) -> bool {
    let offset = |at: u32, side: u32, part: f32| (at as f32 + 0.5) - side as f32 * part;
    offset(x, width, 0.5).hypot(offset(y, height, 0.35)) < height as f32 * 0.2
}

fn disc(width: u32, height: u32) -> Mask {
    Mask::from_fn(width, height, |x, y| if on_disc(width, height, x, y) { 255 } else { 0 })
}

fn part(kind: EditKind, mask: Mask) -> Part {
    let words = "a white moon".to_owned();
    let edit = PartEdit { words, grow: Some(0), feather: Some(0), ..PartEdit::new(kind) };
    Part::new(format!("{kind:?}"), mask, edit)
}

fn request(picture: RgbaImage, parts: Vec<Part>) -> EditRequest {
    EditRequest {
        picture,
        prompt: "a meadow by day, storybook illustration".to_owned(),
        negative_prompt: "in the rain".to_owned(),
        parts,
        style: "storybook illustration".to_owned(),
        context: None,
        tiled: false,
        sampler: ResolvedSampler {
            scheduler: "DPMSolverMultistepScheduler".to_owned(),
            sigmas: None,
            prediction_type: None,
            clip_skip: None,
            steps: 2,
            guidance_scale: 4.0,
            guidance_rescale: 0.7,
            guidance_interval: None,
        },
        noise: Noise::Seed(3),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

fn edit(request: &EditRequest) -> RgbaImage {
    model().edit(request, &Interrupt::default(), &mut []).unwrap().image
}

fn refused(request: &EditRequest) -> DiffusionError {
    model().edit(request, &Interrupt::default(), &mut []).unwrap_err()
}

/// Asserts that no pixel outside the mask differs.
#[track_caller]
fn assert_kept(before: &RgbaImage, after: &RgbaImage, blend: &Mask) {
    assert_eq!(before.dimensions(), after.dimensions());
    for (x, y, pixel) in before.enumerate_pixels() {
        let kept = pixel == after.get_pixel(x, y);
        assert!(kept || blend.at(x, y) > 0, "pixel {x},{y} changed");
    }
}

/// The mean colour difference inside a mask, in levels of 0 to 255.
fn change(before: &RgbaImage, after: &RgbaImage, mask: &Mask) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (x, y, pixel) in before.enumerate_pixels().filter(|(x, y, _)| mask.at(*x, *y) > 0) {
        let other = after.get_pixel(x, y).0;
        let differences = pixel.0.iter().zip(other).map(|(&a, b)| f64::from(a.abs_diff(b)));
        sum += differences.take(3).sum::<f64>() / 3.0;
        count += 1.0;
    }
    sum / count
}

/// The mean colour inside a mask.
fn colour(picture: &RgbaImage, mask: &Mask) -> [f64; 3] {
    let (mut sum, mut count) = ([0.0; 3], 0.0);
    for (_, _, pixel) in picture.enumerate_pixels().filter(|(x, y, _)| mask.at(*x, *y) > 0) {
        sum.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += f64::from(value));
        count += 1.0;
    }
    sum.map(|sum| sum / count)
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Masks of the kinds that people and tools draw, including degenerate ones.
fn masks(width: u32, height: u32) -> impl Strategy<Value = Mask> {
    let rectangle = move |x: u32, y: u32, wide: u32, high: u32| {
        Mask::rectangle(width, height, Area { x, y, width: wide, height: high })
    };
    let strip = 1..=height.min(width) / 3;
    let anywhere = (0..width, 0..height, 1..=width, 1..=height);
    prop_oneof![
        Just(disc(width, height)),
        Just(Mask::full(width, height)),
        Just(Mask::empty(width, height)),
        Just(Mask::from_fn(width, height, |x, y| ((x * 7 + y * 3) % 256) as u8)),
        // A single pixel, anywhere or in a corner.
        (0..width, 0..height).prop_map(move |(x, y)| rectangle(x, y, 1, 1)),
        Just(rectangle(width - 1, height - 1, 1, 1)),
        // A strip along each border.
        strip.clone().prop_map(move |wide| rectangle(0, 0, wide, height)),
        strip.clone().prop_map(move |wide| rectangle(width - wide, 0, wide, height)),
        strip.clone().prop_map(move |high| rectangle(0, 0, width, high)),
        strip.prop_map(move |high| rectangle(0, height - high, width, high)),
        anywhere.prop_map(move |(x, y, wide, high)| {
            rectangle(x, y, wide.min(width - x), high.min(height - y))
        }),
    ]
}

/// A part with any edit. `Add` and `Replace` have a scribble.
fn parts(width: u32, height: u32) -> impl Strategy<Value = Part> {
    let kinds = prop::sample::select(EditKind::ALL.to_vec());
    let reach = (prop::option::of(0_u32..9), prop::option::of(0_u32..9));
    let strength = prop::sample::select(vec![0.3_f32, 1.0]);
    (kinds, masks(width, height), reach, strength).prop_map(
        move |(kind, mask, (grow, feather), strength)| {
            let mut part = part(kind, mask);
            (part.edit.grow, part.edit.feather) = (grow, feather);
            part.edit.strength = Some(strength);
            let takes_scribbles = matches!(kind, EditKind::Add | EditKind::Replace);
            part.scribble = takes_scribbles.then(|| {
                let red = RgbaImage::from_pixel(width, height, Rgba([220, 30, 30, 255]));
                Scribble(Arc::new(red))
            });
            part
        },
    )
}

/// A picture with one or two parts. The first part is on top.
fn edits() -> impl Strategy<Value = (RgbaImage, Vec<Part>)> {
    (16_u32..90, 16_u32..90).prop_flat_map(|(width, height)| {
        let parts = prop::collection::vec(parts(width, height), 1..=2);
        parts.prop_map(move |parts| (landscape(width, height), parts))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_edit_changes_pixels_outside_the_blend_mask(
        (picture, parts) in edits(),
    ) {
        let kept: Vec<Part> = parts.iter().filter(|part| part.edit.kind == EditKind::Keep).cloned().collect();
        let first_is_kept = parts[0].edit.kind == EditKind::Keep;
        let mut request = request(picture.clone(), parts);
        request.sampler.steps = 1;
        let drawn = model().edit(&request, &Interrupt::default(), &mut []);
        let Ok(Drawn { image: edited, .. }) = drawn else {
            // Every part is kept, or every mask is empty.
            let refused = matches!(drawn, Err(DiffusionError::Edit(EditError::Nothing)));
            prop_assert!(refused, "{drawn:?}");
            return Ok(());
        };
        let blend = model().plan_edit(&request).unwrap().blend_mask;
        assert_kept(&picture, &edited, &blend);
        if first_is_kept {
            // Pixels that are fully inside a kept part on top do not change.
            let kept = kept[0].mask.map(|value| if value == u8::MAX { 0 } else { u8::MAX });
            assert_kept(&picture, &edited, &kept);
        }
    }
}

#[test]
fn a_hundred_edits_keep_pixels_outside_all_blend_masks() {
    let (width, height) = (61, 47);
    let first = landscape(width, height);
    let mut allowed = Mask::empty(width, height);
    let mut picture = first.clone();
    for i in 0..100_u32 {
        let area = Area { x: i * 13 % 30, y: i * 7 % 20, width: 1 + i % 5, height: 1 + i % 4 };
        let kind = EditKind::ALL[i as usize % EditKind::ALL.len()];
        let mut parts = vec![part(kind, Mask::rectangle(width, height, area))];
        match kind {
            EditKind::Keep => {
                let around = Area { width: area.width + 4, height: area.height + 3, ..area };
                parts.push(part(EditKind::Refine, Mask::rectangle(width, height, around)));
            }
            EditKind::Add => {
                let scribble = RgbaImage::from_pixel(width, height, Rgba([250, 250, 250, 255]));
                parts[0].scribble = Some(Scribble(Arc::new(scribble)));
            }
            _ => parts[0].edit.feather = Some(i % 3),
        }
        let mut request = request(picture, parts);
        request.sampler.steps = 1;
        let blend = model().plan_edit(&request).unwrap().blend_mask;
        allowed.combine(&blend, bevy_illustrator::mask::Combine::Add).unwrap();
        picture = edit(&request);
    }
    assert!(change(&first, &picture, &allowed) > 1.0);
    assert!(allowed.coverage() < 0.8);
    assert_kept(&first, &picture, &allowed);
}

#[test]
fn a_kept_part_stays_while_everything_else_changes() {
    let picture = landscape(64, 64);
    let parts =
        vec![part(EditKind::Keep, disc(64, 64)), part(EditKind::Replace, Mask::full(64, 64))];
    let edited = edit(&request(picture.clone(), parts));
    assert_kept(&picture, &edited, &disc(64, 64).inverted());
    assert!(change(&picture, &edited, &disc(64, 64).inverted()) > 3.0);
}

#[test]
fn higher_strength_causes_larger_changes() {
    let picture = landscape(64, 64);
    let changes = [0.25, 0.5, 1.0].map(|strength| {
        let mut part = part(EditKind::Refine, disc(64, 64));
        part.edit.strength = Some(strength);
        let mut request = request(picture.clone(), vec![part]);
        request.sampler.steps = 8;
        change(&picture, &edit(&request), &disc(64, 64))
    });
    assert!(changes.is_sorted() && changes[0] < 0.6 * changes[2], "{changes:?}");
}

#[test]
fn every_scheduler_edits_only_the_part_and_draws_it_again() {
    let picture = landscape(64, 64);
    for class in scheduler::classes().into_iter().filter(|class| !class.is_flow) {
        let mut part = part(EditKind::Refine, disc(64, 64));
        part.edit.strength = Some(0.6);
        let mut request = request(picture.clone(), vec![part]);
        request.sampler.scheduler = class.class_name.to_owned();
        request.sampler.steps = 5;
        let blend = model().plan_edit(&request).unwrap().blend_mask;
        let edited = edit(&request);
        assert_kept(&picture, &edited, &blend);
        assert!(change(&picture, &edited, &disc(64, 64)) > 1.0, "{}", class.title);
        assert!(edited == edit(&request), "{} drew another picture", class.title);
    }
}

#[test]
fn a_removed_part_is_filled_from_its_surroundings() {
    let picture = landscape(64, 64);
    let mut removed = part(EditKind::Remove, disc(64, 64));
    removed.edit.grow = Some(2);
    removed.edit.strength = Some(0.5);
    let mut request = request(picture.clone(), vec![removed]);
    request.sampler.steps = 8;
    let sky = SKY.map(f64::from);
    let before = distance(colour(&picture, &disc(64, 64)), sky);
    let after = distance(colour(&edit(&request), &disc(64, 64)), sky);
    assert!(after < 0.35 * before, "{before} became {after}");
}

#[test]
fn a_part_removed_at_the_border_does_not_return_from_the_padding() {
    // The size is 4.5 latents, so the crop has eight pixels of padding at the right and the bottom.
    let (width, height) = (72, 72);
    let corner = Area { x: 40, y: 40, width: 32, height: 32 };
    let mask = Mask::rectangle(width, height, corner);
    let picture = RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = if mask.at(x, y) > 0 { [210, 40, 40] } else { SKY };
        Rgba([r, g, b, 255])
    });
    let mut removed = part(EditKind::Remove, mask.clone());
    removed.edit.strength = Some(0.5);
    let mut request = request(picture.clone(), vec![removed]);
    request.sampler.steps = 8;
    let edge = Mask::rectangle(width, height, Area { x: 64, y: 64, width: 8, height: 8 });
    let sky = SKY.map(f64::from);
    let before = distance(colour(&picture, &edge), sky);
    let after = distance(colour(&edit(&request), &edge), sky);
    assert!(after < 0.35 * before, "{before} became {after}");
}

#[test]
fn small_edits_work_at_any_picture_size() {
    let picture = landscape(2304, 64);
    let small = request(picture.clone(), vec![part(EditKind::Replace, disc(2304, 64))]);
    assert_kept(&picture, &edit(&small), &disc(2304, 64));
    let all = request(picture, vec![part(EditKind::Replace, Mask::full(2304, 64))]);
    let error = refused(&all).to_string();
    assert!(error.contains("2304x64") && error.contains("2048"), "{error}");
}

#[test]
fn edits_have_no_visible_seam() {
    let picture = landscape(96, 96);
    let area = Area { x: 20, y: 30, width: 50, height: 40 };
    let mut part = part(EditKind::Refine, Mask::rectangle(96, 96, area));
    // With the default grow and feather. Hard edges would need a factor of 2/3 instead of 0.1.
    (part.edit.grow, part.edit.feather, part.edit.strength) = (None, None, Some(0.6));
    part.edit.words = String::new();
    let mut request = request(picture.clone(), vec![part]);
    request.sampler.steps = 6;
    let blend = model().plan_edit(&request).unwrap().blend_mask;
    let edited = edit(&request);
    let changed = change(&picture, &edited, &blend);
    let [before, after] = [&picture, &edited].map(|picture| steps_across(picture, &blend));
    assert!(
        changed > 2.0 && after < before + 0.1 * changed,
        "{before} became {after}, with a change of {changed}"
    );
}

/// The mean difference of neighbouring pixels across the mask's edge, in levels of 0 to 255.
fn steps_across(picture: &RgbaImage, mask: &Mask) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (x, y, pixel) in picture.enumerate_pixels() {
        for (right, below) in [(1, 0), (0, 1)] {
            let Some(other) = picture.get_pixel_checked(x + right, y + below) else { continue };
            if (mask.at(x, y) > 0) == (mask.at(x + right, y + below) > 0) {
                continue;
            }
            let differences = pixel.0.iter().zip(other.0).map(|(&a, b)| f64::from(a.abs_diff(b)));
            sum += differences.take(3).sum::<f64>() / 3.0;
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn emboldening_increases_contrast_by_its_amount() {
    let picture = RgbaImage::from_fn(64, 64, |x, y| {
        let [r, g, b] = if on_disc(64, 64, x, y) { [170, 120, 140] } else { [120, 150, 170] };
        Rgba([r, g, b, 255])
    });
    let contrasts = [0.1, 1.0, 2.0].map(|amount| {
        let mut part = part(EditKind::Embolden, disc(64, 64));
        part.edit.words.clear();
        part.edit.strength = Some(0.25);
        part.edit.amount = Some(amount);
        let mut request = request(picture.clone(), vec![part]);
        request.sampler.steps = 8;
        distance(colour(&edit(&request), &disc(64, 64)), [120.0, 150.0, 170.0])
    });
    assert!(contrasts.is_sorted() && contrasts[2] > 1.3 * contrasts[0], "{contrasts:?}");
}

#[test]
fn an_added_part_has_the_colours_of_its_scribble() {
    let picture = landscape(64, 64);
    let spot = Area { x: 40, y: 42, width: 16, height: 16 };
    let mask = Mask::rectangle(64, 64, spot);
    let colours = [[240, 220, 40], [60, 20, 120]].map(|[r, g, b]| {
        let scribble = RgbaImage::from_fn(64, 64, |x, y| {
            Rgba([r, g, b, if spot.contains(x, y) { 255 } else { 0 }])
        });
        let mut part = part(EditKind::Add, mask.clone());
        part.edit.strength = Some(0.4);
        part.scribble = Some(Scribble(Arc::new(scribble)));
        let mut request = request(picture.clone(), vec![part]);
        request.sampler.steps = 5;
        (colour(&edit(&request), &mask), [r, g, b].map(f64::from))
    });
    for ((found, wanted), (_, other)) in [(colours[0], colours[1]), (colours[1], colours[0])] {
        assert!(distance(found, wanted) < distance(found, other), "{found:?} is not {wanted:?}");
    }
}

#[test]
fn each_step_reports_the_area_that_may_change() {
    let mask = Mask::rectangle(256, 224, Area { x: 40, y: 48, width: 60, height: 30 });
    let request = request(landscape(256, 224), vec![part(EditKind::Replace, mask.clone())]);
    let changed = Mutex::new(Vec::new());
    let on_step = OnStep::new(Interrupt::default(), |step: Step| {
        changed.lock().unwrap().push(step.changed);
    });
    model().edit(&request, &on_step, &mut []).unwrap();
    // The part has neither grow nor feather.
    assert_eq!(changed.into_inner().unwrap(), [mask.bounds(); 2]);
}

#[test]
fn equal_edits_draw_equal_pictures_and_other_seeds_draw_different_ones() {
    let draw = |noise, seed| {
        let mut part = part(EditKind::Replace, disc(64, 64));
        part.edit.seed = seed;
        edit(&EditRequest { noise, ..request(landscape(64, 64), vec![part]) })
    };
    let first = draw(Noise::Seed(1), None);
    assert!(first == draw(Noise::Seed(1), None));
    assert!(first != draw(Noise::Seed(2), None));
    // A part's seed overrides the picture's.
    assert!(draw(Noise::Seed(1), Some(5)) == draw(Noise::Seed(2), Some(5)));
    assert!(draw(Noise::Seed(1), Some(5)) != draw(Noise::Seed(1), Some(6)));
}

#[test]
fn parts_with_different_words_are_drawn_in_one_pass() {
    let half = |left: bool| Mask::from_fn(64, 64, |x, _| if (x < 32) == left { 255 } else { 0 });
    let draw = |left: &str, right: &str| {
        let mut parts =
            vec![part(EditKind::Replace, half(true)), part(EditKind::Replace, half(false))];
        parts[0].edit.words = left.to_owned();
        parts[1].edit.words = right.to_owned();
        let mut request = request(landscape(64, 64), parts);
        request.sampler.steps = 6;
        edit(&request)
    };
    let (day, night) = ("a clear sky by day", "a dark sky at night");
    let (both, other) = (draw(day, night), draw(night, night));
    // The half with the changed words changes most.
    let (left, right) = (change(&both, &other, &half(true)), change(&both, &other, &half(false)));
    assert!(left > 1.5 * right, "{left} {right}");
}

#[test]
fn invalid_edits_are_refused_with_a_reason() {
    let picture = landscape(64, 64);
    let good = request(picture.clone(), vec![part(EditKind::Replace, disc(64, 64))]);
    let nothing = request(picture.clone(), vec![part(EditKind::Replace, Mask::empty(64, 64))]);
    assert!(matches!(refused(&nothing), DiffusionError::Edit(EditError::Nothing)));
    let nothing = request(picture.clone(), vec![part(EditKind::Keep, Mask::full(64, 64))]);
    assert!(matches!(refused(&nothing), DiffusionError::Edit(EditError::Nothing)));
    let mut wrong_scribble = good.clone();
    wrong_scribble.parts[0].scribble = Some(Scribble(Arc::new(RgbaImage::new(3, 3))));
    assert!(refused(&wrong_scribble).to_string().contains("3x3"));
    let mut steps = good.clone();
    steps.sampler.steps = 0;
    assert!(refused(&steps).to_string().contains('0'));
    let tiny = request(landscape(8, 64), vec![part(EditKind::Replace, Mask::full(8, 64))]);
    assert!(refused(&tiny).to_string().contains("8x64"));
    let interrupt = Interrupt::default();
    interrupt.cancel();
    let cancelled = model().edit(&good, &interrupt, &mut []).unwrap_err();
    assert!(matches!(cancelled, DiffusionError::Cancelled));
}
