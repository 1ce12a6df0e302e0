//! Prompts with weights, breaks and many words.

use std::collections::BTreeMap;

use bevy_illustrator::diffusion::{
    Interrupt,
    text::{TextEncoder, clip::ClipTextEncoder, sdxl::SdxlTextEncoder},
};
use candle_core::{Device, Tensor};

use super::{Record, fixtures, model};

/// Prompts by name, as `tests/reference/prompts.py` encodes them.
fn prompts() -> BTreeMap<String, String> {
    let prompts = std::fs::read(fixtures().join("networks/prompts.json")).unwrap();
    let prompts: BTreeMap<String, String> = serde_json::from_slice(&prompts).unwrap();
    assert!(prompts.len() >= 10);
    prompts
}

fn encoded(prompt: &str) -> Tensor {
    let encoder = ClipTextEncoder::load(&model("sd1"), &Device::Cpu).unwrap();
    encoder.encode(prompt, &Interrupt::default()).unwrap().tokens
}

#[test]
fn prompts_with_weights_are_encoded_as_by_compel() {
    let record = Record::of("sd1_prompts");
    for (name, prompt) in prompts() {
        record.compare(&name, &encoded(&prompt));
    }
}

#[test]
fn the_two_text_encoders_of_xl_encode_prompts_as_by_compel() {
    let record = Record::of("sdxl_prompts");
    let encoder = SdxlTextEncoder::load(&model("sdxl"), false, &Device::Cpu).unwrap();
    for (name, prompt) in prompts() {
        let encoded = encoder.encode(&prompt, &Interrupt::default()).unwrap();
        record.compare(&name, &encoded.tokens);
        record.compare(&format!("{name}_pooled"), &encoded.pooled.unwrap());
    }
}

#[test]
fn an_empty_prompt_of_xl_is_zeros_if_its_index_says_so() {
    let encoder = SdxlTextEncoder::load(&model("sdxl"), true, &Device::Cpu).unwrap();
    let encode = |prompt: &str| encoder.encode(prompt, &Interrupt::default()).unwrap();
    let (empty, other) = (encode(" # none"), encode("fog"));
    assert_eq!(empty.tokens.dims(), other.tokens.dims());
    let largest = |x: Tensor| x.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert_eq!((largest(empty.tokens), largest(empty.pooled.unwrap())), (0.0, 0.0));
    assert!(largest(other.tokens) > 0.1 && largest(other.pooled.unwrap()) > 0.1);
}

#[test]
fn a_prompt_has_at_most_16_chunks() {
    let of_chunks = |prompt: &str| encoded(prompt).dim(1).unwrap() / 77;
    assert_eq!(of_chunks(&["a"; 75].join(" ")), 1);
    assert_eq!(of_chunks(&["a"; 76].join(" ")), 2);
    assert_eq!(of_chunks(&["a"; 5000].join(" ")), 16);
    assert_eq!(of_chunks(&["a"; 50].join(" BREAK ")), 16);
}
