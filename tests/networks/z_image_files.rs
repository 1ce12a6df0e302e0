//! Compares the transformer of Z-Image in a file of its own with diffusers and the package gguf.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use bevy_illustrator::{
    diffusion::{Interrupt, denoise::z_image::ZImageTransformer2DModel},
    generator::inspect,
    model::{
        BaseModel, FolderPackage, Package, TransformerFile,
        inspect::{ModelKind, Obstacle},
        tensors::StoredTensor,
        with_transformer,
    },
};
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use super::{Record, fixtures, model};

fn file(name: &str) -> PathBuf {
    fixtures().join("single_files").join(name)
}

fn vector(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn predicted(package: &dyn Package, latents: &Tensor, context: &Tensor) -> Tensor {
    let network = ZImageTransformer2DModel::load(package, "transformer", &Device::Cpu).unwrap();
    network
        .forward_observed(latents, 437.5, context, &Interrupt::default(), &mut |_, _| {})
        .unwrap()
}

/// The tensors of the fixture in the names of diffusers.
fn weights() -> HashMap<String, Tensor> {
    let index =
        fixtures().join("z_image/transformer/diffusion_pytorch_model.safetensors.index.json");
    let index: Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
    let tensors = model("z_image").tensors("transformer").unwrap();
    let names = index["weight_map"].as_object().unwrap().keys();
    let get = |name: &String| tensors.get(name, DType::F32, &Device::Cpu).unwrap();
    names.map(|name| (name.clone(), get(name))).collect()
}

/// Tensors in the names of the original program, which has queries, keys and values in one matrix.
fn original(weights: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    let mut original = HashMap::new();
    for (name, tensor) in weights {
        let (name, tensor) = match name.split_once(".attention.to_") {
            Some((block, "q.weight")) => {
                let part = |part| &weights[&format!("{block}.attention.to_{part}.weight")];
                let fused = Tensor::cat(&[part("q"), part("k"), part("v")], 0).unwrap();
                (format!("{block}.attention.qkv.weight"), fused)
            }
            Some((_, "k.weight" | "v.weight")) => continue,
            _ => (name.clone(), tensor.clone()),
        };
        let name = name
            .replace("all_x_embedder.2-1.", "x_embedder.")
            .replace("all_final_layer.2-1.", "final_layer.")
            .replace(".attention.to_out.0.", ".attention.out.")
            .replace(".attention.norm_q.", ".attention.q_norm.")
            .replace(".attention.norm_k.", ".attention.k_norm.");
        original.insert(name, tensor);
    }
    original
}

fn save(folder: &Path, tensors: &HashMap<String, Tensor>) -> PathBuf {
    let path = folder.join("z_image.safetensors");
    candle_core::safetensors::save(tensors, &path).unwrap();
    path
}

fn with_prefix(prefix: &str, tensors: &HashMap<String, Tensor>) -> HashMap<String, Tensor> {
    tensors.iter().map(|(name, it)| (format!("{prefix}{name}"), it.clone())).collect()
}

#[test]
fn a_transformer_in_blocks_agrees_with_diffusers_and_stays_in_blocks() {
    let record = Record::of("z_image_original");
    let package = TransformerFile::open(&file("z_image_original.gguf")).unwrap().unwrap();
    let config = package.config("transformer").unwrap();
    for (field, value) in [
        ("in_channels", json!(4)),
        ("dim", json!(32)),
        ("n_layers", json!(2)),
        ("n_refiner_layers", json!(1)),
        ("n_heads", json!(2)),
        ("cap_feat_dim", json!(12)),
        ("axes_dims", json!([4, 6, 6])),
    ] {
        assert_eq!(config[field], value, "{field}");
    }
    let output = predicted(&package, record.get("latents"), record.get("context"));
    record.compare("output", &output);
    let tensors = package.tensors("transformer").unwrap();
    for name in record.tensors.keys().filter(|name| name.starts_with("sums.")) {
        let tensor = name.trim_start_matches("sums.");
        let found = tensors.get(tensor, DType::F32, &Device::Cpu).unwrap();
        record.compare(name, &found.sum(1).unwrap());
    }
    let key = tensors.get_stored("layers.1.attention.to_k.weight", &Device::Cpu).unwrap();
    assert!(matches!(key, StoredTensor::Quantized(_)), "{key:?}");
    let padding = tensors.get_stored("x_pad_token", &Device::Cpu).unwrap();
    assert_eq!(padding.dims(), [1, 32], "the file has no dimension of rows");
}

#[test]
fn a_transformer_under_all_names_is_the_same_as_in_the_folder() {
    let (z_image, record) = (model("z_image"), Record::of("z_image_transformer"));
    let (latents, context) = (record.get("few_latents"), record.get("few_context"));
    let expected = vector(&predicted(&z_image, latents, context));
    let (folder, weights) = (tempfile::tempdir().unwrap(), weights());
    let mut original = original(&weights);
    original.insert("norm_final.weight".to_owned(), original["layers.0.ffn_norm1.weight"].clone());
    for (prefix, tensors) in [
        ("", &weights),
        ("", &original),
        ("model.diffusion_model.", &original),
        ("diffusion_model.", &original),
    ] {
        let path = save(folder.path(), &with_prefix(prefix, tensors));
        let package = with_transformer(z_image.shared(), &path).unwrap();
        assert_eq!(vector(&predicted(&package, latents, context)), expected, "{prefix}");
        let found = inspect(&path).unwrap();
        assert_eq!(found.kind, ModelKind::Component("ZImageTransformer2DModel".to_owned()));
    }
    let narrow = |tensors: &HashMap<String, Tensor>| {
        let narrow = |it: &Tensor| it.to_dtype(DType::BF16).unwrap();
        tensors.iter().map(|(name, it)| (name.clone(), narrow(it))).collect()
    };
    let [own, other]: [Vec<f32>; 2] = [narrow(&weights), narrow(&original)].map(|tensors| {
        let package = with_transformer(z_image.shared(), &save(folder.path(), &tensors)).unwrap();
        vector(&predicted(&package, latents, context))
    });
    assert!(own == other && own != expected, "weights in bf16 differ between the names");
}

#[test]
fn files_that_are_not_such_a_transformer_are_refused_with_the_reason() {
    let (z_image, folder) = (model("z_image"), tempfile::tempdir().unwrap());
    let refused = |package: &FolderPackage, path: &Path| {
        with_transformer(package.shared(), path).unwrap_err().to_string()
    };
    let error = refused(&z_image, &file("klein_original.gguf"));
    assert!(error.contains("klein_original.gguf") && error.contains("of Z-Image"), "{error}");
    let error = refused(&model("klein"), &file("z_image_original.gguf"));
    assert!(error.contains("of FLUX.2 Klein"), "{error}");
    let error = refused(&model("sd1"), &file("z_image_original.gguf"));
    assert!(
        error.contains("StableDiffusionPipeline") && error.contains("ZImagePipeline"),
        "{error}"
    );

    let whole = original(&weights());
    // The three coordinates of a token cannot turn the published parts of heads of 10 elements.
    let error = TransformerFile::open(&save(folder.path(), &whole)).unwrap_err().to_string();
    assert!(error.contains("a multiple of 16 elements of a head"), "{error}");
    for (prefix, stray) in [
        ("", "siglip_embedder.0.weight"),
        ("", "control_layers.0.attention.qkv.weight"),
        ("model.diffusion_model.", "vae.decoder.conv_in.weight"),
    ] {
        let mut tensors = with_prefix(prefix, &whole);
        tensors.insert(stray.to_owned(), whole["x_pad_token"].clone());
        let error = refused(&z_image, &save(folder.path(), &tensors));
        assert!(error.contains(&format!("`{stray}`")), "{error}");
        assert!(error.contains("only the transformer of Z-Image"), "{error}");
    }
    for missing in ["cap_embedder.1.weight", "layers.0.attention.q_norm.weight"] {
        let mut tensors = whole.clone();
        tensors.remove(missing);
        let error = refused(&z_image, &save(folder.path(), &tensors));
        assert!(error.contains(&format!("`{missing}` is missing")), "{error}");
    }
    for missing in ["x_pad_token", "layers.1.attention.qkv.weight", "final_layer.linear.bias"] {
        let mut tensors = whole.clone();
        tensors.remove(missing);
        let path = save(folder.path(), &tensors);
        let package = with_transformer(z_image.shared(), &path).unwrap();
        let loaded = ZImageTransformer2DModel::load(&package, "transformer", &Device::Cpu);
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains(&format!("`{missing}` is missing")), "{error}");
    }
}

#[test]
fn a_transformer_alone_and_its_text_encoder_are_inspected_without_reading_weights() {
    let found = inspect(&file("z_image_original.gguf")).unwrap();
    assert_eq!(found.kind.to_string(), "the transformer of Z-Image (ZImageTransformer2DModel)");
    assert_eq!(found.base, Some(BaseModel::ZImage));
    assert_eq!(found.base_name(), Some("Z-Image"));
    assert_eq!(found.obstacles, [Obstacle::OnlyTransformer { vae: "ae.safetensors" }]);
    let part = &found.parts[0];
    let types: Vec<&str> = part.dtypes.keys().map(String::as_str).collect();
    assert_eq!(types, ["F16", "F32", "Q4_0", "Q8_0"]);
    let memory = found.component_memory().unwrap();
    assert!(memory > part.bytes - 8000 && memory < part.bytes, "{memory} of {}", part.bytes);
    let text_encoder = fixtures().join("z_image/text_encoder/model.safetensors");
    let found = inspect(&text_encoder).unwrap();
    let expected = "the text encoder of FLUX.2 Klein and Z-Image (Qwen3ForCausalLM)";
    assert_eq!(found.kind.to_string(), expected);
}
