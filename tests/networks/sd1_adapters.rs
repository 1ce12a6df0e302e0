//! Compares adapters of Stable Diffusion 1 with diffusers, with random weights.

use bevy_illustrator::diffusion::{
    Conditioning, Denoiser, DenoiserInput,
    adapter::{ActiveAdapters, ActiveImage, ClipVisionModel, IpAdapter, T2iAdapter},
};

use super::*;

/// The weights of the images, as in `adapters.py`.
const IMAGES: [(&str, f32); 2] = [("plain", 0.5), ("plus", 0.75)];

fn adapters() -> PathBuf {
    fixtures().join("sd1_adapters")
}

fn ip_adapter(kind: &str) -> IpAdapter {
    IpAdapter::open(&adapters().join(format!("{kind}.safetensors")), &Device::Cpu).unwrap()
}

fn unet() -> UNet2DConditionModel {
    UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap()
}

fn predict(record: &Record, conditioning: &Conditioning, adapters: &ActiveAdapters) -> Tensor {
    let interrupt = Interrupt::default();
    let input = DenoiserInput::new(record.get("noisy"), 500.0, conditioning, &interrupt);
    unet().predict(&input.with_adapters(adapters)).unwrap()
}

#[test]
fn full_and_light_t2i_adapters_agree_with_diffusers() {
    let record = Record::of("sd1_adapters");
    for (kind, cells) in [("full", [8, 16, 32, 64]), ("light", [8, 16, 32, 64])] {
        let adapter = T2iAdapter::open(&adapters().join(kind), &Device::Cpu).unwrap();
        assert!(adapter.cells().eq(cells), "{kind}");
        let features = adapter.forward(record.get(&format!("{kind}.input"))).unwrap();
        assert_eq!(features.len(), 4, "{kind}");
        for (level, feature) in features.iter().enumerate() {
            record.compare(&format!("{kind}.features.{level}"), feature);
        }
        if kind == "full" {
            adapter.check(&unet().adapter_places().unwrap()).unwrap();
            let conditioning = Conditioning::new(record.get("states").clone());
            let adapters = ActiveAdapters { features, images: Vec::new() };
            record.compare("features.prediction", &predict(&record, &conditioning, &adapters));
        } else {
            adapter.check(&unet().adapter_places().unwrap()).unwrap_err();
        }
    }
}

#[test]
fn plain_and_plus_ip_adapters_agree_with_diffusers() {
    let record = Record::of("sd1_adapters");
    let encoder = ClipVisionModel::open(&adapters().join("image_encoder"), &Device::Cpu).unwrap();
    let image = record.get("image");
    record.compare("plain.encoded", &encoder.embed(image).unwrap());
    record.compare("plus.encoded", &encoder.hidden_states(image).unwrap());
    let keys = IMAGES.map(|(kind, _)| {
        let adapter = ip_adapter(kind);
        let tokens = adapter.tokens(record.get(&format!("{kind}.encoded"))).unwrap();
        record.compare(&format!("{kind}.tokens"), &tokens);
        adapter.check(&unet().adapter_places().unwrap()).unwrap();
        let [keys, _] = adapter.keys_of_image(&encoder, image).unwrap();
        keys
    });
    let conditioning = Conditioning::new(record.get("states").clone()).with_images(keys.to_vec());
    let images = IMAGES.iter().enumerate();
    let images =
        images.map(|(index, (_, weight))| ActiveImage { index, weight: *weight, mask: None });
    let adapters = ActiveAdapters { features: Vec::new(), images: images.collect() };
    record.compare("images.prediction", &predict(&record, &conditioning, &adapters));
}

#[test]
fn a_plain_ip_adapter_has_an_embedding_of_zeros_for_no_image() {
    let record = Record::of("sd1_adapters");
    let encoder = ClipVisionModel::open(&adapters().join("image_encoder"), &Device::Cpu).unwrap();
    let adapter = ip_adapter("plain");
    let [_, no_image] = adapter.keys_of_image(&encoder, record.get("image")).unwrap();
    let zeros = record.get("plain.encoded").zeros_like().unwrap();
    let zeros = adapter.keys(&adapter.tokens(&zeros).unwrap()).unwrap();
    let image = ActiveImage { index: 0, weight: 1.0, mask: None };
    let adapters = ActiveAdapters { features: Vec::new(), images: vec![image] };
    let [no_image, zeros] = [no_image, zeros].map(|keys| {
        let conditioning = Conditioning::new(record.get("states").clone());
        predict(&record, &conditioning.with_images(vec![keys]), &adapters)
    });
    let apart = (no_image - zeros).unwrap().abs().unwrap();
    assert!(numbers(&apart).into_iter().all(|difference| difference < TOLERANCE));
}
