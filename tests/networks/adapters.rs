//! Compares the adapters of the built-in model with diffusers.

use bevy_illustrator::diffusion::{
    Conditioning, Denoiser, DenoiserInput, DiffusionError,
    adapter::{
        ActiveAdapters, ActiveImage, AdapterPlaces, ClipVisionModel, ImageKeys, IpAdapter,
        PixelMask, T2iAdapter,
    },
};
use image::{GrayImage, Luma};
use serde_json::{Value, json};

use super::*;

/// The weights of the prediction with all adapters, as in `adapters.py`.
const PICTURES: [(&str, f64); 2] = [("outline", 1.0), ("scribble", 0.5)];
const IMAGES: [(&str, f32); 2] = [("style", 1.5), ("content", 0.75)];

fn assets() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/models")
}

fn t2i_adapter(kind: &str) -> T2iAdapter {
    T2iAdapter::open(&assets().join("sketch-adapters").join(kind), &Device::Cpu).unwrap()
}

fn ip_adapter(kind: &str) -> IpAdapter {
    let folder = assets().join("sketch-adapters").join(kind);
    IpAdapter::open(&folder.join("ip-adapter.safetensors"), &Device::Cpu).unwrap()
}

fn encoder() -> ClipVisionModel {
    ClipVisionModel::open(&assets().join("sketch-clip"), &Device::Cpu).unwrap()
}

/// A recorded u8 image, as the encoder reads it.
fn pixels(record: &Record, name: &str) -> Tensor {
    let image = record.get(name).to_dtype(DType::F32).unwrap().unsqueeze(0).unwrap();
    image.affine(1.0 / 127.5, -1.0).unwrap()
}

/// The weighted sum of the features of both pictures.
fn features(record: &Record) -> Vec<Tensor> {
    let weighted = PICTURES.map(|(kind, weight)| {
        let features = t2i_adapter(kind).forward(record.get(&format!("{kind}.input"))).unwrap();
        features.into_iter().map(|it| (it * weight).unwrap()).collect::<Vec<_>>()
    });
    let [outline, scribble] = weighted;
    outline.iter().zip(&scribble).map(|(a, b)| (a + b).unwrap()).collect()
}

fn images(masks: [Option<PixelMask>; 2]) -> Vec<ActiveImage> {
    let images = IMAGES.iter().zip(masks).enumerate();
    images
        .map(|(index, ((_, weight), mask))| ActiveImage { index, weight: *weight, mask })
        .collect()
}

/// Predictions of the built-in denoiser for the recorded latents.
struct Predictions {
    record: Record,
    unet: UNet2DConditionModel,
    conditioning: Conditioning,
}

impl Predictions {
    fn new() -> Self {
        let record = Record::of("sketch_adapters");
        let package = EmbeddedPackage::built_in();
        let unet = UNet2DConditionModel::load(&package, "unet", &Device::Cpu).unwrap();
        let keys = IMAGES.map(|(kind, _)| {
            let image = pixels(&record, kind);
            let [keys, _] = ip_adapter(kind).keys_of_image(&encoder(), &image).unwrap();
            keys
        });
        let conditioning = Conditioning::new(record.get("states").clone());
        let conditioning = conditioning.with_images(keys.to_vec());
        Self { record, unet, conditioning }
    }

    fn of(&self, adapters: &ActiveAdapters) -> Result<Tensor, DiffusionError> {
        let interrupt = Interrupt::default();
        let latents = self.record.get("noisy");
        let input = DenoiserInput::new(latents, 800.0, &self.conditioning, &interrupt);
        self.unet.predict(&input.with_adapters(adapters))
    }

    fn mask(&self, is_inverted: bool) -> PixelMask {
        let mask = self.record.get("mask").squeeze(0).unwrap().to_vec2::<u8>().unwrap();
        PixelMask::new(&GrayImage::from_fn(mask[0].len() as u32, mask.len() as u32, |x, y| {
            let value = mask[y as usize][x as usize];
            Luma([if is_inverted { u8::MAX - value } else { value }])
        }))
    }
}

#[test]
fn features_of_t2i_adapters_agree_with_diffusers() {
    let record = Record::of("sketch_adapters");
    for (kind, _) in PICTURES {
        let features = t2i_adapter(kind).forward(record.get(&format!("{kind}.input"))).unwrap();
        assert_eq!(features.len(), 2);
        for (level, feature) in features.iter().enumerate() {
            record.compare(&format!("{kind}.features.{level}"), feature);
        }
    }
}

#[test]
fn tokens_of_ip_adapters_agree_with_diffusers() {
    let record = Record::of("sketch_adapters");
    let encoder = encoder();
    for (kind, _) in IMAGES {
        let hidden = encoder.hidden_states(&pixels(&record, kind)).unwrap();
        record.compare(&format!("{kind}.hidden"), &hidden);
        let adapter = ip_adapter(kind);
        record.compare(&format!("{kind}.tokens"), &adapter.tokens(&hidden).unwrap());
        let nothing = Tensor::zeros((1, 3, 128, 128), DType::F32, &Device::Cpu).unwrap();
        let nothing = encoder.hidden_states(&nothing).unwrap();
        record.compare(&format!("{kind}.no_tokens"), &adapter.tokens(&nothing).unwrap());
    }
}

#[test]
fn the_keys_for_no_image_are_those_of_an_image_of_zeros() {
    let predictions = Predictions::new();
    let (adapter, encoder) = (ip_adapter("style"), encoder());
    let image = pixels(&predictions.record, "style");
    let [_, no_image] = adapter.keys_of_image(&encoder, &image).unwrap();
    let of_zeros = adapter.keys(predictions.record.get("style.no_tokens")).unwrap();
    let predicted = |keys: ImageKeys| {
        let conditioning = predictions.conditioning.clone().with_images(vec![keys]);
        let adapters =
            ActiveAdapters { features: Vec::new(), images: images([None, None])[..1].to_vec() };
        Predictions { conditioning, ..Predictions::new() }.of(&adapters).unwrap()
    };
    let apart = (predicted(no_image) - predicted(of_zeros)).unwrap().abs().unwrap();
    assert!(numbers(&apart).into_iter().all(|difference| difference < TOLERANCE));
}

#[test]
fn predictions_with_adapters_agree_with_diffusers() {
    let predictions = Predictions::new();
    let record = &predictions.record;
    let none = ActiveAdapters::default();
    record.compare("plain", &predictions.of(&none).unwrap());
    let pictures = ActiveAdapters { features: features(record), ..none.clone() };
    record.compare("with_pictures", &predictions.of(&pictures).unwrap());
    let style = ActiveAdapters { images: images([None, None])[..1].to_vec(), ..none };
    record.compare("with_style", &predictions.of(&style).unwrap());
    let all = ActiveAdapters { images: images([None, None]), ..pictures };
    record.compare("with_all", &predictions.of(&all).unwrap());
}

#[test]
fn masked_images_agree_with_diffusers() {
    let predictions = Predictions::new();
    // The features have the means of the inverted mask over 32 x 32 pixels as their mask; `means` is tested with the
    // built-in adapters. Here it is written out.
    let mask = predictions.record.get("mask").to_dtype(DType::F32).unwrap();
    let mask = mask.affine(-1.0 / 255.0, 1.0).unwrap().unsqueeze(0).unwrap();
    let (rows, columns) = (112, 144);
    let mut cells = Vec::new();
    for y in (0..rows).step_by(32) {
        for x in (0..columns).step_by(32) {
            let (high, wide) = (32.min(rows - y), 32.min(columns - x));
            let cell = mask.narrow(2, y, high).unwrap().narrow(3, x, wide).unwrap();
            cells.push(cell.mean_all().unwrap().to_scalar::<f32>().unwrap());
        }
    }
    let cells = Tensor::from_vec(cells, (1, 1, 4, 5), &Device::Cpu).unwrap();
    let features = features(&predictions.record);
    let adapters = ActiveAdapters {
        features: features.iter().map(|it| it.broadcast_mul(&cells).unwrap()).collect(),
        images: images([false, true].map(|is_inverted| Some(predictions.mask(is_inverted)))),
    };
    predictions.record.compare("with_masks", &predictions.of(&adapters).unwrap());
}

#[test]
fn a_mask_of_ones_is_no_mask() {
    let predictions = Predictions::new();
    let ones = || Some(PixelMask::new(&GrayImage::from_pixel(144, 112, Luma([255]))));
    let adapters = ActiveAdapters { features: Vec::new(), images: images([ones(), None]) };
    let masked = predictions.of(&adapters).unwrap();
    let adapters = ActiveAdapters { features: Vec::new(), images: images([None, ones()]) };
    let apart = (masked - predictions.of(&adapters).unwrap()).unwrap().abs().unwrap();
    assert!(numbers(&apart).into_iter().all(|difference| difference < 1e-5));
}

#[test]
fn adapters_of_another_model_are_refused() {
    let predictions = Predictions::new();
    let places = predictions.unet.adapter_places().unwrap();
    assert_eq!(places.features, [64, 128, 128]);
    assert_eq!(places.attentions, [128; 4]);
    t2i_adapter("outline").check(&places).unwrap();
    ip_adapter("style").check(&places).unwrap();

    let sd1 = UNet2DConditionModel::load(&model("sd1"), "unet", &Device::Cpu).unwrap();
    let sd1: AdapterPlaces = sd1.adapter_places().unwrap();
    let error = t2i_adapter("outline").check(&sd1).unwrap_err().to_string();
    assert!(error.contains("outline/config.json") && error.contains("[64, 128]"), "{error}");
    let error = ip_adapter("style").check(&sd1).unwrap_err().to_string();
    assert!(error.contains("style/ip-adapter.safetensors"), "{error}");

    // Unchecked ones are refused by the denoiser.
    let feature = Tensor::zeros((1, 64, 7, 9), DType::F32, &Device::Cpu).unwrap();
    let adapters = ActiveAdapters { features: vec![feature], images: Vec::new() };
    let error = predictions.of(&adapters).unwrap_err().to_string();
    assert!(error.contains("[1, 64, 7, 9]") && error.contains("[1, 64, 4, 5]"), "{error}");
    let unknown = ActiveImage { index: 2, weight: 1.0, mask: None };
    let adapters = ActiveAdapters { features: Vec::new(), images: vec![unknown] };
    let error = predictions.of(&adapters).unwrap_err().to_string();
    assert!(error.contains("image 2") && error.contains("denoiser has 4"), "{error}");
}

/// The error of loading a copy of an adapter with some fields changed.
fn error_of_config(fields: &[(&str, Value)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let original = assets().join("sketch-adapters/outline");
    let config = std::fs::read(original.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    for (field, value) in fields {
        config[*field] = value.clone();
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let weights = "diffusion_pytorch_model.safetensors";
    std::fs::copy(original.join(weights), folder.path().join(weights)).unwrap();
    T2iAdapter::open(folder.path(), &Device::Cpu).unwrap_err().to_string()
}

#[test]
fn an_unsupported_configuration_of_a_t2i_adapter_is_named() {
    for (field, value) in [
        ("adapter_type", json!("tiny_adapter")),
        ("channels", json!([])),
        ("channels", json!([64, 0])),
        ("downscale_factor", json!(0)),
        ("_class_name", json!("ControlNetModel")),
    ] {
        let error = error_of_config(&[(field, value.clone())]);
        let expected = format!("config.json: `{field}` is {value}, which is not supported");
        assert!(error.contains(&expected), "{error}");
    }
    let error = error_of_config(&[("channels", json!([64, 128, 128, 64]))]);
    assert!(error.contains("equal numbers from the third on"), "{error}");
    let light = [("adapter_type", json!("light_adapter")), ("channels", json!([2]))];
    assert!(error_of_config(&light).contains("numbers of at least 4"));
    let error = error_of_config(&[("in_channels", json!(3))]);
    assert!(error.contains("`adapter.conv_in.weight`"), "{error}");
    assert!(error.contains("config.json requires [64, 768, 3, 3]"), "{error}");
    // Huge numbers do not overflow.
    let error =
        error_of_config(&[("in_channels", json!(1 << 24)), ("downscale_factor", json!(1 << 24))]);
    assert!(error.contains("`downscale_factor` is 16777216"), "{error}");
}

/// The error of loading a file of IP-Adapter with these tensors.
fn error_of_tensors(tensors: HashMap<String, Tensor>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ip-adapter.safetensors");
    candle_core::safetensors::save(&tensors, &file).unwrap();
    IpAdapter::open(&file, &Device::Cpu).unwrap_err().to_string()
}

#[test]
fn a_file_of_another_kind_of_ip_adapter_is_named() {
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    for (name, kind) in [
        ("image_proj.proj.3.weight", "IP-Adapter Full"),
        ("image_proj.norm.weight", "IP-Adapter FaceID"),
        ("image_proj.perceiver_resampler.proj_in.weight", "IP-Adapter FaceID Plus"),
        ("unknown", "missing"),
    ] {
        let error = error_of_tensors(HashMap::from([(name.to_owned(), tensor(&[4]))]));
        let expected = format!("ip-adapter.safetensors: `image_proj` is {kind}, which is not");
        assert!(error.contains(&expected), "{error}");
    }
    let file = assets().join("sketch-adapters/style/ip-adapter.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let mut flat = tensors.clone();
    flat.insert("image_proj.latents".to_owned(), tensor(&[8, 64]));
    let error = error_of_tensors(flat);
    assert!(error.contains("`image_proj.latents` is of the shape [8, 64]"), "{error}");
    let mut incomplete = tensors;
    incomplete.remove("ip_adapter.5.to_v_ip.weight");
    let error = error_of_tensors(incomplete);
    assert!(error.contains("`ip_adapter.5.to_v_ip.weight` is missing"), "{error}");
}
