//! Prompts with weights, breaks and many words.

use std::collections::BTreeMap;

use bevy_illustrator::diffusion::{
    DiffusionError, Interrupt,
    text::{TextEncoder, TextOptions, clip::ClipTextEncoder, sdxl::SdxlTextEncoder},
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

/// The text encoder of a fixture.
pub(super) fn encoder(name: &str) -> Box<dyn TextEncoder> {
    let package = model(name);
    match name {
        "sdxl" => Box::new(SdxlTextEncoder::load(&package, false, &Device::Cpu).unwrap()),
        _ => Box::new(ClipTextEncoder::load(&package, &Device::Cpu).unwrap()),
    }
}

/// `tests/reference/clip_skip.py` records the embeddings of diffusers.
#[test]
fn layers_are_skipped_as_by_diffusers() {
    for (name, most) in [("sd1", 2), ("sd2", 1), ("sdxl", 1)] {
        let record = Record::of(&format!("{name}_clip_skip"));
        let encoder = encoder(name);
        let encode = |prompt: &str, clip_skip| {
            encoder.encode_with(
                prompt,
                TextOptions { clip_skip, ..TextOptions::default() },
                &Interrupt::default(),
            )
        };
        let prompt = "a lighthouse on a cliff, at night";
        for skipped in 0..=most {
            let encoded = encode(prompt, Some(skipped)).unwrap();
            record.compare(&format!("skip_{skipped}"), &encoded.tokens);
            if let Some(pooled) = encoded.pooled {
                record.compare(&format!("skip_{skipped}_pooled"), &pooled);
            }
        }
        assert!(!record.tensors.contains_key(&format!("skip_{}", most + 1)));
        record.compare("skip_0", &encode(prompt, None).unwrap().tokens);
        if name == "sd1" {
            let weak = encode(&prompts()["weak"], Some(1)).unwrap();
            record.compare("weak_skip_1", &weak.tokens);
        }
        let error = encode(prompt, Some(most + 1)).err().unwrap();
        let DiffusionError::ClipSkip { clip_skip, most: found } = error else { panic!("{error}") };
        assert_eq!((clip_skip, found), (most + 1, most as usize));
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
