//! Compares adapters of Stable Diffusion 1 with diffusers, with random weights.

use bevy_illustrator::diffusion::{
    Conditioning, Denoiser, DenoiserInput,
    adapter::{
        ActiveAdapters, ActiveImage, ClipVisionModel, ImageKeys, IpAdapter, PixelMask, T2iAdapter,
    },
};
use image::{GrayImage, Luma};
use serde_json::{Value, json};

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

fn t2i_adapter(kind: &str) -> T2iAdapter {
    T2iAdapter::open(&adapters().join(kind), &Device::Cpu).unwrap()
}

fn encoder() -> ClipVisionModel {
    ClipVisionModel::open(&adapters().join("image_encoder"), &Device::Cpu).unwrap()
}

fn try_predict(
    record: &Record,
    conditioning: &Conditioning,
    adapters: &ActiveAdapters,
) -> Result<Tensor, DiffusionError> {
    let interrupt = Interrupt::default();
    let input = DenoiserInput::new(record.get("noisy"), 500.0, conditioning, &interrupt);
    unet().predict(&input.with_adapters(adapters))
}

fn predict(record: &Record, conditioning: &Conditioning, adapters: &ActiveAdapters) -> Tensor {
    try_predict(record, conditioning, adapters).unwrap()
}

/// The recorded prompt, which sees the recorded image through both IP-Adapters.
pub(super) fn conditioning(record: &Record) -> Conditioning {
    let keys = IMAGES.map(|(kind, _)| {
        let [keys, _] = ip_adapter(kind).keys_of_image(&encoder(), record.get("image")).unwrap();
        keys
    });
    Conditioning::new(record.get("states").clone()).with_images(keys.to_vec())
}

pub(super) fn images(masks: [Option<PixelMask>; 2]) -> Vec<ActiveImage> {
    let images = IMAGES.iter().zip(masks).enumerate();
    images
        .map(|(index, ((_, weight), mask))| ActiveImage { index, weight: *weight, mask })
        .collect()
}

pub(super) fn features(record: &Record) -> Vec<Tensor> {
    t2i_adapter("full").forward(record.get("full.input")).unwrap()
}

#[test]
fn full_and_light_t2i_adapters_agree_with_diffusers() {
    let record = Record::of("sd1_adapters");
    for (kind, cells) in [("full", [8, 16, 32, 64]), ("light", [8, 16, 32, 64])] {
        let adapter = t2i_adapter(kind);
        assert!(adapter.cells().eq(cells), "{kind}");
        let features = adapter.forward(record.get(&format!("{kind}.input"))).unwrap();
        assert_eq!(features.len(), 4, "{kind}");
        for (level, feature) in features.iter().enumerate() {
            record.compare(&format!("{kind}.features.{level}"), feature);
        }
        if kind == "full" {
            adapter.check(&unet().adapter_places().unwrap()).unwrap();
            let conditioning = Conditioning::new(record.get("states").clone());
            let adapters = ActiveAdapters { features, ..ActiveAdapters::default() };
            record.compare("features.prediction", &predict(&record, &conditioning, &adapters));
        } else {
            adapter.check(&unet().adapter_places().unwrap()).unwrap_err();
        }
    }
}

#[test]
fn plain_and_plus_ip_adapters_agree_with_diffusers() {
    let record = Record::of("sd1_adapters");
    let (image, encoder) = (record.get("image"), encoder());
    record.compare("plain.encoded", &encoder.embed(image).unwrap());
    record.compare("plus.encoded", &encoder.hidden_states(image).unwrap());
    for (kind, _) in IMAGES {
        let adapter = ip_adapter(kind);
        let tokens = adapter.tokens(record.get(&format!("{kind}.encoded"))).unwrap();
        record.compare(&format!("{kind}.tokens"), &tokens);
        adapter.check(&unet().adapter_places().unwrap()).unwrap();
    }
    let adapters = ActiveAdapters { images: images([None, None]), ..ActiveAdapters::default() };
    let prediction = predict(&record, &conditioning(&record), &adapters);
    record.compare("images.prediction", &prediction);
    let adapters = ActiveAdapters { features: features(&record), ..adapters };
    record.compare("all.prediction", &predict(&record, &conditioning(&record), &adapters));
}

/// An IP-Adapter that acts in these cross attentions only. The weights of others are not numbers.
fn only_in(kind: &str, attentions: &[usize]) -> IpAdapter {
    let file = adapters().join(format!("{kind}.safetensors"));
    let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    for (name, tensor) in &mut tensors {
        let number = name.strip_prefix("ip_adapter.").and_then(|name| name.split('.').next());
        let number = number.map(|number| number.parse::<usize>().unwrap() / 2);
        if number.is_some_and(|number| !attentions.contains(&number)) {
            *tensor = Tensor::full(f32::NAN, tensor.dims(), &Device::Cpu).unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ip-adapter.safetensors");
    candle_core::safetensors::save(&tensors, &file).unwrap();
    IpAdapter::open(&file, &Device::Cpu).unwrap().only_in(attentions)
}

#[test]
fn images_that_act_by_style_or_layout_only_agree_with_diffusers_and_have_no_keys_elsewhere() {
    let record = Record::of("sd1_adapters");
    let places = unet().adapter_places().unwrap();
    // One in each of three down blocks, two in each of three up blocks, and that of the middle block.
    assert_eq!(places.attentions.len(), 10);
    assert_eq!((&places.style[..], &places.layout[..]), (&[3, 4][..], &[2, 9][..]));
    let keys = [("plain", &places.style), ("plus", &places.layout)].map(|(kind, attentions)| {
        let adapter = only_in(kind, attentions);
        adapter.check(&places).unwrap();
        let [keys, _] = adapter.keys_of_image(&encoder(), record.get("image")).unwrap();
        keys
    });
    let conditioning = Conditioning::new(record.get("states").clone()).with_images(keys.to_vec());
    let masks = || [false, true].map(|is_inverted| Some(mask(&record, is_inverted)));
    for (name, masks) in [("prediction", [None, None]), ("masked", masks())] {
        let adapters = ActiveAdapters { images: images(masks), ..ActiveAdapters::default() };
        let prediction = predict(&record, &conditioning, &adapters);
        record.compare(&format!("style_and_layout.{name}"), &prediction);
    }
}

/// Asserts that both keys of the first image give the same prediction.
fn assert_equal_keys(record: &Record, keys: [ImageKeys; 2]) {
    let image = ActiveImage { index: 0, weight: 1.0, mask: None };
    let adapters = ActiveAdapters { images: vec![image], ..ActiveAdapters::default() };
    let [a, b] = keys.map(|keys| {
        let conditioning = Conditioning::new(record.get("states").clone());
        predict(record, &conditioning.with_images(vec![keys]), &adapters)
    });
    let apart = (a - b).unwrap().abs().unwrap();
    assert!(numbers(&apart).into_iter().all(|difference| difference < TOLERANCE));
}

#[test]
fn a_plain_ip_adapter_has_an_embedding_of_zeros_for_no_image() {
    let record = Record::of("sd1_adapters");
    let adapter = ip_adapter("plain");
    let [_, no_image] = adapter.keys_of_image(&encoder(), record.get("image")).unwrap();
    let zeros = record.get("plain.encoded").zeros_like().unwrap();
    let zeros = adapter.keys(&adapter.tokens(&zeros).unwrap()).unwrap();
    assert_equal_keys(&record, [no_image, zeros]);
}

#[test]
fn a_plus_ip_adapter_has_an_image_of_zeros_for_no_image() {
    let record = Record::of("sd1_adapters");
    let adapter = ip_adapter("plus");
    let [_, no_image] = adapter.keys_of_image(&encoder(), record.get("image")).unwrap();
    let of_zeros = adapter.keys(record.get("plus.no_tokens")).unwrap();
    assert_equal_keys(&record, [no_image, of_zeros]);
}

/// The recorded mask.
fn mask(record: &Record, is_inverted: bool) -> PixelMask {
    let mask = record.get("mask").squeeze(0).unwrap().to_vec2::<u8>().unwrap();
    PixelMask::new(&GrayImage::from_fn(mask[0].len() as u32, mask.len() as u32, |x, y| {
        let value = mask[y as usize][x as usize];
        Luma([if is_inverted { u8::MAX - value } else { value }])
    }))
}

/// The means of the inverted mask over squares.
fn means(record: &Record, cell: usize) -> Tensor {
    let mask = record.get("mask").to_dtype(DType::F32).unwrap();
    let mask = mask.affine(-1.0 / 255.0, 1.0).unwrap().unsqueeze(0).unwrap();
    let (_, _, rows, columns) = mask.dims4().unwrap();
    let mut means = Vec::new();
    for y in (0..rows).step_by(cell) {
        for x in (0..columns).step_by(cell) {
            let (high, wide) = (cell.min(rows - y), cell.min(columns - x));
            let square = mask.narrow(2, y, high).unwrap().narrow(3, x, wide).unwrap();
            means.push(square.mean_all().unwrap().to_scalar::<f32>().unwrap());
        }
    }
    let shape = (1, 1, rows.div_ceil(cell), columns.div_ceil(cell));
    Tensor::from_vec(means, shape, &Device::Cpu).unwrap()
}

#[test]
fn masked_adapters_agree_with_diffusers() {
    let record = Record::of("sd1_adapters");
    let features = features(&record).into_iter().zip([8, 16, 32, 64]);
    let features = features.map(|(it, cell)| it.broadcast_mul(&means(&record, cell)).unwrap());
    let adapters = ActiveAdapters {
        features: features.collect(),
        images: images([false, true].map(|is_inverted| Some(mask(&record, is_inverted)))),
        ..ActiveAdapters::default()
    };
    record.compare("masked.prediction", &predict(&record, &conditioning(&record), &adapters));
}

#[test]
fn a_mask_of_ones_is_no_mask() {
    let record = Record::of("sd1_adapters");
    let ones = || Some(PixelMask::new(&GrayImage::from_pixel(72, 56, Luma([255]))));
    let adapters = ActiveAdapters { images: images([ones(), None]), ..ActiveAdapters::default() };
    record.compare("images.prediction", &predict(&record, &conditioning(&record), &adapters));
}

#[test]
fn adapters_of_another_model_are_refused() {
    let record = Record::of("sd1_adapters");
    let sketch = EmbeddedPackage::built_in();
    let sketch = UNet2DConditionModel::load(&sketch, "unet", &Device::Cpu).unwrap();
    let places = sketch.adapter_places().unwrap();
    assert_eq!(places.features, [64, 128, 128]);
    assert_eq!(places.attentions, [128; 4]);
    let error = t2i_adapter("full").check(&places).unwrap_err().to_string();
    assert!(error.contains("full/config.json") && error.contains("[64, 128, 128]"), "{error}");
    let error = ip_adapter("plain").check(&places).unwrap_err().to_string();
    assert!(error.contains("plain.safetensors"), "{error}");

    // The tokens of Stable Diffusion 1 and 2 differ, and the widths of their attentions do not.
    let mut other = unet().adapter_places().unwrap();
    ip_adapter("plus").check(&other).unwrap();
    other.tokens = 1024;
    for kind in ["plain", "plus"] {
        let error = ip_adapter(kind).check(&other).unwrap_err().to_string();
        let expected = format!("{kind}.safetensors: the width of its tokens is [24], but [1024]");
        assert!(error.contains(&expected), "{error}");
    }

    // The denoiser refuses unchecked ones.
    let conditioning = conditioning(&record);
    let feature = Tensor::zeros((1, 8, 4, 5), DType::F32, &Device::Cpu).unwrap();
    let adapters = ActiveAdapters { features: vec![feature], ..ActiveAdapters::default() };
    let error = try_predict(&record, &conditioning, &adapters).unwrap_err().to_string();
    assert!(error.contains("[1, 8, 4, 5]") && error.contains("[1, 8, 7, 9]"), "{error}");
    let unknown = ActiveImage { index: 2, weight: 1.0, mask: None };
    let adapters = ActiveAdapters { images: vec![unknown], ..ActiveAdapters::default() };
    let error = try_predict(&record, &conditioning, &adapters).unwrap_err().to_string();
    assert!(error.contains("image 2"), "{error}");
}

/// A copy of a network with some fields of its configuration changed.
fn changed(network: &str, weights: &str, fields: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let original = adapters().join(network);
    let config = std::fs::read(original.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    for (field, value) in fields {
        config[*field] = value.clone();
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    std::fs::copy(original.join(weights), folder.path().join(weights)).unwrap();
    folder
}

/// The error of loading a copy of a T2I-Adapter with some fields changed.
fn error_of_config(fields: &[(&str, Value)]) -> String {
    let folder = changed("full", "diffusion_pytorch_model.safetensors", fields);
    T2iAdapter::open(folder.path(), &Device::Cpu).unwrap_err().to_string()
}

#[test]
fn absurd_sizes_of_an_image_encoder_are_refused_before_memory_is_reserved() {
    for (field, value) in [
        ("image_size", json!(0)),
        ("image_size", json!(1025)),
        ("image_size", json!(u64::MAX)),
        ("patch_size", json!(0)),
        ("patch_size", json!(21)),
        ("num_channels", json!(0)),
        ("num_channels", json!(4)),
        ("hidden_size", json!(0)),
        ("num_attention_heads", json!(0)),
        ("num_attention_heads", json!(5)),
    ] {
        let folder = changed("image_encoder", "model.safetensors", &[(field, value.clone())]);
        let error = ClipVisionModel::open(folder.path(), &Device::Cpu).unwrap_err().to_string();
        let expected = format!("config.json: `{field}` is {value}, which is not supported");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn an_unsupported_configuration_of_a_t2i_adapter_is_named() {
    for (field, value) in [
        ("adapter_type", json!("tiny_adapter")),
        ("channels", json!([])),
        ("channels", json!([8, 0])),
        ("downscale_factor", json!(0)),
        ("_class_name", json!("ControlNetModel")),
    ] {
        let error = error_of_config(&[(field, value.clone())]);
        let expected = format!("config.json: `{field}` is {value}, which is not supported");
        assert!(error.contains(&expected), "{error}");
    }
    let uneven = [("adapter_type", json!("full_adapter_xl")), ("channels", json!([8, 16, 16, 24]))];
    let error = error_of_config(&uneven);
    assert!(error.contains("equal numbers from the third on"), "{error}");
    let light = [("adapter_type", json!("light_adapter")), ("channels", json!([2]))];
    assert!(error_of_config(&light).contains("numbers of at least 4"));
    let error = error_of_config(&[("in_channels", json!(1))]);
    assert!(error.contains("`adapter.conv_in.weight`"), "{error}");
    assert!(error.contains("config.json requires [8, 64, 3, 3]"), "{error}");
    // Huge numbers do not overflow.
    let error =
        error_of_config(&[("in_channels", json!(1 << 24)), ("downscale_factor", json!(1 << 24))]);
    assert!(error.contains("`downscale_factor` is 16777216"), "{error}");
}

#[test]
fn absurd_sizes_of_an_ip_adapter_plus_are_refused() {
    let file = adapters().join("plus.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let query = "image_proj.layers.0.0.to_q.weight";
    let (width, latents) = (tensors[query].dim(1).unwrap(), "image_proj.latents");
    for (name, shape, expected) in [
        (latents, [1, 0, width].as_slice(), "1 to 256 tokens"),
        (latents, &[1, 257, width], "1 to 256 tokens"),
        (query, &[0, width], "a multiple of 64 rows, at most 4096"),
        (query, &[65, width], "a multiple of 64 rows, at most 4096"),
        (query, &[4160, width], "a multiple of 64 rows, at most 4096"),
    ] {
        let mut tensors = tensors.clone();
        let tensor = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        tensors.insert(name.to_owned(), tensor);
        let error = error_of_tensors(tensors);
        assert!(error.contains(name) && error.contains(expected), "{error}");
    }
}

#[test]
fn tensors_without_values_are_named() {
    let file = adapters().join("plain.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let key = "ip_adapter.1.to_k_ip.weight";
    let mut empty = tensors.clone();
    let none = Tensor::zeros((tensors[key].dim(0).unwrap(), 0), DType::F32, &Device::Cpu).unwrap();
    empty.insert(key.to_owned(), none);
    let error = error_of_tensors(empty);
    assert!(error.contains(key) && !error.contains("Layout"), "{error}");
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
    let file = adapters().join("plain.safetensors");
    let tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    let mut flat = tensors.clone();
    flat.insert("image_proj.latents".to_owned(), tensor(&[8, 64]));
    let error = error_of_tensors(flat);
    assert!(error.contains("`image_proj.latents` is of the shape [8, 64]"), "{error}");
    let mut many = tensors.clone();
    many.insert("image_proj.norm.weight".to_owned(), tensor(&[1]));
    let rows = many["image_proj.proj.weight"].dim(1).unwrap();
    many.insert("image_proj.proj.weight".to_owned(), tensor(&[257, rows]));
    let error = error_of_tensors(many);
    assert!(error.contains("1 to 256 tokens"), "{error}");
    let mut incomplete = tensors;
    incomplete.remove("ip_adapter.5.to_v_ip.weight");
    let error = error_of_tensors(incomplete);
    assert!(error.contains("`ip_adapter.5.to_v_ip.weight` is missing"), "{error}");
}
