//! Textual inversions in prompts.

use std::{collections::BTreeMap, path::Path};

use bevy_illustrator::diffusion::{
    Conditioning, Interrupt,
    text::{TextEncoder, TextOptions, TextualInversion},
};
use candle_core::{DType, Device, Tensor};

use super::{Record, fixtures, prompts::encoder};

fn load(name: &str, file: &Path, encoder: &dyn TextEncoder) -> Result<TextualInversion, String> {
    TextualInversion::load(name, file, &encoder.inversion_widths(), &Device::Cpu)
        .map_err(|error| error.to_string())
}

fn file(name: &str) -> std::path::PathBuf {
    fixtures().join(format!("embeddings/{name}.safetensors"))
}

/// `tests/reference/embeddings.py` records the embeddings of diffusers and compel.
#[test]
fn prompts_with_textual_inversions_are_encoded_as_by_diffusers() {
    let prompts = std::fs::read(fixtures().join("embeddings/prompts.json")).unwrap();
    let prompts: BTreeMap<String, String> = serde_json::from_slice(&prompts).unwrap();
    for (model, count) in [("sd1", 5), ("sd2", 2), ("sdxl", 4)] {
        let record = Record::open(file(&format!("{model}_prompts")));
        let encoder = encoder(model);
        let inversions = ["harbour", "glow"]
            .map(|name| load(name, &file(&format!("{model}/{name}")), &*encoder).unwrap());
        let options = TextOptions { inversions: &inversions, clip_skip: None };
        let mut compared = 0;
        for (name, prompt) in &prompts {
            if record.tensors.contains_key(name) {
                let encoded = encoder.encode_with(prompt, options, &Interrupt::default());
                let Conditioning { tokens, pooled, .. } = encoded.unwrap();
                record.compare(name, &tokens);
                let pooled = pooled.into_iter();
                compared += 1 + pooled
                    .inspect(|pooled| record.compare(&format!("{name}_pooled"), pooled))
                    .count();
            }
        }
        assert_eq!((compared, record.tensors.len()), (count, count), "{model}");
        let unknown = encoder.encode_with("embedding:mira", options, &Interrupt::default());
        assert!(unknown.err().unwrap().to_string().contains("the embedding `mira` was not found"));
    }
}

#[test]
fn a_textual_inversion_of_another_family_is_refused_with_both_widths() {
    let error = |model: &str, name: &str| load("a", &file(name), &*encoder(model)).err().unwrap();
    for (model, name, widths) in [
        ("sd1", "sd2/harbour", ["20 values", "24 values"]),
        ("sd2", "sdxl/glow", ["12 and 20 values", "20 values"]),
        ("sdxl", "sd1/glow", ["24 values", "12 and 20 values"]),
    ] {
        let found = error(model, name);
        assert!(found.contains(&format!("{name}.safetensors")), "{found}");
        assert!(widths.iter().all(|width| found.contains(width)), "{found}");
    }
    let lora = load("a", &fixtures().join("loras/sd1_peft.safetensors"), &*encoder("sd1"));
    let found = lora.err().unwrap();
    assert!(found.contains("sd1_peft.safetensors") && found.contains("lora_A"), "{found}");
}

#[test]
fn a_file_with_another_shape_or_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.safetensors");
    let encoder = encoder("sd1");
    for (shape, word) in
        [(&[2, 3, 24][..], "[2, 3, 24]"), (&[0, 24], "no values"), (&[], "of the shape []")]
    {
        let zeros = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        let tensors = std::collections::HashMap::from([("emb_params", zeros)]);
        candle_core::safetensors::save(&tensors, &file).unwrap();
        let error = load("a", &file, &*encoder).err().unwrap();
        assert!(error.contains(word) && error.contains("a.safetensors"), "{error}");
    }
    std::fs::write(&file, [0x80, 2, b'}', b'.', 0, 0, 0, 0]).unwrap();
    let error = load("a", &file, &*encoder).err().unwrap();
    assert!(error.contains("pickle"), "{error}");
}
