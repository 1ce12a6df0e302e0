use std::{fs, path::Path};

use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;

use super::{embedded::SKETCH, *};
use crate::model::tensors::{Interruptible, ShapesOnly};

const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

/// A copy of the built-in model that a test may damage.
fn copy() -> (TempDir, FolderPackage) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in SKETCH {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let package = FolderPackage::open(folder.path()).unwrap();
    (folder, package)
}

/// A folder with only an empty `unet/config.json`.
fn unet_only() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("unet")).unwrap();
    fs::write(folder.path().join("unet/config.json"), "{}").unwrap();
    folder
}

fn tensors_error(package: &dyn Package) -> String {
    package.tensors("unet").err().unwrap().to_string()
}

fn hash(package: &dyn Package) -> String {
    package.hash(&Interrupt::default()).unwrap()
}

#[test]
fn a_folder_on_disk_equals_the_embedded_model() {
    let (folder, package) = copy();
    let built_in = EmbeddedPackage::built_in();
    assert_eq!(hash(&package), hash(&built_in));
    assert_eq!(config_hash(&package).unwrap(), config_hash(&built_in).unwrap());
    let name = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(package.name(), name);
    let read = |package: &dyn Package| {
        let tensors = package.tensors("unet").unwrap();
        let tensor = tensors.get("conv_in.bias", DType::F32, &Device::Cpu).unwrap();
        tensor.to_vec1::<f32>().unwrap()
    };
    assert_eq!(read(&package), read(&built_in));
}

/// Takes are named by this hash, so it must never change.
#[test]
fn the_hash_of_the_built_in_model_is_that_of_its_concatenated_weight_files() {
    let weights =
        ["text_encoder/model.safetensors", UNET, "vae/diffusion_pytorch_model.safetensors"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    let row: Vec<u8> = weights.iter().flat_map(|file| fs::read(root.join(file)).unwrap()).collect();
    assert_eq!(hash(&EmbeddedPackage::built_in()), blake3::hash(&row).to_hex().to_string());
}

#[test]
fn one_bit_of_one_weight_changes_only_the_weight_hash() {
    let (folder, package) = copy();
    let (before, configs) = (hash(&package), config_hash(&package).unwrap());
    let mut bytes = fs::read(folder.path().join(UNET)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(folder.path().join(UNET), bytes).unwrap();
    assert_ne!(hash(&package), before);
    assert_eq!(config_hash(&package).unwrap(), configs);
}

#[test]
fn scheduler_and_tokenizer_change_only_the_configuration_hash() {
    let (folder, package) = copy();
    for file in ["scheduler/scheduler_config.json", "tokenizer/tokenizer.json", "unet/config.json"]
    {
        let (before, configs) = (hash(&package), config_hash(&package).unwrap());
        let mut content = fs::read(folder.path().join(file)).unwrap();
        content.push(b' ');
        fs::write(folder.path().join(file), content).unwrap();
        assert_eq!(hash(&package), before);
        assert_ne!(config_hash(&package).unwrap(), configs, "{file}");
    }
}

#[test]
fn hashing_stops_when_it_is_cancelled() {
    let interrupt = Interrupt::default();
    interrupt.cancel();
    let error = EmbeddedPackage::built_in().hash(&interrupt).unwrap_err();
    assert!(matches!(error, ModelError::Cancelled(_)));
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let (folder, package) = copy();
    fs::remove_file(folder.path().join(UNET)).unwrap();
    assert!(tensors_error(&package).contains(&format!("{UNET} is missing")));
    fs::remove_file(folder.path().join("unet/config.json")).unwrap();
    let error = package.config("unet").unwrap_err().to_string();
    assert!(error.contains("unet/config.json is missing"), "{error}");
    let error = FolderPackage::open(folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere/model_index.json is missing"), "{error}");
}

#[test]
fn a_truncated_weight_file_is_reported_as_truncated() {
    let (folder, package) = copy();
    let path = folder.path().join(UNET);
    let bytes = fs::read(&path).unwrap();
    for size in [bytes.len() - 1, 5000, 8, 3, 0] {
        fs::write(&path, &bytes[..size]).unwrap();
        let error = tensors_error(&package);
        assert!(error.contains(UNET) && error.contains("truncated"), "{error}");
    }
}

#[test]
fn a_model_card_with_a_byte_order_mark_names_the_licence() {
    let (folder, package) = copy();
    let card = "\u{feff}---\nlicense: apache-2.0\n---\n";
    fs::write(folder.path().join("README.md"), card).unwrap();
    assert_eq!(package.licence().as_deref(), Some("apache-2.0"));
}

#[test]
fn files_that_only_look_like_weights_are_refused() {
    let (folder, package) = copy();
    let path = folder.path().join(UNET);
    fs::write(&path, b"version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert!(tensors_error(&package).contains("git lfs pull"));
    for pickle in [b"PK\x03\x04 an archive".as_slice(), b"\x80\x02}q\x00. a pickle"] {
        fs::write(&path, pickle).unwrap();
        assert!(tensors_error(&package).contains("pickle"));
    }
    fs::rename(&path, folder.path().join("unet/diffusion_pytorch_model.bin")).unwrap();
    let error = tensors_error(&package);
    assert!(error.contains("diffusion_pytorch_model.bin is a pickle"), "{error}");
    let checkpoint = folder.path().join("model.ckpt");
    fs::write(&checkpoint, "").unwrap();
    let error = FolderPackage::open(checkpoint).unwrap_err().to_string();
    assert!(error.contains("model.ckpt is a pickle"), "{error}");
}

#[test]
fn shards_and_half_precision_weights_are_read() {
    let folder = unet_only();
    let tensor = Tensor::new(&[1.5_f32, -2.0], &Device::Cpu).unwrap();
    let half = tensor.to_dtype(DType::F16).unwrap();
    for name in ["a", "b"] {
        half.save_safetensors(name, folder.path().join(format!("unet/{name}.safetensors")))
            .unwrap();
    }
    let index = r#"{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}"#;
    let package = FolderPackage::open(folder.path()).unwrap();
    for name in [
        "unet/diffusion_pytorch_model.safetensors.index.json",
        "unet/diffusion_pytorch_model.safetensors.index.fp16.json",
    ] {
        fs::write(folder.path().join(name), index).unwrap();
        let tensors = package.tensors("unet").unwrap();
        for name in ["a", "b"] {
            let tensor = tensors.get(name, DType::F32, &Device::Cpu).unwrap();
            assert_eq!(tensor.to_vec1::<f32>().unwrap(), [1.5, -2.0]);
        }
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    let file = folder.path().join("unet/diffusion_pytorch_model.fp16.safetensors");
    half.save_safetensors("c", file).unwrap();
    assert!(package.tensors("unet").unwrap().contains("c"));
}

#[test]
fn a_shard_index_cannot_reach_outside_its_folder() {
    let folder = unet_only();
    let path = folder.path().join("unet/model.safetensors.index.json");
    let package = FolderPackage::open(folder.path()).unwrap();
    for (index, word) in [
        (r#"{"weight_map": {"a": "../../other.safetensors"}}"#, "../../other.safetensors"),
        (r#"{"weight_map": {"a": 3}}"#, "3"),
        (r#"{"weight_map": {}}"#, "weight_map"),
        ("{}", "weight_map"),
        ("[", "index.json"),
    ] {
        fs::write(&path, index).unwrap();
        let error = tensors_error(&package);
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn shapes_are_read_without_values() {
    let built_in = EmbeddedPackage::built_in();
    let (whole, shapes) = (
        built_in.tensors("unet").unwrap(),
        MappedPackage::new(&built_in, |_, tensors| Box::new(ShapesOnly(tensors)))
            .tensors("unet")
            .unwrap(),
    );
    let zeros = shapes.get("conv_in.weight", DType::F32, &Device::Cpu).unwrap();
    assert_eq!(zeros.dims(), whole.shape("conv_in.weight").unwrap());
    assert_eq!(zeros.stride(), [0; 4]);
    let error = shapes.get("nothing", DType::F32, &Device::Cpu).unwrap_err();
    assert!(matches!(error, ModelError::NoTensor { .. }), "{error}");
}

#[test]
fn the_licence_is_read_from_the_model_card() {
    let (folder, package) = copy();
    assert_eq!(package.licence(), None);
    let card = "---\ntags:\n- art\nlicense: creativeml-openrail-m\n---\n# A model\nlicense: no";
    fs::write(folder.path().join("README.md"), card).unwrap();
    assert_eq!(package.licence().unwrap(), "creativeml-openrail-m");
    assert_eq!(EmbeddedPackage::built_in().licence().unwrap(), "MIT");
}

#[test]
fn loading_tensors_fails_after_a_cancellation() {
    let (built_in, interrupt) = (EmbeddedPackage::built_in(), Interrupt::default());
    let package = MappedPackage::new(&built_in, |_, source| {
        Box::new(Interruptible { source, interrupt: interrupt.clone() })
    });
    let tensors = package.tensors("unet").unwrap();
    let get = || tensors.get("conv_in.bias", DType::F32, &Device::Cpu);
    get().unwrap();
    interrupt.cancel();
    assert!(matches!(get(), Err(ModelError::Cancelled(_))));
}

#[test]
fn an_adapter_that_cannot_be_opened_is_there_and_the_error_says_why() {
    let (folder, package) = copy();
    let adapter = folder.path().join("adapters/style");
    assert!(!package.has_component("adapters/style"));
    fs::create_dir_all(&adapter).unwrap();
    let error = || match package.tensors("adapters/style") {
        Ok(_) => panic!("the weights cannot be opened"),
        Err(error) => error.to_string(),
    };
    // An empty folder.
    assert!(package.has_component("adapters/style"));
    assert!(error().contains("copy or download it from the repository"), "{}", error());
    let whole = hash(&package);
    fs::create_dir(adapter.join("style.safetensors")).unwrap();
    assert!(error().contains("style.safetensors") && error().contains("folder"), "{}", error());
    assert_eq!(hash(&package), whole, "no picture follows it");
    fs::remove_dir_all(&adapter).unwrap();
    fs::write(&adapter, "a file").unwrap();
    assert!(package.has_component("adapters/style"));
    assert!(error().contains("cannot read"), "{}", error());
}

#[test]
fn a_configuration_of_an_adapter_that_cannot_be_read_stops_no_other_picture() {
    let (folder, package) = copy();
    let configs = config_hash(&package).unwrap();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
    for component in ["adapters/outline", "losses/clip"] {
        let file = folder.path().join(component).join("config.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, pointer).unwrap();
        assert!(package.config(component).is_err());
        assert_eq!(config_hash(&package).unwrap(), configs, "{component}");
        fs::write(&file, "{}").unwrap();
        assert_ne!(config_hash(&package).unwrap(), configs, "{component}");
        fs::remove_file(&file).unwrap();
    }
    fs::write(folder.path().join("unet/config.json"), pointer).unwrap();
    assert!(config_hash(&package).is_err(), "every picture needs it");
}

#[cfg(unix)]
#[test]
fn an_adapter_whose_link_has_no_target_is_there() {
    use std::os::unix::fs::symlink;

    let (folder, package) = copy();
    let at = |name: &str| folder.path().join(name);
    let error = || match package.tensors("adapters/style") {
        Ok(_) => panic!("the weights cannot be opened"),
        Err(error) => error.to_string(),
    };
    fs::create_dir_all(at("adapters/style")).unwrap();
    symlink("/gone/x.safetensors", at("adapters/style/x.safetensors")).unwrap();
    assert!(package.has_component("adapters/style"));
    assert!(error().contains("style/x.safetensors: it is a link"), "{}", error());
    fs::remove_dir_all(at("adapters/style")).unwrap();
    symlink("/gone", at("adapters/style")).unwrap();
    assert!(package.has_component("adapters/style"));
    assert!(error().contains("adapters/style: it is a link"), "{}", error());
    fs::remove_dir_all(at("adapters")).unwrap();
    symlink("/gone", at("adapters")).unwrap();
    assert!(package.has_component("adapters/style"));
    assert!(error().contains("it is a link"), "{}", error());
}
