//! The inpainting models of `tests/reference/inpainting.py`.

use std::{fs, path::Path};

use candle_core::Device;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::copy_folder::copy_folder;

/// A copy of a model of the fixtures, whose UNet is one for inpainting.
pub fn folder(fixtures: &Path, name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures.join(name), folder.path());
    let load = |path: &Path| candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let weights = folder.path().join("unet/diffusion_pytorch_model.safetensors");
    let mut tensors = load(&weights);
    tensors.extend(load(&fixtures.join(format!("networks/{name}_inpainting.safetensors"))));
    candle_core::safetensors::save(&tensors, weights).unwrap();
    let change = |file: &str, field: &str, change: &dyn Fn(&Value) -> Value| {
        let path = folder.path().join(file);
        let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        json[field] = change(&json[field]);
        fs::write(path, json.to_string()).unwrap();
    };
    change("unet/config.json", "in_channels", &|_| json!(9));
    change("model_index.json", "_class_name", &|class| {
        json!(class.as_str().unwrap().replace("Pipeline", "InpaintPipeline"))
    });
    folder
}
