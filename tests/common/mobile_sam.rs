//! MobileSAM with random weights. They are generated because the file would have forty megabytes.
//! `tests/reference/segment.py` generates the same weights.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashMap, fs, path::PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};

/// The shape of each tensor, by name.
pub fn shapes() -> HashMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Reference {
        shapes: HashMap<String, String>,
    }
    let file = "tests/reference/fixtures/segment/mobile_sam.json";
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    serde_json::from_slice::<Reference>(&fs::read(file).unwrap()).unwrap().shapes
}

/// `count` numbers between -1 and 1 from `SplitMix64`, seeded with the FNV-1a hash of the name.
fn numbers(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |seed, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    (0..count as u64).map(move |i| {
        let state = i.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(seed);
        let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((state ^ (state >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// A safetensors file with tensors of these shapes.
pub fn weights(shapes: &HashMap<String, String>) -> Vec<u8> {
    let tensors: Vec<(&String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .map(|(name, shape)| {
            let shape: Vec<usize> = shape.split(' ').map(|side| side.parse().unwrap()).collect();
            let (scale, shift) = scale_and_shift(name, &shape);
            let numbers = numbers(name, shape.iter().product());
            let bytes = numbers.flat_map(|number| (shift + scale * number).to_le_bytes());
            (name, shape, bytes.collect())
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    serialize(views, None).unwrap()
}

fn scale_and_shift(name: &str, shape: &[usize]) -> (f32, f32) {
    let inputs: usize = shape[1..].iter().product();
    let is_vector = ["embed", "token.", "tokens."].iter().any(|part| name.contains(part));
    match (shape.len(), inputs) {
        _ if name.ends_with("running_var") => (0.5, 1.0),
        (1, _) if name.ends_with("weight") => (0.25, 1.0),
        (1, _) => (0.125, 0.0),
        (_, 2..) if !is_vector => ((3.0 / inputs as f64).sqrt().log2().round().exp2() as f32, 0.0),
        _ => (1.0, 0.0),
    }
}
