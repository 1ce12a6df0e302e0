//! Losses that only score finished pictures.

use bevy_illustrator::{
    diffusion::{DrawRequest, Drawn},
    loss::{FinalLoss, best_first, scores},
};

use super::*;

const PALETTE: [[u8; 3]; 2] = [[0x20, 0x30, 0x60], [0xe0, 0xb0, 0x40]];

fn palette() -> Loss {
    Loss::new(LossKind::Palette(PALETTE.map(Colour).to_vec()))
}

/// Draws takes of a prompt that are scored by losses.
fn scored(prompt: &str, seeds: std::ops::Range<u64>, losses: &[Loss]) -> Vec<Drawn> {
    let draw = |seed| {
        let request = DrawRequest { score: true, ..request(prompt, seed, losses, &Images::new()) };
        model().draw(&request, &Interrupt::default(), &mut []).unwrap()
    };
    seeds.map(draw).collect()
}

/// The rank of each value, from 0 for the smallest.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| values.iter().filter(|other| *other < value).count() as f64;
    values.iter().map(rank).collect()
}

/// An edit of the first picture. The parts are beside each other, from left to right.
fn edit(parts: &[(PartEdit, &str)]) -> EditRequest {
    let part = |(at, (edit, name)): (usize, &(PartEdit, &str))| {
        let from = 16 + 128 * at as u32;
        let inside = |x, y| (from..from + 96).contains(&x) && (64..224).contains(&y);
        let mask = Mask::from_fn(256, 256, |x, y| if inside(x, y) { 255 } else { 0 });
        Part::new(*name, mask, edit.clone())
    };
    EditRequest {
        picture: plain()[0].clone(),
        prompt: PROMPTS[0].to_owned(),
        negative_prompt: String::new(),
        parts: parts.iter().enumerate().map(part).collect(),
        style: String::new(),
        context: None,
        tiled: false,
        sampler: sampler(),
        noise: Noise::Seed(3),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: true,
        images: Images::new(),
    }
}

#[test]
fn takes_are_ordered_as_by_the_distance_of_their_pixels_to_the_palette() {
    // Prompts that leave the colours open, so that the takes differ.
    for prompt in ["a village, storybook illustration", "a castle on a hill", "a cat in a room"] {
        let takes = scored(prompt, 0..8, &[palette()]);
        let losses: Vec<_> = takes.iter().map(|take| take.losses.as_slice()).collect();
        let scores = scores(&losses);
        let found: Vec<f64> = scores.iter().map(|score| f64::from(score.unwrap())).collect();
        let distance = |take: &Drawn| oklab_distance(&take.image, &PALETTE);
        let expected: Vec<f64> = takes.iter().map(distance).collect();
        // Spearman's coefficient without ties.
        let pairs = ranks(&found).into_iter().zip(ranks(&expected));
        let differences: f64 = pairs.map(|(one, other)| (one - other).powi(2)).sum();
        let correlation = 1.0 - 6.0 * differences / (8.0 * 63.0);
        println!("{prompt}: {found:.2?}, {expected:.3?}, correlation {correlation:.2}");
        assert!(correlation >= 0.9, "{correlation}");
        let best = best_first(&scores)[0];
        assert!(ranks(&expected)[best] < 2.0, "the best take is in the best quarter");
        for (losses, expected) in losses.iter().zip(expected) {
            assert!((f64::from(losses[0].value) - expected).abs() < 0.01, "{losses:?} {expected}");
        }
    }
}

#[test]
fn losses_of_a_score_do_not_change_the_picture() {
    for (seed, take) in scored(PROMPTS[0], 0..1, &[palette()]).iter().enumerate() {
        assert_eq!(take.image, plain()[seed]);
    }
    let with_loss = PartEdit { losses: vec![palette()], ..PartEdit::new(EditKind::Refine) };
    let scored = edit(&[(with_loss, "left")]);
    let plain = EditRequest { score: false, ..edit(&[(PartEdit::new(EditKind::Refine), "left")]) };
    let mut model = model();
    let mut draw = |request| model.edit(request, &Interrupt::default(), &mut []).unwrap();
    let (scored, plain) = (draw(&scored), draw(&plain));
    assert_eq!(scored.image, plain.image);
    assert_eq!((scored.losses.len(), plain.losses.len()), (1, 0));
}

#[test]
fn the_final_value_of_a_steered_picture_is_smaller_than_without_steering() {
    let unsteered = &scored(PROMPTS[0], 0..1, &[palette()])[0];
    let request = request(PROMPTS[0], 0, &[palette()], &Images::new());
    let steered = model().draw(&request, &Interrupt::default(), &mut []).unwrap();
    let value = |drawn: &Drawn| match drawn.losses.as_slice() {
        [FinalLoss { part: None, index: 0, value, .. }] => *value,
        other => panic!("{other:?}"),
    };
    assert!(value(&steered) < 0.7 * value(unsteered), "{} {}", value(&steered), value(unsteered));
}

#[test]
fn a_score_without_losses_prefers_pictures_of_the_prompt() {
    let agreement = |drawn: &Drawn| f64::from(drawn.losses[0].value);
    let own = mean(PROMPTS.iter().map(|prompt| agreement(&scored(prompt, 0..1, &[])[0])));
    let others = PROMPTS.iter().zip(PROMPTS.iter().cycle().skip(1)).map(|(prompt, other)| {
        let other = Loss::new(LossKind::Text((*other).to_owned()));
        agreement(&scored(prompt, 0..1, &[other])[0])
    });
    let others = mean(others);
    println!("agreement: {own:.3} with the own prompt, {others:.3} with another");
    assert!(own < others - 0.05, "{own} {others}");
}

#[test]
fn each_part_without_losses_is_scored_by_its_own_words() {
    let removed = PartEdit { words: "a horse".to_owned(), ..PartEdit::new(EditKind::Remove) };
    let with_loss = PartEdit { losses: vec![palette()], ..PartEdit::new(EditKind::Refine) };
    let drawn = |request: &EditRequest| {
        model().edit(request, &Interrupt::default(), &mut []).map(|drawn| {
            let found = drawn.losses.into_iter();
            found.map(|loss| (loss.part, loss.kind, loss.unlike)).collect::<Vec<_>>()
        })
    };
    let request = edit(&[(removed.clone(), "left"), (with_loss, "right")]);
    let text = |part| (Some(part), "Text".to_owned(), true);
    let own = |part| (part, "Palette".to_owned(), false);
    assert_eq!(drawn(&request).unwrap(), [text(0), own(Some(1))]);
    // A loss of the picture judges all parts.
    let request = EditRequest { losses: vec![palette()], ..edit(&[(removed.clone(), "left")]) };
    assert_eq!(drawn(&request).unwrap(), [own(None)]);
    let wordless = PartEdit { words: String::new(), ..removed };
    let error = drawn(&edit(&[(wordless, "left")])).unwrap_err().to_string();
    assert!(error.contains("a score needs a loss"), "{error}");
}
