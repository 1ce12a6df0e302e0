//! Compares a ControlNet of Stable Diffusion 1 with diffusers, with random weights.

use std::sync::Arc;

use bevy_illustrator::diffusion::{
    Conditioning, Denoiser, DenoiserInput,
    adapter::{ActiveAdapters, ActiveControl, ControlNet},
};
use serde_json::{Value, json};

use super::*;

/// The weight in `control_nets.py`.
const WEIGHT: f32 = 0.7;

fn folder() -> PathBuf {
    fixtures().join("sd1_control_net")
}

fn control_net() -> ControlNet {
    ControlNet::open(&folder(), &Device::Cpu).unwrap()
}

fn unet() -> UNet2DConditionModel {
    UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap()
}

fn predict(record: &Record, control: ActiveControl) -> Tensor {
    let conditioning = Conditioning::new(record.get("states").clone());
    let adapters = ActiveAdapters { controls: vec![control], ..ActiveAdapters::default() };
    let interrupt = Interrupt::default();
    let input = DenoiserInput::new(record.get("noisy"), 500.0, &conditioning, &interrupt);
    unet().predict(&input.with_adapters(&adapters)).unwrap()
}

#[test]
fn a_control_net_agrees_with_diffusers() {
    let record = Record::of("sd1_control_net");
    let network = control_net();
    network.check(&unet().adapter_places().unwrap()).unwrap();
    assert_eq!(network.downscale_factor(), 8);
    let drawing = network.embed(record.get("drawing")).unwrap();
    record.compare("embedding", &drawing);
    let (noisy, states) = (record.get("noisy"), Conditioning::new(record.get("states").clone()));
    let residuals = network.residuals(noisy, 500.0, &states, &drawing, &Interrupt::default());
    let residuals = residuals.unwrap();
    assert_eq!(residuals.len(), 9);
    assert_eq!(network.cells().count(), 9);
    for (index, (residual, cell)) in residuals.iter().zip(network.cells()).enumerate() {
        record.compare(&format!("residuals.{index}"), residual);
        // The drawing has 72 x 56 pixels.
        let (rows, columns) = (56_usize.div_ceil(cell), 72_usize.div_ceil(cell));
        assert_eq!(residual.dims()[2..], [rows, columns], "{index}");
    }
    let network = Arc::new(network);
    let control = ActiveControl { network, drawing, weight: WEIGHT, masks: None };
    record.compare("prediction", &predict(&record, control));
}

#[test]
fn a_masked_control_net_agrees_with_diffusers() {
    let record = Record::of("sd1_control_net");
    let network = Arc::new(control_net());
    let mask = record.get("mask").squeeze(0).unwrap().to_vec2::<u8>().unwrap();
    let means = |cell: usize| {
        let mut means = Vec::new();
        for rows in mask.chunks(cell) {
            for left in (0..rows[0].len()).step_by(cell) {
                let right = (left + cell).min(rows[0].len());
                let pixels = rows.iter().flat_map(|row| &row[left..right]);
                let sum: f32 = pixels.map(|value| f32::from(*value) / 255.0).sum();
                means.push(sum / (rows.len() * (right - left)) as f32);
            }
        }
        let shape = (1, 1, mask.len().div_ceil(cell), mask[0].len().div_ceil(cell));
        Tensor::from_vec(means, shape, &Device::Cpu).unwrap()
    };
    let masks: Arc<[Tensor]> = network.cells().map(means).collect();
    let drawing = network.embed(record.get("drawing")).unwrap();
    let control = ActiveControl { network, drawing, weight: WEIGHT, masks: Some(masks) };
    record.compare("masked.prediction", &predict(&record, control));
}

/// A copy of the network with some fields of its configuration changed.
fn changed(fields: &[(&str, Value)]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let config = std::fs::read(folder().join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    for (field, value) in fields {
        config[*field] = value.clone();
    }
    std::fs::write(copy.path().join("config.json"), config.to_string()).unwrap();
    let weights = "diffusion_pytorch_model.safetensors";
    std::fs::copy(folder().join(weights), copy.path().join(weights)).unwrap();
    copy
}

#[test]
fn blue_green_and_red_are_read_in_the_order_of_the_configuration() {
    let record = Record::of("sd1_control_net");
    let copy = changed(&[("controlnet_conditioning_channel_order", json!("bgr"))]);
    let network = ControlNet::open(copy.path(), &Device::Cpu).unwrap();
    let drawing = record.get("drawing");
    let channels = [2, 1, 0].map(|at| drawing.narrow(1, at, 1).unwrap());
    let reversed = Tensor::cat(&channels, 1).unwrap();
    record.compare("embedding", &network.embed(&reversed).unwrap());
}

#[test]
fn an_unsupported_configuration_of_a_control_net_is_named() {
    for (field, value) in [
        ("_class_name", json!("UNet2DConditionModel")),
        ("global_pool_conditions", json!(true)),
        ("addition_embed_type", json!("text")),
        ("class_embed_type", json!("timestep")),
        ("conditioning_channels", json!(1)),
        ("downsample_padding", json!(0)),
        ("conditioning_embedding_out_channels", json!([])),
        ("conditioning_embedding_out_channels", json!([4, 0])),
        ("controlnet_conditioning_channel_order", json!("gbr")),
        ("block_out_channels", json!([])),
        ("block_out_channels", json!([8, 0])),
        ("down_block_types", json!(["DownBlock2D"])),
        ("mid_block_type", json!("UNetMidBlock2DSimpleCrossAttn")),
        ("layers_per_block", json!([1])),
    ] {
        let copy = changed(&[(field, value.clone())]);
        let error = ControlNet::open(copy.path(), &Device::Cpu).unwrap_err().to_string();
        let expected = format!("config.json: `{field}` is {value}, which is not supported");
        assert!(error.contains(&expected), "{error}");
    }
    let copy = changed(&[("_class_name", json!("ControlNetUnionModel"))]);
    let error = ControlNet::open(copy.path(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("task_embedding"), "{error}");
    let copy = changed(&[("layers_per_block", json!(2))]);
    let error = ControlNet::open(copy.path(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("down_blocks.0"), "{error}");
}

#[test]
fn a_control_net_of_another_model_is_refused() {
    let places = unet().adapter_places().unwrap();
    let network = control_net();
    network.check(&places).unwrap();
    let sketch = EmbeddedPackage::built_in();
    let sketch = UNet2DConditionModel::load(&sketch, "unet", &Device::Cpu).unwrap();
    let error = network.check(&sketch.adapter_places().unwrap()).unwrap_err().to_string();
    assert!(
        error.contains("sd1_control_net/config.json: the width of its latents is [4]"),
        "{error}"
    );
    let mut other = places.clone();
    other.tokens = 768;
    let error = network.check(&other).unwrap_err().to_string();
    assert!(
        error.contains("the width of its tokens is [24]") && error.contains("[768]"),
        "{error}"
    );
    let mut other = places;
    other.skips.pop();
    let error = network.check(&other).unwrap_err().to_string();
    assert!(error.contains("the width of its skipped feature maps is"), "{error}");
}
