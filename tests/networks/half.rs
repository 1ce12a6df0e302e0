//! Compares denoisers that compute in f16 and bf16 with diffusers in the same types.
//!
//! Two programs that round 16 bits in another order are not equally wrong. diffusers' own distance from its f32 says how much
//! rounding adds up to in a network. Predictions of this crate may be twice as far from diffusers' as that: independent errors
//! of the same size are 1.4 times as far apart.

use std::sync::Arc;

use bevy_illustrator::{
    diffusion::{
        Conditioning, Denoiser, DenoiserInput, DeviceKind, Interrupt, LoadOptions, Precision,
        adapter::{ActiveAdapters, ActiveControl, ControlNet},
        denoise::{
            flux2::Flux2Transformer2DModel, unet::UNet2DConditionModel,
            z_image::ZImageTransformer2DModel,
        },
        family::{families, load},
        lora::{LoraFile, Loras},
    },
    generator::{Inputs, draw_request},
    model::{EmbeddedPackage, FolderPackage, ModelDefaults, Package, with_transformer},
    recipe::{Recipe, Sampler, Size},
};
use candle_core::{DType, Device, Tensor, Var};
use image::RgbaImage;

use super::{
    Record,
    adapters::{conditioning as sees_images, features, images},
    assert_gradients_agree, conditioning,
    copy_folder::copy_folder,
    dot, fixtures,
    klein_files::with_heads_of_16,
    model, numbers,
};

/// A component with a ControlNet.
const CONTROL_NET: &str = "adapters/outline";

/// The distance of two tensors, as a share of the length of the second one.
fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let [found, expected] = [found, expected].map(numbers);
    let difference: Vec<f64> = found.iter().zip(&expected).map(|(f, e)| f - e).collect();
    (dot(&difference, &difference) / dot(&expected, &expected)).sqrt()
}

/// The largest relative error of a number that is rounded once.
fn rounding(dtype: DType) -> f64 {
    if dtype == DType::F16 { 0.5_f64.powi(11) } else { 0.5_f64.powi(8) }
}

/// Asserts that a prediction is as close to the recorded one of the same type as rounding allows. `wide` is diffusers' in f32.
fn compare(name: &str, dtype: DType, found: &Tensor, wide: &Tensor) {
    assert_eq!(found.dtype(), DType::F32);
    let expected = Record::of("half").get(name).clone();
    assert_eq!(expected.dtype(), dtype);
    let (own, between) = (apart(&expected, wide), apart(found, &expected));
    let [own, between] = [own, between].map(|distance| distance / rounding(dtype));
    println!("{name}: diffusers is {own:.1} roundings from f32, and {between:.1} from this crate");
    assert!(own < 16.0 && between <= 2.0 * own, "{name}: {between} of {own} roundings");
}

/// The predictions of a UNet for recorded inputs. All its blocks must compute in `dtype`.
fn predict(unet: &UNet2DConditionModel, record: &Record, dtype: DType) -> Tensor {
    let timestep = record.get("timestep").get(0).unwrap().to_scalar::<f64>().unwrap();
    let (sample, interrupt) = (record.get("sample"), Interrupt::default());
    let mut observe = |name: &str, hidden: &Tensor| assert_eq!(hidden.dtype(), dtype, "{name}");
    let conditioning = conditioning(record);
    unet.forward_observed(sample, timestep, &conditioning, &interrupt, &mut observe).unwrap()
}

#[test]
fn unets_of_16_bits_agree_with_diffusers_in_the_same_type() {
    for name in ["sd1", "sdxl"] {
        let record = Record::of(&format!("{name}_unet_even"));
        for (dtype, suffix) in [(DType::F16, "f16"), (DType::BF16, "bf16")] {
            let unet =
                UNet2DConditionModel::load_in(&model(name), "unet", dtype, &Device::Cpu).unwrap();
            let found = predict(&unet, &record, dtype);
            compare(&format!("{name}_{suffix}"), dtype, &found, record.get("output"));
        }
    }
}

#[test]
fn transformers_of_16_bits_agree_with_diffusers_in_the_same_type() {
    let (dtype, interrupt) = (DType::BF16, Interrupt::default());
    let mut observe = |name: &str, hidden: &Tensor| assert_eq!(hidden.dtype(), dtype, "{name}");
    let record = Record::of("klein_transformer");
    let (latents, context) = (record.get("latents"), record.get("context"));
    let device = &Device::Cpu;
    let klein =
        Flux2Transformer2DModel::load_in(&model("klein"), "transformer", true, dtype, device)
            .unwrap();
    let found = klein.forward_observed(latents, 500.0, context, &[], &interrupt, &mut observe);
    compare("klein_bf16", dtype, &found.unwrap(), Record::of("half").get("klein_f32"));

    let record = Record::of("z_image_transformer");
    let (latents, context) = (record.get("few_latents"), record.get("few_context"));
    let z_image =
        ZImageTransformer2DModel::load_in(&model("z_image"), "transformer", dtype, device).unwrap();
    let found = z_image.forward_observed(latents, 437.5, context, &interrupt, &mut observe);
    compare("z_image_bf16", dtype, &found.unwrap(), record.get("few_output"));
}

/// The gradient of the squared predictions of a UNet.
fn gradient(unet: &UNet2DConditionModel, record: &Record, conditioning: &Conditioning) -> Tensor {
    let sample = Var::from_tensor(record.get("sample")).unwrap();
    let output = unet.forward(&sample, 981.0, conditioning, &Interrupt::default()).unwrap();
    let gradients = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    gradients.get(&sample).unwrap().clone()
}

#[test]
fn gradients_of_a_unet_of_16_bits_are_those_of_its_weights_in_f32() {
    let record = Record::of("sd1_unet_even");
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures().join("sd1"), folder.path());
    let weights = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let tensors = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap().into_iter();
    let narrow = tensors.map(|(name, tensor)| (name, tensor.to_dtype(DType::F16).unwrap()));
    candle_core::safetensors::save(&narrow.collect(), &weights).unwrap();
    let package = FolderPackage::open(folder.path()).unwrap();
    let wide = UNet2DConditionModel::load(&package, "unet", &Device::Cpu).unwrap();
    let half =
        UNet2DConditionModel::load_in(&model("sd1"), "unet", DType::F16, &Device::Cpu).unwrap();
    let (conditioning, interrupt) = (conditioning(&record), Interrupt::default());
    let predict = || half.forward(record.get("sample"), 981.0, &conditioning, &interrupt).unwrap();
    let before = predict();
    let found = gradient(&half, &record, &conditioning);
    assert_eq!(found.dtype(), DType::F32);
    let expected = gradient(&wide, &record, &conditioning);
    assert_gradients_agree("in 16 bits", &found, &expected);
    assert!(apart(&found, &expected) < 1e-5, "{}", apart(&found, &expected));
    // The cached keys of the prompt are those of each type.
    assert_eq!(numbers(&predict()), numbers(&before));
}

#[test]
fn a_control_net_of_16_bits_changes_a_unet_of_16_bits_as_one_of_f32_does() {
    let record = Record::of("sd1_control_net");
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures().join("sd1"), folder.path());
    copy_folder(&fixtures().join("sd1_control_net"), &folder.path().join(CONTROL_NET));
    let package = FolderPackage::open(folder.path()).unwrap();
    let predict = |dtype: DType, weight: f32| {
        let network = ControlNet::load_in(&package, CONTROL_NET, dtype, &Device::Cpu).unwrap();
        let unet =
            UNet2DConditionModel::load_in(&model("sd1"), "unet", dtype, &Device::Cpu).unwrap();
        let drawing = network.embed(record.get("drawing")).unwrap();
        let control = ActiveControl { network: Arc::new(network), drawing, weight, masks: None };
        let adapters = ActiveAdapters { controls: vec![control], ..ActiveAdapters::default() };
        let conditioning = Conditioning::new(record.get("states").clone());
        let interrupt = Interrupt::default();
        let input = DenoiserInput::new(record.get("noisy"), 500.0, &conditioning, &interrupt);
        unet.predict(&input.with_adapters(&adapters)).unwrap()
    };
    let wide = predict(DType::F32, 0.7);
    compare_change("a ControlNet", &predict(DType::F16, 0.7), &wide, &predict(DType::F32, 0.0));
}

/// Asserts that a prediction in f16 is close to that in f32, compared with the change by an adapter. `without` has no adapter.
fn compare_change(what: &str, half: &Tensor, wide: &Tensor, without: &Tensor) {
    let [error, effect] = [half, without].map(|it| apart(it, wide) / rounding(DType::F16));
    println!("{what}: {error:.1} roundings of f16 off, the adapter changes {effect:.0}");
    assert!(error < 16.0 && effect > 160.0, "{what}: {error} {effect}");
}

#[test]
fn adapters_and_loras_change_a_unet_of_16_bits_as_one_of_f32() {
    let record = Record::of("sd1_adapters");
    let (sd1, interrupt) = (model("sd1"), Interrupt::default());
    let predict = |package: &dyn Package,
                   dtype: DType,
                   conditioning: &Conditioning,
                   adapters: &ActiveAdapters| {
        let unet = UNet2DConditionModel::load_in(package, "unet", dtype, &Device::Cpu).unwrap();
        let input = DenoiserInput::new(record.get("noisy"), 500.0, conditioning, &interrupt);
        unet.predict(&input.with_adapters(adapters)).unwrap()
    };
    let without = Conditioning::new(record.get("states").clone());
    let plain = predict(&sd1, DType::F32, &without, &ActiveAdapters::default());

    let (images, features) = (images([None, None]), features(&record));
    for (what, adapters) in [
        ("IP-Adapters", ActiveAdapters { images, ..ActiveAdapters::default() }),
        ("a T2I-Adapter", ActiveAdapters { features, ..ActiveAdapters::default() }),
    ] {
        let seen = sees_images(&record);
        let [half, wide] = [DType::F16, DType::F32].map(|it| predict(&sd1, it, &seen, &adapters));
        compare_change(what, &half, &wide, &plain);
    }

    let lora = fixtures().join("loras/sd1_kohya.safetensors");
    let loras = Loras::new(&sd1, vec![LoraFile::open(&lora, 0.75).unwrap()]).unwrap();
    let package = loras.applied_to(&sd1);
    let none = ActiveAdapters::default();
    let [half, wide] = [DType::F16, DType::F32].map(|it| predict(&package, it, &without, &none));
    compare_change("a LoRA", &half, &wide, &plain);
}

#[test]
fn a_transformer_of_quantized_blocks_predicts_in_bf16_as_in_f32() {
    let (folder, record) = (with_heads_of_16(), Record::of("klein_blocks"));
    let klein = FolderPackage::open(folder.path()).unwrap();
    let gguf = fixtures().join("single_files/klein_original.gguf");
    let package = with_transformer(klein.shared(), &gguf).unwrap();
    let (latents, context) = (record.get("latents"), record.get("context"));
    let predict = |dtype, observe: &mut dyn FnMut(&str, &Tensor)| {
        let (device, interrupt) = (Device::Cpu, Interrupt::default());
        let network =
            Flux2Transformer2DModel::load_in(&package, "transformer", true, dtype, &device);
        let network = network.unwrap();
        network.forward_observed(latents, 437.5, context, &[], &interrupt, observe).unwrap()
    };
    let wide = predict(DType::F32, &mut |_, _| {});
    let half = predict(DType::BF16, &mut |name, hidden| {
        assert_eq!(hidden.dtype(), DType::BF16, "{name}");
    });
    let error = apart(&half, &wide) / rounding(DType::BF16);
    println!("quantized blocks: {error:.1} roundings of bf16 off");
    assert!(error > 0.0 && error < 16.0, "{error}");
}

/// A picture of 4 steps.
fn picture(package: &dyn Package, precision: Precision, size: Size) -> RgbaImage {
    let mut options = LoadOptions::new(DeviceKind::Cpu);
    options.precision = precision;
    let interrupt = Interrupt::default();
    let mut model = load(&families(), package, &options, &interrupt).unwrap();
    let expected = if precision == Precision::Auto { Precision::F32 } else { precision };
    assert_eq!(model.precision(), expected);
    let sampler = Sampler { steps: Some(4), ..Sampler::default() };
    let recipe = Recipe { sampler, ..Recipe::new("a red lighthouse by the sea", size, "") };
    let defaults = ModelDefaults::of(package).unwrap();
    let request = draw_request(&recipe, &Inputs::default(), &defaults).unwrap();
    model.draw(&request, &interrupt, &mut []).unwrap().image
}

/// The mean difference of two pictures, in levels of 255.
fn levels(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let (a, b) = (a.as_raw(), b.as_raw());
    let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.len() as f64
}

#[test]
fn pictures_in_16_bits_are_close_to_those_in_f32_and_auto_draws_the_latter_on_the_cpu() {
    let (package, size) = (EmbeddedPackage::built_in(), Size::new(128, 128));
    let wide = picture(&package, Precision::F32, size);
    assert!(picture(&package, Precision::Auto, size) == wide);
    for (precision, most) in [(Precision::F16, 0.5), (Precision::BF16, 4.0)] {
        let apart = levels(&picture(&package, precision, size), &wide);
        println!("{precision}: {apart:.2} levels");
        assert!(apart > 0.0 && apart <= most, "{precision}: {apart} levels");
    }
    let (package, size) = (model("z_image"), Size::new(64, 64));
    let wide = picture(&package, Precision::Auto, size);
    let apart = levels(&picture(&package, Precision::BF16, size), &wide);
    println!("Z-Image: {apart:.2} levels");
    assert!(apart > 0.0 && apart <= 4.0, "{apart} levels");
    let mut options = LoadOptions::new(DeviceKind::Cpu);
    options.precision = Precision::F16;
    let refused = load(&families(), &package, &options, &Interrupt::default());
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("\"f16\"") && error.contains("bf16"), "{error}");
}
