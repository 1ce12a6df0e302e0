//! Prompts with weights, breaks and many words.

use std::collections::BTreeMap;

use bevy_illustrator::diffusion::{
    Interrupt,
    text::{TextEncoder, clip::ClipTextEncoder},
};
use candle_core::{Device, Tensor};

use super::{Record, fixtures, model};

fn encoded(prompt: &str) -> Tensor {
    let encoder = ClipTextEncoder::load(&model("sd1"), &Device::Cpu).unwrap();
    encoder.encode(prompt, &Interrupt::default()).unwrap().tokens
}

/// `tests/reference/prompts.py` records the embeddings.
#[test]
fn prompts_with_weights_are_encoded_as_by_compel() {
    let record = Record::of("sd1_prompts");
    let prompts = std::fs::read(fixtures().join("networks/sd1_prompts.json")).unwrap();
    let prompts: BTreeMap<String, String> = serde_json::from_slice(&prompts).unwrap();
    assert!(prompts.len() >= 10);
    for (name, prompt) in prompts {
        record.compare(&name, &encoded(&prompt));
    }
}

#[test]
fn a_prompt_has_at_most_16_chunks() {
    let of_chunks = |prompt: &str| encoded(prompt).dim(1).unwrap() / 77;
    assert_eq!(of_chunks(&["a"; 75].join(" ")), 1);
    assert_eq!(of_chunks(&["a"; 76].join(" ")), 2);
    assert_eq!(of_chunks(&["a"; 5000].join(" ")), 16);
    assert_eq!(of_chunks(&["a"; 50].join(" BREAK ")), 16);
}
