//! Compares the networks of Z-Image with diffusers and transformers.

use bevy_illustrator::diffusion::{
    DiffusionError, Interrupt, LatentSpec, TextEncoder, autoencoder,
    denoise::z_image::ZImageTransformer2DModel,
    text::qwen3::{Qwen3TextEncoder, Qwen3Tokenizer},
};
use candle_core::{Device, Tensor, Var};

use super::{Record, assert_gradients_agree, flux2::prompts, model};

fn transformer() -> ZImageTransformer2DModel {
    ZImageTransformer2DModel::load(&model("z_image"), "transformer", &Device::Cpu).unwrap()
}

/// The prediction for recorded latents and a recorded context.
fn predict(
    network: &ZImageTransformer2DModel,
    (latents, context): (&Tensor, &Tensor),
    timestep: f64,
    observe: &mut dyn FnMut(&str, &Tensor),
) -> Tensor {
    let interrupt = Interrupt::default();
    network.forward_observed(latents, timestep, context, &interrupt, observe).unwrap()
}

#[test]
fn a_template_without_an_empty_thought_agrees_with_transformers() {
    let tokenizer = Qwen3Tokenizer::load(&model("z_image"), "tokenizer", 341).unwrap();
    let tokenizer = tokenizer.without_thought();
    let prompts = prompts("z_image");
    assert_eq!(prompts.len(), 7);
    for prompt in &prompts {
        assert_eq!(tokenizer.ids(&prompt.text).unwrap(), prompt.ids, "{}", prompt.text);
    }
    assert_eq!(prompts[6].ids.len(), Qwen3Tokenizer::LENGTH);
}

#[test]
fn prompts_are_encoded_without_padding_by_the_last_layer_but_one() {
    let encoder = Qwen3TextEncoder::load_unpadded(&model("z_image"), &Device::Cpu).unwrap();
    let (record, interrupt) = (Record::of("z_image_text_encoder"), Interrupt::default());
    let encode = |text: &str| encoder.encode(text, &interrupt).unwrap().tokens;
    record.compare("prompt", &encode("a red lighthouse by the sea at night"));
    record.compare("empty", &encode(""));
    let long = encode(&prompts("z_image")[6].text);
    assert_eq!(long.dims(), [1, Qwen3Tokenizer::LENGTH, encoder.width()]);
    record.compare("long_end", &long.narrow(1, 512 - 16, 16).unwrap());
}

#[test]
fn the_transformer_agrees_with_diffusers_in_every_block() {
    let (network, record) = (transformer(), Record::of("z_image_transformer"));
    let inputs = (record.get("few_latents"), record.get("few_context"));
    let mut observed = Vec::new();
    let output = predict(&network, inputs, 437.5, &mut |name, hidden| {
        record.compare(name, hidden);
        observed.push(name.to_owned());
    });
    let groups = ["noise_refiner", "context_refiner", "layers"];
    let expected = groups.map(|group| [0, 1].map(|index| format!("{group}.{index}")));
    assert_eq!(observed, expected.as_flattened());
    record.compare("few_output", &output);
    record.compare("first_output", &predict(&network, inputs, 1000.0, &mut |_, _| {}));
    let interrupt = Interrupt::default();
    interrupt.cancel();
    let stopped = network.forward_observed(inputs.0, 1.0, inputs.1, &interrupt, &mut |_, _| {});
    assert!(matches!(stopped, Err(DiffusionError::Cancelled)));
}

/// 32 tokens of the picture and of the text have no padding; 35 and 45 are padded to 64.
#[test]
fn predictions_with_and_without_padding_agree_with_diffusers() {
    let (network, record) = (transformer(), Record::of("z_image_transformer"));
    for name in ["exact", "many"] {
        let input = |part: &str| record.get(&format!("{name}_{part}"));
        let output = predict(&network, (input("latents"), input("context")), 437.5, &mut |_, _| {});
        record.compare(&format!("{name}_output"), &output);
    }
}

#[test]
fn latents_without_whole_patches_are_refused() {
    let latents = Tensor::zeros((1, 4, 3, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    let context = Record::of("z_image_transformer").get("few_context").narrow(0, 0, 1).unwrap();
    let interrupt = Interrupt::default();
    let refused =
        transformer().forward_observed(&latents, 1.0, &context, &interrupt, &mut |_, _| {});
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("3 x 4"), "{error}");
}

#[test]
fn gradients_of_the_whole_transformer_agree_with_pytorch() {
    let (network, record) = (transformer(), Record::of("z_image_transformer"));
    let variable = |name| Var::from_tensor(record.get(name)).unwrap();
    let (latents, context) = (variable("few_latents"), variable("few_context"));
    let gradients = |context: &Tensor| {
        let output = predict(&network, (&latents, context), 437.5, &mut |_, _| {});
        output.sqr().unwrap().sum_all().unwrap().backward().unwrap()
    };
    let (of_both, of_latents) = (gradients(&context), gradients(&context.detach()));
    for (name, gradient) in [
        ("latents_gradient", of_both.get(&latents)),
        ("context_gradient", of_both.get(&context)),
        ("latents_gradient", of_latents.get(&latents)),
    ] {
        assert_gradients_agree(name, gradient.unwrap(), record.get(name));
    }
}

#[test]
fn the_autoencoder_scales_and_shifts_latents_as_diffusers_does() {
    let (record, interrupt) = (Record::of("z_image_vae"), Interrupt::default());
    let vae = autoencoder::load(&model("z_image"), "vae", &Device::Cpu).unwrap();
    assert_eq!(vae.spec(), LatentSpec { scale: 8, channels: 4 });
    record.compare("encoded", &vae.encode(record.get("image"), &interrupt).unwrap());
    record.compare("decoded", &vae.decode(record.get("latents"), &interrupt).unwrap());
}
