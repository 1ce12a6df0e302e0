//! Compares the networks of FLUX.2 Klein with diffusers and transformers.

use bevy_illustrator::diffusion::{
    DiffusionError, Interrupt, LatentSpec, TextEncoder, autoencoder,
    denoise::flux2::Flux2Transformer2DModel,
    text::qwen3::{Qwen3TextEncoder, Qwen3Tokenizer},
};
use bevy_illustrator::model::FolderPackage;
use candle_core::{Device, Tensor, Var};
use serde::Deserialize;

use super::{Record, assert_gradients_agree, fixtures, model};

const LAYERS: [usize; 3] = [9, 18, 27];

#[derive(Deserialize)]
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
}

/// The recorded prompts of a model.
pub(super) fn prompts(name: &str) -> Vec<Prompt> {
    let prompts = std::fs::read(fixtures().join(format!("networks/{name}_tokens.json"))).unwrap();
    serde_json::from_slice(&prompts).unwrap()
}

fn transformer() -> Flux2Transformer2DModel {
    Flux2Transformer2DModel::load(&model("klein"), "transformer", true, &Device::Cpu).unwrap()
}

#[test]
fn qwens_tokenizer_agrees_with_transformers() {
    let tokenizer = Qwen3Tokenizer::load(&model("klein"), "tokenizer", 341).unwrap();
    let prompts = prompts("klein");
    assert!(prompts.len() > 10);
    for Prompt { text, ids } in &prompts {
        assert_eq!(tokenizer.ids(text).unwrap(), *ids, "{text}");
    }
    assert_eq!(prompts.last().unwrap().ids.len(), Qwen3Tokenizer::LENGTH);
    let error = Qwen3Tokenizer::load(&model("klein"), "tokenizer", 340).unwrap_err().to_string();
    assert!(error.contains("</think>") && error.contains("340"), "{error}");
}

#[test]
fn encoded_prompts_agree_with_the_pipeline() {
    let encoder = Qwen3TextEncoder::load(&model("klein"), &LAYERS, &Device::Cpu).unwrap();
    let record = Record::of("klein_text_encoder");
    let interrupt = Interrupt::default();
    let prompts = prompts("klein");
    for (name, text) in [
        ("prompt", "a red lighthouse by the sea at night"),
        ("long", &prompts.last().unwrap().text),
    ] {
        let tokens = encoder.encode(text, &interrupt).unwrap().tokens;
        assert_eq!(tokens.dims(), [1, Qwen3Tokenizer::LENGTH, encoder.width()]);
        record.compare(&format!("{name}_start"), &tokens.narrow(1, 0, 64).unwrap());
        record.compare(&format!("{name}_end"), &tokens.narrow(1, 512 - 16, 16).unwrap());
    }
    interrupt.cancel();
    let stopped = encoder.encode("a", &interrupt);
    assert!(matches!(stopped, Err(DiffusionError::Cancelled)));
}

#[test]
fn a_prompt_is_not_encoded_by_files_that_changed_after_loading() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["", "text_encoder", "tokenizer"] {
        let (from, to) = (fixtures().join("klein").join(part), folder.path().join(part));
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
    let files = FolderPackage::open(folder.path()).unwrap();
    let encoder = Qwen3TextEncoder::load(&files, &LAYERS, &Device::Cpu).unwrap();
    assert!(encoder.encode("a", &Interrupt::default()).is_ok());
    let weights = folder.path().join("text_encoder/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    bytes.extend([0; 4]);
    std::fs::write(weights, bytes).unwrap();
    let error = encoder.encode("a", &Interrupt::default()).unwrap_err().to_string();
    assert!(error.contains("model_index.json"), "{error}");
}

#[test]
fn a_text_encoder_with_too_few_layers_is_named() {
    let error = Qwen3TextEncoder::load(&model("klein"), &[9, 28], &Device::Cpu).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("num_hidden_layers") && error.contains("28"), "{error}");
}

#[test]
fn the_transformer_agrees_with_diffusers_in_every_block() {
    let (network, record) = (transformer(), Record::of("klein_transformer"));
    let interrupt = Interrupt::default();
    let predict = |timestep: f64, references: &[Tensor], observe: &mut dyn FnMut(&str, &Tensor)| {
        let (latents, context) = (record.get("latents"), record.get("context"));
        network
            .forward_observed(latents, timestep, context, references, &interrupt, observe)
            .unwrap()
    };
    let mut observed = 0;
    let output = predict(437.5, &[], &mut |name, hidden| {
        record.compare(name, hidden);
        observed += 1;
    });
    assert_eq!(observed, 5);
    record.compare("output", &output);
    record.compare("first_output", &predict(1000.0, &[], &mut |_, _| {}));
    interrupt.cancel();
    let (latents, context) = (record.get("latents"), record.get("context"));
    let stopped = network.forward_observed(latents, 1.0, context, &[], &interrupt, &mut |_, _| {});
    assert!(matches!(stopped, Err(DiffusionError::Cancelled)));
}

#[test]
fn a_prediction_with_reference_pictures_agrees_with_diffusers() {
    let (network, record) = (transformer(), Record::of("klein_transformer"));
    let references = [0, 1].map(|index| record.get(&format!("reference_{index}")).clone());
    let (latents, context) = (record.get("latents"), record.get("context"));
    let output = network.forward_observed(
        latents,
        437.5,
        context,
        &references,
        &Interrupt::default(),
        &mut |_, _| {},
    );
    record.compare("referred_output", &output.unwrap());
}

#[test]
fn gradients_of_the_whole_transformer_agree_with_pytorch() {
    let (network, record) = (transformer(), Record::of("klein_transformer"));
    let variable = |name| Var::from_tensor(record.get(name)).unwrap();
    let (latents, context) = (variable("latents"), variable("context"));
    let interrupt = Interrupt::default();
    let output =
        network.forward_observed(&latents, 437.5, &context, &[], &interrupt, &mut |_, _| {});
    let gradients = output.unwrap().sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for (name, variable) in [("latents", &latents), ("context", &context)] {
        let expected = record.get(&format!("{name}_gradient"));
        assert_gradients_agree(name, gradients.get(variable).unwrap(), expected);
    }
}

#[test]
fn the_autoencoder_with_patches_agrees_with_diffusers() {
    let (record, interrupt) = (Record::of("klein_vae"), Interrupt::default());
    let vae = autoencoder::load(&model("klein"), "vae", &Device::Cpu).unwrap();
    assert_eq!(vae.spec(), LatentSpec { scale: 16, channels: 16 });
    record.compare("encoded", &vae.encode(record.get("image"), &interrupt).unwrap());
    record.compare("decoded", &vae.decode(record.get("latents"), &interrupt).unwrap());
}
