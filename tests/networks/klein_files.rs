//! Compares the parts of FLUX.2 Klein in files of their own with diffusers, transformers and the package gguf.

use std::{collections::HashMap, fs, path::PathBuf};

use bevy_illustrator::{
    diffusion::{
        Interrupt, TextEncoder,
        denoise::flux2::Flux2Transformer2DModel,
        text::qwen3::{Qwen3TextEncoder, Qwen3TextModel, Qwen3Tokenizer},
    },
    generator::inspect,
    model::{
        BaseModel, FolderPackage, Package, TensorSource, TransformerFile,
        inspect::ModelKind,
        tensors::{GgufFile, StoredTensor},
        with_qwen3, with_transformer,
    },
};
use candle_core::{DType, Device, Tensor, Var};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Record,
    copy_folder::copy_folder,
    fixtures,
    flux2::{Prompt, prompts},
    model, numbers,
};

fn file(name: &str) -> PathBuf {
    fixtures().join("single_files").join(name)
}

fn vector(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// A copy of `klein` whose transformer has heads of 16 elements, as the one in blocks.
pub(super) fn with_heads_of_16() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures().join("klein"), folder.path());
    let path = folder.path().join("transformer/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["attention_head_dim"] = json!(16);
    config["axes_dims_rope"] = json!([4, 4, 4, 4]);
    fs::write(path, config.to_string()).unwrap();
    folder
}

fn predicted(package: &dyn Package, record: &Record) -> Tensor {
    let device = Device::Cpu;
    let network = Flux2Transformer2DModel::load(package, "transformer", true, &device).unwrap();
    let (latents, context) = (record.get("latents"), record.get("context"));
    network
        .forward_observed(latents, 437.5, context, &[], &Interrupt::default(), &mut |_, _| {})
        .unwrap()
}

#[test]
fn numbers_of_every_type_agree_with_the_package_gguf() {
    let (types, record) = (GgufFile::open(&file("types.gguf")).unwrap(), Record::of("gguf_types"));
    assert_eq!(types.header().value("general.license"), Some(&json!("apache-2.0")));
    let names: Vec<&str> = types.header().names().collect();
    assert_eq!(names.len(), 13);
    for name in names {
        let expected = record.get(name);
        let found = types.get(name, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let stored = types.get_stored(name, &Device::Cpu).unwrap();
        let is_plain = matches!(name, "F32" | "F16" | "BF16");
        assert_eq!(matches!(stored, StoredTensor::Plain(_)), is_plain, "{name}");
        assert_eq!(vector(&stored.widened().unwrap()), vector(&found), "{name}");
        for (found, expected) in numbers(&found).into_iter().zip(numbers(expected)) {
            // The order of factors differs between the programs.
            let tolerance = 1e-6 * expected.abs().max(1e-3);
            assert!((found - expected).abs() <= tolerance, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn a_transformer_in_the_original_names_agrees_with_diffusers() {
    let (klein, record) = (model("klein"), Record::of("klein_original"));
    let original = file("klein_original.safetensors");
    let package = with_transformer(klein.shared(), &original).unwrap();
    record.compare("output", &predicted(&package, &record));
    let tensors = package.tensors("transformer").unwrap();
    for name in record.tensors.keys().filter(|name| name.starts_with("sums.")) {
        let tensor = name.trim_start_matches("sums.");
        let stored = tensors.get_stored(tensor, &Device::Cpu).unwrap();
        assert!(matches!(&stored, StoredTensor::Plain(it) if it.dtype() == DType::BF16), "{name}");
        record.compare(name, &stored.widened().unwrap().sum(1).unwrap());
    }
}

#[test]
fn the_names_may_have_the_prefix_of_complete_models() {
    let (klein, record) = (model("klein"), Record::of("klein_original"));
    let original = file("klein_original.safetensors");
    let tensors = candle_core::safetensors::load(&original, &Device::Cpu).unwrap();
    let tensors =
        tensors.into_iter().map(|(name, it)| (format!("model.diffusion_model.{name}"), it));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prefixed.safetensors");
    candle_core::safetensors::save(&tensors.collect(), &path).unwrap();
    let package = with_transformer(klein.shared(), &path).unwrap();
    record.compare("output", &predicted(&package, &record));
    let found = inspect(&path).unwrap();
    assert_eq!(found.kind, ModelKind::Component("Flux2Transformer2DModel".to_owned()));
}

#[test]
fn a_transformer_in_the_names_of_diffusers_is_the_same_as_a_file_and_as_a_folder() {
    let (klein, record) = (model("klein"), Record::of("klein_transformer"));
    let network = |package: &dyn Package| {
        Flux2Transformer2DModel::load(package, "transformer", true, &Device::Cpu).unwrap()
    };
    let predict = |package: &dyn Package| {
        let (latents, context) = (record.get("latents"), record.get("context"));
        let interrupt = Interrupt::default();
        network(package)
            .forward_observed(latents, 437.5, context, &[], &interrupt, &mut |_, _| {})
            .unwrap()
    };
    let expected = vector(&predict(&klein));
    let folder = fixtures().join("klein/transformer");
    let single = folder.join("diffusion_pytorch_model.safetensors");
    for path in [folder, single] {
        let package = with_transformer(klein.shared(), &path).unwrap();
        assert_eq!(vector(&predict(&package)), expected, "{}", path.display());
    }
}

#[test]
fn a_transformer_in_blocks_agrees_with_diffusers_and_stays_in_blocks() {
    let folder = with_heads_of_16();
    let klein = FolderPackage::open(folder.path()).unwrap();
    let record = Record::of("klein_blocks");
    let package = with_transformer(klein.shared(), &file("klein_original.gguf")).unwrap();
    let config = package.config("transformer").unwrap();
    for (field, value) in [
        ("num_layers", json!(1)),
        ("num_single_layers", json!(1)),
        ("num_attention_heads", json!(2)),
        ("joint_attention_dim", json!(36)),
        ("mlp_ratio", json!(2.0)),
        ("axes_dims_rope", json!([4, 4, 4, 4])),
    ] {
        assert_eq!(config[field], value, "{field}");
    }
    record.compare("output", &predicted(&package, &record));
    let tensors = package.tensors("transformer").unwrap();
    for name in ["transformer_blocks.0.attn.to_k.weight", "norm_out.linear.weight"] {
        let stored = tensors.get_stored(name, &Device::Cpu).unwrap();
        assert!(matches!(stored, StoredTensor::Quantized(_)), "{name}");
        let wide = tensors.get(name, DType::F32, &Device::Cpu).unwrap();
        assert_eq!(vector(&stored.widened().unwrap()), vector(&wide), "{name}");
    }
}

/// The output, and its gradients with respect to latents and context.
fn with_gradients(package: &dyn Package, record: &Record) -> [Vec<f32>; 3] {
    let network =
        Flux2Transformer2DModel::load(package, "transformer", true, &Device::Cpu).unwrap();
    let variable = |name| Var::from_tensor(record.get(name)).unwrap();
    let (latents, context) = (variable("latents"), variable("context"));
    let interrupt = Interrupt::default();
    let output = network
        .forward_observed(&latents, 437.5, &context, &[], &interrupt, &mut |_, _| {})
        .unwrap();
    let gradients = output.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let gradient = |variable| vector(gradients.get(variable).unwrap());
    [vector(&output), gradient(&latents), gradient(&context)]
}

#[test]
fn weights_as_they_are_stored_give_the_same_bits_as_weights_in_f32() {
    let (narrow, blocks) = (model("klein"), with_heads_of_16());
    let blocks = FolderPackage::open(blocks.path()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wide = folder.path().join("wide.safetensors");
    let original = file("klein_original.safetensors");
    let of_safetensors = candle_core::safetensors::load(&original, &Device::Cpu).unwrap();
    let of_blocks = GgufFile::open(&file("klein_original.gguf")).unwrap();
    let names = of_blocks.header().names();
    let of_blocks =
        names.map(|name| (name.to_owned(), of_blocks.get(name, DType::F32, &Device::Cpu).unwrap()));
    for (package, record, path, tensors) in [
        (&narrow, "klein_original", &original, of_safetensors),
        (&blocks, "klein_blocks", &file("klein_original.gguf"), of_blocks.collect()),
    ] {
        let tensors =
            tensors.into_iter().map(|(name, it)| (name, it.to_dtype(DType::F32).unwrap()));
        candle_core::safetensors::save(&tensors.collect::<HashMap<_, _>>(), &wide).unwrap();
        let record = Record::of(record);
        let [found, expected] = [path, &wide].map(|path| {
            with_gradients(&with_transformer(package.shared(), path).unwrap(), &record)
        });
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn files_that_are_not_such_a_transformer_are_refused_with_the_reason() {
    let (klein, folder) = (model("klein"), tempfile::tempdir().unwrap());
    let refused = |package: &dyn Package, path: PathBuf| {
        with_transformer(package.shared(), &path).unwrap_err().to_string()
    };
    let error = refused(&klein, file("types.gguf"));
    assert!(error.contains("types.gguf") && error.contains("a transformer of FLUX.2"), "{error}");
    let error = refused(&model("sd1"), file("klein_original.gguf"));
    assert!(error.contains("StableDiffusionPipeline"), "{error}");
    // The four coordinates of a token cannot turn quarters of heads of 12 elements.
    let error = TransformerFile::open(&file("klein_original.safetensors")).unwrap_err().to_string();
    assert!(error.contains("a multiple of 8 elements of a head"), "{error}");
    let original = file("klein_original.safetensors");
    let mut tensors = candle_core::safetensors::load(original, &Device::Cpu).unwrap();
    for (name, reason) in [
        ("guidance_in.in_layer.weight", "guidance scale"),
        ("img_in.weight_scale", "a scale of weights"),
    ] {
        let path = folder.path().join("other.safetensors");
        tensors.insert(name.to_owned(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        candle_core::safetensors::save(&tensors, &path).unwrap();
        tensors.remove(name);
        let error = refused(&klein, path);
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
    tensors.remove("double_blocks.0.img_mlp.2.weight");
    let path = folder.path().join("short.safetensors");
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let error = refused(&klein, path);
    assert!(error.contains("`double_blocks.0.img_mlp.2.weight` is missing"), "{error}");
}

#[test]
fn a_transformer_alone_is_inspected_without_reading_its_weights() {
    let found = inspect(&file("klein_original.gguf")).unwrap();
    assert_eq!(found.kind.to_string(), "the transformer of FLUX.2 Klein (Flux2Transformer2DModel)");
    assert_eq!(found.base, Some(BaseModel::Flux2Klein));
    assert_eq!(found.base_name(), Some("FLUX.2 Klein"));
    let part = &found.parts[0];
    let types: Vec<&str> = part.dtypes.keys().map(String::as_str).collect();
    assert_eq!(types, ["F16", "F32", "Q4_0", "Q8_0"]);
    let blocks = part.dtypes["Q4_0"] / 32 * 18 + part.dtypes["Q8_0"] / 32 * 34;
    let memory = blocks + part.dtypes["F16"] * 2 + part.dtypes["F32"] * 4;
    assert_eq!((found.component_memory(), found.memory), (Some(memory), None));
    assert!(memory > part.bytes - 3000 && memory < part.bytes, "{memory} of {}", part.bytes);
    assert_eq!(found.obstacles.len(), 1, "{:?}", found.obstacles);
    let found = inspect(&file("types.gguf")).unwrap();
    assert_eq!(found.kind, ModelKind::Gguf { version: 3, tensors: 13 });
    assert_eq!(found.licence.as_deref(), Some("apache-2.0"));
}

#[test]
fn a_language_model_in_gguf_agrees_with_transformers() {
    let (klein, record) = (model("klein"), Record::of("qwen3_file"));
    let package = with_qwen3(klein.shared(), &file("qwen3.gguf")).unwrap();
    let config = package.config("text_encoder").unwrap();
    let constants = ["rms_norm_eps", "rope_theta", "head_dim", "num_key_value_heads", "vocab_size"];
    let constants = constants.map(|field| config[field].as_f64().unwrap());
    assert_eq!(constants, [1e-3, 700.0, 128.0, 1.0, 341.0]);
    let encoder = Qwen3TextModel::load(&package, "text_encoder", &[1, 2], &Device::Cpu).unwrap();
    let ids = record.get("ids").to_dtype(DType::U32).unwrap();
    let encoded = encoder.encode(&ids, None, &Interrupt::default()).unwrap();
    record.compare("layer_1", &encoded.narrow(2, 0, 32).unwrap());
    record.compare("layer_2", &encoded.narrow(2, 32, 32).unwrap());
    let outside = Tensor::new(&[[341_u32]], &Device::Cpu).unwrap();
    assert!(encoder.encode(&outside, None, &Interrupt::default()).is_err());
}

#[test]
fn the_tokenizer_in_a_gguf_file_replaces_that_of_the_package() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures().join("klein"), folder.path());
    fs::remove_dir_all(folder.path().join("tokenizer")).unwrap();
    let klein = FolderPackage::open(folder.path()).unwrap();
    let package = with_qwen3(klein.shared(), &file("qwen3.gguf")).unwrap();
    let tokenizer = Qwen3Tokenizer::load(&package, "tokenizer", 341).unwrap();
    for Prompt { text, ids } in prompts("klein") {
        assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{text}");
    }
    let error = Qwen3Tokenizer::load(&package, "tokenizer", 340).unwrap_err().to_string();
    assert!(error.contains("qwen3.gguf") && error.contains("</think>"), "{error}");
}

#[test]
fn a_language_model_as_a_single_file_is_the_same_as_in_a_folder() {
    let (klein, interrupt) = (model("klein"), Interrupt::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qwen3.safetensors");
    fs::copy(fixtures().join("klein/text_encoder/model.safetensors"), &path).unwrap();
    let package = with_qwen3(klein.shared(), &path).unwrap();
    let encoded = |package: &dyn Package| {
        let encoder = Qwen3TextEncoder::load(package, &[9, 18, 27], &Device::Cpu).unwrap();
        vector(&encoder.encode("a red lighthouse", &interrupt).unwrap().tokens)
    };
    assert_eq!(encoded(&package), encoded(&klein));
    // The weights are read again for each prompt, and must be those that were loaded.
    let encoder = Qwen3TextEncoder::load(&package, &[9], &Device::Cpu).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 4]);
    fs::write(&path, bytes).unwrap();
    let error = encoder.encode("a", &interrupt).unwrap_err().to_string();
    assert!(error.contains("changed while the model was in use"), "{error}");
}

#[test]
fn files_that_are_not_such_a_language_model_are_refused_with_the_reason() {
    let error = with_qwen3(model("klein").shared(), &file("types.gguf")).unwrap_err().to_string();
    assert!(error.contains("types.gguf") && error.contains("a Qwen3 language model"), "{error}");
    let error = with_qwen3(model("sd1").shared(), &file("qwen3.gguf")).unwrap_err().to_string();
    assert!(error.contains("StableDiffusionPipeline"), "{error}");
    let found = inspect(&file("qwen3.gguf")).unwrap();
    assert_eq!(
        found.kind.to_string(),
        "the text encoder of FLUX.2 Klein and Z-Image (Qwen3ForCausalLM)"
    );
    assert_eq!(found.component_memory(), Some(0), "it is read again for each prompt");
}
