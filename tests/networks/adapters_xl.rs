//! Compares adapters of Stable Diffusion XL with diffusers, with random weights.

use std::sync::Arc;

use bevy_illustrator::diffusion::{
    Conditioning, Denoiser, DenoiserInput,
    adapter::{
        ActiveAdapters, ActiveControl, ActiveImage, ClipVisionModel, ControlNet, ControlType,
        IpAdapter, T2iAdapter,
    },
};

use super::{copy_folder::copy_folder, *};

/// The weights in `adapters.py`.
const IMAGES: [(&str, f32); 2] = [("plain", 0.5), ("plus", 0.75)];
const WEIGHT: f32 = 0.8;

fn folder() -> PathBuf {
    fixtures().join("sdxl_adapters")
}

fn unet() -> UNet2DConditionModel {
    UNet2DConditionModel::load(&model("sdxl"), "unet", &Device::Cpu).unwrap()
}

fn record() -> Record {
    Record::of("sdxl_adapters")
}

fn conditioning(record: &Record) -> Conditioning {
    Conditioning::new(record.get("states").clone()).with_pooled(record.get("pooled").clone())
}

fn predict(noisy: &Tensor, conditioning: &Conditioning, adapters: &ActiveAdapters) -> Tensor {
    let interrupt = Interrupt::default();
    let input = DenoiserInput::new(noisy, 500.0, conditioning, &interrupt);
    unet().predict(&input.with_adapters(adapters)).unwrap()
}

#[test]
fn a_control_net_of_xl_agrees_with_diffusers() {
    let record = record();
    let network = ControlNet::open(&folder().join("control_net"), &Device::Cpu).unwrap();
    network.check(&unet().adapter_places().unwrap()).unwrap();
    let drawing = network.embed(record.get("drawing")).unwrap();
    let (noisy, conditioning) = (record.get("noisy"), conditioning(&record));
    let residuals =
        network.residuals(noisy, 500.0, &conditioning, &drawing, &Interrupt::default()).unwrap();
    assert!(!record.tensors.contains_key(&format!("residuals.{}", residuals.len())));
    for (index, residual) in residuals.iter().enumerate() {
        record.compare(&format!("residuals.{index}"), residual);
    }
    let control =
        ActiveControl { network: Arc::new(network), drawing, weight: WEIGHT, masks: None };
    let adapters = ActiveAdapters { controls: vec![control], ..ActiveAdapters::default() };
    record.compare("control.prediction", &predict(noisy, &conditioning, &adapters));
}

#[test]
fn a_union_control_net_agrees_with_diffusers_for_each_type_of_drawing() {
    let record = Record::of("sdxl_union_control_net");
    let network = ControlNet::open(&folder().join("union_control_net"), &Device::Cpu).unwrap();
    network.check(&unet().adapter_places().unwrap()).unwrap();
    let (noisy, conditioning) = (record.get("noisy"), conditioning(&record));
    for (name, network) in
        [("soft_edges", network.clone().for_type(ControlType::SoftEdges)), ("lines", network)]
    {
        let drawing = network.embed(record.get("drawing")).unwrap();
        let interrupt = Interrupt::default();
        let residuals = network.residuals(noisy, 500.0, &conditioning, &drawing, &interrupt);
        for (index, residual) in residuals.unwrap().iter().enumerate() {
            record.compare(&format!("{name}.residuals.{index}"), residual);
        }
        let control =
            ActiveControl { network: Arc::new(network), drawing, weight: WEIGHT, masks: None };
        let adapters = ActiveAdapters { controls: vec![control], ..ActiveAdapters::default() };
        let prediction = predict(noisy, &conditioning, &adapters);
        record.compare(&format!("{name}.prediction"), &prediction);
    }
}

#[test]
fn a_union_control_net_is_known_by_its_tensors() {
    let weights = "diffusion_pytorch_model.safetensors";
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&folder().join("union_control_net"), copy.path());
    // As in the first published one.
    let config = std::fs::read_to_string(copy.path().join("config.json")).unwrap();
    let config = config.replace("ControlNetUnionModel", "ControlNetModel");
    std::fs::write(copy.path().join("config.json"), config).unwrap();
    let record = Record::of("sdxl_union_control_net");
    let network = ControlNet::open(copy.path(), &Device::Cpu).unwrap();
    let residuals = |network: &ControlNet| {
        let drawing = network.embed(record.get("drawing")).unwrap();
        let (noisy, conditioning) = (record.get("noisy"), conditioning(&record));
        network.residuals(noisy, 500.0, &conditioning, &drawing, &Interrupt::default()).unwrap()
    };
    record.compare("lines.residuals.0", &residuals(&network)[0]);

    let path = copy.path().join(weights);
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let mut few = tensors.clone();
    few.insert("task_embedding".into(), tensors["task_embedding"].narrow(0, 0, 3).unwrap());
    candle_core::safetensors::save(&few, &path).unwrap();
    let error = ControlNet::open(copy.path(), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("task_embedding") && error.contains("at least 4 types"), "{error}");
}

#[test]
fn a_t2i_adapter_of_xl_agrees_with_diffusers() {
    let record = record();
    let adapter = T2iAdapter::open(&folder().join("t2i_adapter"), &Device::Cpu).unwrap();
    adapter.check(&unet().adapter_places().unwrap()).unwrap();
    assert!(adapter.cells().eq([16, 16, 32, 32]));
    let features = adapter.forward(record.get("features.input")).unwrap();
    assert_eq!(features.len(), 4);
    for (level, feature) in features.iter().enumerate() {
        record.compare(&format!("features.{level}"), feature);
    }
    let adapters = ActiveAdapters { features, ..ActiveAdapters::default() };
    let prediction = predict(record.get("wide"), &conditioning(&record), &adapters);
    record.compare("features.prediction", &prediction);
}

#[test]
fn t2i_adapters_of_stable_diffusion_1_and_xl_with_equal_channels_are_told_apart() {
    let adapter = T2iAdapter::open(&folder().join("t2i_adapter"), &Device::Cpu).unwrap();
    let mut places = unet().adapter_places().unwrap();
    assert_eq!(
        (&places.features[..], &places.cells[..]),
        (&[8, 16, 24, 24][..], &[2, 2, 4, 4][..])
    );
    places.cells = vec![1, 2, 4, 8, 8];
    let error = adapter.check(&places).unwrap_err().to_string();
    assert!(error.contains("[1, 1, 2, 2], but [1, 2, 4, 8, 8]"), "{error}");
    let of_sd1 = UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap();
    assert_eq!(of_sd1.adapter_places().unwrap().cells, [1, 2, 4, 8, 8]);
}

#[test]
fn ip_adapters_of_xl_agree_with_diffusers() {
    let record = record();
    let encoder = fixtures().join("sd1_adapters/image_encoder");
    let encoder = ClipVisionModel::open(&encoder, &Device::Cpu).unwrap();
    let places = unet().adapter_places().unwrap();
    // Two and three in the second and the third down block, 2 x 3 and 2 x 2 in the up blocks, 3 in the middle block.
    assert_eq!(places.attentions.len(), 18);
    assert_eq!((&places.style[..], &places.layout[..]), (&[8, 9, 10][..], &[2, 3, 4][..]));
    let adapter = |kind: &str| {
        IpAdapter::open(&folder().join(format!("{kind}.safetensors")), &Device::Cpu).unwrap()
    };
    let image = record.get("image");
    for (kind, encoded) in
        [("plain", encoder.embed(image).unwrap()), ("plus", encoder.hidden_states(image).unwrap())]
    {
        adapter(kind).check(&places).unwrap();
        record.compare(&format!("{kind}.tokens"), &adapter(kind).tokens(&encoded).unwrap());
    }
    let predict = |adapters: [IpAdapter; 2]| {
        let keys =
            adapters.map(|adapter| adapter.keys_of_image(&encoder, image).unwrap()[0].clone());
        let images = IMAGES.iter().enumerate();
        let images =
            images.map(|(index, (_, weight))| ActiveImage { index, weight: *weight, mask: None });
        let adapters = ActiveAdapters { images: images.collect(), ..ActiveAdapters::default() };
        predict(record.get("noisy"), &conditioning(&record).with_images(keys.to_vec()), &adapters)
    };
    record.compare("images.prediction", &predict([adapter("plain"), adapter("plus")]));
    let [style, layout] =
        [adapter("plain").only_in(&places.style), adapter("plus").only_in(&places.layout)];
    record.compare("style_and_layout.prediction", &predict([style, layout]));
}
