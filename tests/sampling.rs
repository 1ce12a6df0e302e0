//! Compares schedulers, pictures and edits with tensors recorded from diffusers (`tests/reference`).

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "sampling/adapters.rs"]
mod adapters;
#[path = "sampling/behaviour.rs"]
mod behaviour;
#[path = "sampling/components.rs"]
mod components;
#[path = "../src/test_support/copy_folder.rs"]
mod copy_folder;
#[path = "sampling/distilled.rs"]
mod distilled;
#[path = "sampling/edits.rs"]
mod edits;
#[path = "sampling/flow_loras.rs"]
mod flow_loras;
#[path = "sampling/inpainting.rs"]
mod inpainting;
#[path = "sampling/klein.rs"]
mod klein;
#[path = "sampling/loss_networks.rs"]
mod loss_networks;
#[path = "sampling/memory.rs"]
mod memory;
#[path = "sampling/pictures.rs"]
mod pictures;
#[path = "sampling/schedulers.rs"]
mod schedulers;
#[path = "sampling/text_encoders.rs"]
mod text_encoders;
#[path = "sampling/tiles.rs"]
mod tiles;
#[path = "sampling/vae.rs"]
mod vae;
#[path = "sampling/z_image.rs"]
mod z_image;
#[path = "sampling/z_image_files.rs"]
mod z_image_files;

use std::{collections::HashMap, path::PathBuf};

use candle_core::{Device, Tensor};

/// The path of a recorded file or folder.
fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures").join(path)
}

fn tensors(path: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(path), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap();
    flat.to_vec1().unwrap()
}

/// The difference between the largest and the smallest value.
fn range(tensor: &Tensor) -> f64 {
    let values = numbers(tensor);
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    values.into_iter().fold(f64::NEG_INFINITY, f64::max) - least
}

/// Asserts that no value differs by more than `allowed`.
#[track_caller]
fn assert_near(what: &str, found: &Tensor, expected: &Tensor, allowed: f64) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let worst = numbers(found)
        .into_iter()
        .zip(numbers(expected))
        .map(|(a, b)| (a - b).abs())
        // `f64::max` would drop a NaN.
        .fold(0.0, |worst, off| if off > worst || off.is_nan() { off } else { worst });
    assert!(worst <= allowed, "{what}: off by {worst}, more than {allowed}");
}
