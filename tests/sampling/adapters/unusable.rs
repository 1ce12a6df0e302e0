//! Adapters and images that cannot be used, and the errors that name them.

use std::fs;

use bevy_illustrator::recipe::{ImageUse, Images};
use candle_core::{DType, Device, Tensor};
use image::{Rgba, RgbaImage};

use super::{
    ALL, ENCODER, OUTLINE, PLAIN, PLUS, WEIGHTS, copy, draw, error_of, folder, inspiration, load,
    single_file,
};

#[test]
fn a_single_file_that_cannot_be_used_is_named() {
    let folder = folder(&[]);
    copy(
        "single_files/control_net_of_sd2.safetensors",
        &folder.path().join("adapters/outline/control_v11p_sd21.safetensors"),
    );
    let error = error_of(&folder, ImageUse::Outline);
    assert!(
        error.contains(
            "outline/control_v11p_sd21.safetensors: the width of its tokens is [20], but [24]"
        ),
        "{error}"
    );
    let control = format!("sd1_control_net/{WEIGHTS}");
    let folder = single_file(&control, "control_net_of_sd1", "style/control.safetensors");
    let error = error_of(&folder, ImageUse::Style);
    assert!(
        error.contains("control.safetensors: a ControlNet cannot follow an image as StyleImage"),
        "{error}"
    );
}

#[test]
fn files_of_adapters_that_cannot_be_used_are_named() {
    let error = error_of(&folder(&[PLUS]), ImageUse::Style);
    assert!(error.contains("adapters/image_encoder/config.json is missing"), "{error}");
    assert!(error.contains("CLIPVisionModelWithProjection"), "{error}");
    let command = "`illustrate models fetch h94/IP-Adapter --subfolder models/image_encoder --into";
    assert!(error.contains(command) && error.contains("adapters/image_encoder`"), "{error}");

    let no_weights = folder(&[PLUS, ENCODER]);
    fs::remove_file(no_weights.path().join("adapters/image_encoder/model.safetensors")).unwrap();
    let error = error_of(&no_weights, ImageUse::Style);
    assert!(error.contains("adapters/image_encoder/model.safetensors is missing"), "{error}");

    let no_weights = folder(&[OUTLINE]);
    let weights = no_weights.path().join("adapters/outline").join(WEIGHTS);
    fs::remove_file(&weights).unwrap();
    let error = error_of(&no_weights, ImageUse::Outline);
    assert!(error.contains(&format!("adapters/outline/{WEIGHTS} is missing")), "{error}");
    assert!(error.contains("repository of the adapter"), "{error}");
    fs::write(&weights, b"damaged").unwrap();
    let error = error_of(&no_weights, ImageUse::Outline);
    assert!(error.contains(&format!("adapters/outline/{WEIGHTS}")), "{error}");

    let damaged = folder(&[PLUS, ENCODER]);
    fs::write(damaged.path().join("adapters").join(PLUS.1), b"damaged").unwrap();
    let error = error_of(&damaged, ImageUse::Style);
    assert!(error.contains(PLUS.1), "{error}");

    let pickle = folder(&[ENCODER]);
    fs::create_dir(pickle.path().join("adapters/style")).unwrap();
    fs::write(pickle.path().join("adapters/style/ip-adapter_sd15.bin"), b"").unwrap();
    let error = error_of(&pickle, ImageUse::Style);
    assert!(error.contains("ip-adapter_sd15.bin is a pickle"), "{error}");

    let error = error_of(&folder(&[PLAIN, PLUS, ENCODER]), ImageUse::Style);
    assert!(error.contains("ip-adapter-plus_sd15.safetensors, ip-adapter_sd15"), "{error}");

    let error = error_of(&folder(&[("light", "outline")]), ImageUse::Outline);
    assert!(error.contains("outline/config.json: its features have [8, 16, 16, 16]"), "{error}");
}

#[test]
fn the_image_encoder_of_another_ip_adapter_is_refused_by_both_numbers() {
    for (adapter, expected) in [(PLAIN, "embeddings"), (PLUS, "hidden states")] {
        let folder = folder(&[adapter]);
        let encoder = folder.path().join("adapters/image_encoder");
        copy("../../../assets/models/sketch-clip", &encoder);
        let error = error_of(&folder, ImageUse::Style);
        assert!(error.contains(expected) && error.contains("image encoder"), "{error}");
    }
}

#[test]
fn an_adapter_for_latents_of_another_size_is_refused() {
    let folder = folder(&[OUTLINE]);
    let adapter = folder.path().join("adapters/outline");
    let config = fs::read_to_string(adapter.join("config.json")).unwrap();
    let changed = config.replace("\"downscale_factor\": 8", "\"downscale_factor\": 16");
    assert_ne!(changed, config);
    fs::write(adapter.join("config.json"), changed).unwrap();
    let weights = adapter.join(WEIGHTS);
    let mut tensors = candle_core::safetensors::load(&weights, &Device::Cpu).unwrap();
    let (name, first) = tensors.iter().find(|(name, _)| name.ends_with("conv_in.weight")).unwrap();
    let (name, output) = (name.clone(), first.dim(0).unwrap());
    let larger = Tensor::zeros((output, 3 * 16 * 16, 3, 3), DType::F32, &Device::Cpu).unwrap();
    tensors.insert(name, larger);
    candle_core::safetensors::save(&tensors, &weights).unwrap();
    let error = error_of(&folder, ImageUse::Outline);
    assert!(error.contains("latents of 16 x 16 pixels"), "{error}");
}

#[test]
fn an_image_of_another_shape_is_refused_except_for_a_style() {
    let folder = folder(&ALL);
    let mut model = load(&folder);
    let wide = RgbaImage::from_pixel(64, 16, Rgba([9, 9, 9, 255]));
    for usage in [ImageUse::Outline, ImageUse::Scribble, ImageUse::Content] {
        let error = draw(&mut model, inspiration(usage, wide.clone(), 1.0)).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(usage.name()), "{error}");
        assert!(error.contains("4.00") && error.contains("1.33"), "{error}");
    }
    draw(&mut model, inspiration(ImageUse::Style, wide.clone(), 1.0)).unwrap();
    let (inspirations, _) = inspiration(ImageUse::Style, wide, 1.0);
    let error = draw(&mut model, (inspirations, Images::new())).unwrap_err().to_string();
    assert!(error.contains("of StyleImage is missing"), "{error}");
}
