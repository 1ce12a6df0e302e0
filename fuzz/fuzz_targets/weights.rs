//! Weight files: the headers of safetensors and GGUF files, the kinds of single files, whole models, their components and
//! low-rank adapters.

#![no_main]

use std::{fs, sync::Arc};

use bevy_illustrator::{
    diffusion::{lora::LoraFile, text::TextualInversion},
    generator::{find_models, inspect},
    model::{
        EmbeddedPackage, FolderPackage, Package, TensorSource,
        inspect::ModelKind,
        ldm::Checkpoint,
        tensors::{GgufFile, GgufHeader, TensorHeader},
        with_qwen3, with_text_encoders, with_transformer, with_vae,
    },
};
use bevy_illustrator_fuzz::empty_folder;
use candle_core::{DType, Device};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let root = empty_folder();
    let weights = root.join("unet/diffusion_pytorch_model.safetensors");
    fs::create_dir(root.join("unet")).expect("room");
    fs::write(root.join("unet/config.json"), "{}").expect("room");
    fs::write(&weights, bytes).expect("room");
    fs::write(root.join("any"), bytes).expect("room");
    for path in [&weights, &root.join("any"), root] {
        let found = inspect(path).expect("a file or folder");
        // The fuzzer does not find all tensors of a network.
        assert!(!found.runs(), "{found:?}");
        assert!(!found.kind.to_string().is_empty());
        assert!(found.obstacles.iter().all(|obstacle| !obstacle.to_string().is_empty()));
    }
    if let Ok(checkpoint) = Checkpoint::open(&weights) {
        let kind = inspect(&weights).expect("a file").kind;
        assert!(matches!(kind, ModelKind::LdmCheckpoint { .. }), "{kind:?}");
        assert!(checkpoint.index().is_ok() && checkpoint.config("unet").is_ok());
    }
    let _ = LoraFile::open(&weights, 1.0);
    let _ = TextualInversion::load("a", &weights, &[768], &Device::Cpu);
    let package: Arc<dyn Package> = Arc::new(EmbeddedPackage::built_in());
    let _ = with_vae(Arc::clone(&package), &weights).map(|package| package.config("vae"));
    let _ = with_text_encoders(package, &[weights.display().to_string()]);
    let index = root.join("model_index.json");
    fs::write(&index, r#"{"_class_name": "Flux2KleinPipeline"}"#).expect("room");
    for part in ["transformer", "text_encoder"] {
        fs::create_dir(root.join(part)).expect("room");
        fs::write(root.join(part).join("config.json"), "{}").expect("room");
    }
    let klein: Arc<dyn Package> = Arc::new(FolderPackage::open(root).expect("a model"));
    let _ =
        with_transformer(Arc::clone(&klein), &weights).map(|package| package.config("transformer"));
    let _ = with_qwen3(klein, &weights).map(|package| package.config("text_encoder"));
    for part in ["transformer", "text_encoder"] {
        fs::remove_dir_all(root.join(part)).expect("a folder");
    }
    fs::remove_file(index).expect("a file");
    let header = GgufHeader::read(bytes, bytes.len() as u64);
    let file = GgufFile::open(&weights);
    assert_eq!(header.is_ok(), file.is_ok());
    if let (Ok(header), Ok(file)) = (header, file) {
        let _ = (header.parameters(), header.unreadable());
        for name in header.names() {
            assert_eq!(file.shape(name).as_deref(), header.shape(name));
            if let Ok(tensor) = file.get_stored(name, &Device::Cpu) {
                let wide = tensor.widened().expect("numbers");
                assert_eq!(Some(wide.dims()), header.shape(name));
            }
        }
    }
    for found in find_models(&[root.to_owned()]) {
        let _ = (found.name(), found.inspection.component_memory(), found.inspection.terms());
    }
    let header = TensorHeader::read(bytes, bytes.len() as u64);
    let tensors = FolderPackage::open(root).expect("a marker").tensors("unet");
    assert_eq!(header.is_ok(), tensors.is_ok());
    let (Ok(header), Ok(tensors)) = (header, tensors) else { return };
    let _ = header.parameters();
    for name in header.names() {
        assert_eq!(tensors.shape(&name).as_deref(), header.shape(&name));
        if let Ok(tensor) = tensors.get(&name, DType::F32, &Device::Cpu) {
            assert_eq!(Some(tensor.dims()), header.shape(&name));
        }
    }
});
