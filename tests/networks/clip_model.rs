//! Compares the encoder of losses with transformers, with random weights.

use bevy_illustrator::{
    diffusion::PixelClip,
    loss::{LossEncoder, View},
};
use candle_core::Var;

use super::*;

fn clip() -> PixelClip {
    let package = FolderPackage::open(fixtures().join("sd1")).unwrap();
    PixelClip::load(&package, "../sd1_clip", &Device::Cpu).unwrap()
}

/// Asserts that a gradient has the direction and about the length of the recorded one.
fn compare_gradient(record: &Record, name: &str, found: &Tensor) {
    let (found, expected) = (numbers(found), numbers(record.get(name)));
    let length = |x: &[f64]| dot(x, x).sqrt();
    let cosine = dot(&found, &expected) / (length(&found) * length(&expected));
    println!("{name}: cosine {cosine}");
    assert!(cosine > 0.99999, "{name}: {cosine}");
    assert!((length(&found) / length(&expected) - 1.0).abs() < 1e-3, "{name}");
}

#[test]
fn embeddings_features_and_gradients_of_a_part_agree_with_transformers() {
    let record = Record::of("sd1_clip");
    let clip = clip();
    assert_eq!(clip.view(), View::Pixels);
    let text = clip.embed_text("a red lighthouse by the sea at night").unwrap();
    record.compare("text", &text);
    let (picture, mask) = (record.get("picture"), record.get("mask"));
    let picture = Var::from_tensor(picture).unwrap();
    let embedding = clip.embed(&picture, mask).unwrap();
    record.compare("embedding", &embedding);
    let gradients = (embedding * text).unwrap().sum_all().unwrap().backward().unwrap();
    compare_gradient(&record, "gradient", gradients.get(&picture).unwrap());

    let [fine, coarse] = clip.features(&picture, mask).unwrap();
    record.compare("fine", &fine.values);
    record.compare("coarse", &coarse.values);
    for map in [&fine, &coarse] {
        record.compare("shares", &map.mask);
    }
    let squares = |x: &Tensor| x.sqr().unwrap().mean_all().unwrap();
    let gradients = (squares(&fine.values) + squares(&coarse.values)).unwrap().backward().unwrap();
    compare_gradient(&record, "features.gradient", gradients.get(&picture).unwrap());
}

#[test]
fn an_empty_part_has_finite_features() {
    let record = Record::of("sd1_clip");
    let nothing = record.get("mask").zeros_like().unwrap();
    let embedding = clip().embed(record.get("picture"), &nothing).unwrap();
    assert!(numbers(&embedding).iter().all(|number| number.is_finite()));
}
