use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::{model::inspect::inspect, test_support::copy_of};

fn built_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch")
}

/// A copy of the built-in model that a test may damage.
fn copy() -> tempfile::TempDir {
    copy_of("assets/models/sketch")
}

fn obstacles(folder: &Path) -> Vec<String> {
    let found = inspect(folder).expect("readable");
    assert!(!found.runs());
    found.obstacles.iter().map(ToString::to_string).collect()
}

#[test]
fn the_built_in_model_runs_and_its_weights_are_counted() {
    let found = inspect(&built_in()).expect("readable");
    assert_eq!(found.obstacles, []);
    assert_eq!(found.kind, ModelKind::Pipeline("StableDiffusionPipeline".to_owned()));
    let unet = found.parts.iter().find(|part| part.name == "unet").expect("a unet");
    let file = built_in().join("unet/diffusion_pytorch_model.safetensors");
    assert_eq!(unet.bytes, file.metadata().expect("a file").len());
    assert!(unet.parameters > 1_000_000 && unet.dtypes.values().sum::<u64>() == unet.parameters);
    let scheduler = found.parts.iter().find(|part| part.name == "scheduler");
    assert_eq!(scheduler.map(|part| part.parameters), Some(0));
}

#[test]
fn python_infinity_is_not_an_obstacle() {
    let model = copy();
    let file = model.path().join("scheduler/scheduler_config.json");
    let config = "{\"lambda_min_clipped\": -Infinity, \"num_train_timesteps\": 1000}";
    fs::write(file, config).expect("written");
    let found = inspect(model.path()).expect("readable");
    assert!(found.runs(), "{:?}", found.obstacles);
}

#[test]
fn every_missing_file_is_named() {
    let model = copy();
    for file in ["unet/config.json", "vae/diffusion_pytorch_model.safetensors"] {
        fs::remove_file(model.path().join(file)).expect("removed");
    }
    fs::remove_dir_all(model.path().join("tokenizer")).expect("removed");
    fs::remove_dir_all(model.path().join("scheduler")).expect("removed");
    let found = obstacles(model.path()).join("\n");
    let named = [
        "unet/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/",
        "scheduler/scheduler_config.json",
    ];
    for file in named {
        assert!(found.contains(file), "{file} in:\n{found}");
    }
}

#[test]
fn weights_that_are_only_a_pickle_are_refused() {
    let model = copy();
    let unet = model.path().join("unet");
    let weights = unet.join("diffusion_pytorch_model.safetensors");
    fs::rename(weights, unet.join("diffusion_pytorch_model.bin")).expect("renamed");
    let found = obstacles(model.path());
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("unet/diffusion_pytorch_model.bin is a pickle"), "{found:?}");
}

#[test]
fn truncated_weights_and_bad_json_are_named() {
    let model = copy();
    let weights = model.path().join("vae/diffusion_pytorch_model.safetensors");
    let file = fs::OpenOptions::new().write(true).open(&weights).expect("opened");
    file.set_len(weights.metadata().expect("a file").len() - 100).expect("truncated");
    fs::write(model.path().join("unet/config.json"), "{ \"in_channels\": }").expect("written");
    let found = obstacles(model.path()).join("\n");
    assert!(
        found.contains("vae/diffusion_pytorch_model.safetensors is not a complete safetensors file: it is truncated: 100 bytes are missing")
    );
    assert!(found.contains("unet/config.json cannot be parsed"), "{found}");
}

#[test]
fn weights_in_several_files_are_counted_together_and_each_missing_one_is_named() {
    let model = copy();
    let unet = model.path().join("unet");
    let whole = inspect(&built_in()).expect("readable");
    let shard = unet.join("shard-1.safetensors");
    fs::rename(unet.join("diffusion_pytorch_model.safetensors"), shard).expect("renamed");
    let index = r#"{"weight_map": {"a": "shard-1.safetensors", "b": "shard-1.safetensors"}}"#;
    let at = unet.join("diffusion_pytorch_model.safetensors.index.json");
    fs::write(&at, index).expect("written");
    assert_eq!(inspect(model.path()).expect("readable").parts, whole.parts);

    let index = r#"{"weight_map": {"a": "shard-1.safetensors", "b": "shard-2.safetensors"}}"#;
    fs::write(&at, index).expect("written");
    assert!(obstacles(model.path())[0].starts_with("unet/shard-2.safetensors is missing"));
}

#[test]
fn a_model_of_another_family_names_the_families_that_run() {
    let model = copy();
    let index = model.path().join("model_index.json");
    let json = fs::read_to_string(&index).expect("readable");
    let other = json.replace("StableDiffusionPipeline", "FluxPipeline");
    fs::write(&index, other).expect("written");
    assert!(obstacles(model.path())[0].starts_with("FluxPipeline does not run yet"));

    fs::write(&index, json).expect("written");
    let config = model.path().join("unet/config.json");
    let json = fs::read_to_string(&config).expect("readable");
    fs::write(&config, json.replace("\"in_channels\": 32", "\"in_channels\": 9")).expect("written");
    assert!(obstacles(model.path())[0].starts_with("the UNet takes 9 channels"));
    let with_mask = json.replace("\"in_channels\": 32", "\"in_channels\": 65");
    fs::write(&config, with_mask.replace("\"out_channels\": 32", "\"out_channels\": 33"))
        .expect("written");
    assert!(obstacles(model.path())[0].starts_with("the UNet takes 65 channels"));
    fs::write(config, with_mask).expect("written");
    assert!(inspect(model.path()).expect("readable").runs(), "latents, mask, masked latents");
}

#[test]
fn a_single_component_and_an_empty_folder_are_not_models() {
    let found = inspect(&built_in().join("unet")).expect("readable");
    assert_eq!(found.kind, ModelKind::Component("UNet2DConditionModel".to_owned()));
    assert_eq!(found.obstacles, [Obstacle::OnePart]);
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(inspect(empty.path()).expect("readable").kind, ModelKind::NoModel);
}

/// A pointer as `git lfs` writes it.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

#[test]
fn every_git_lfs_pointer_is_called_so() {
    let files = [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "scheduler/scheduler_config.json",
    ];
    for file in files {
        let model = copy();
        fs::write(model.path().join(file), LFS_POINTER).expect("written");
        let found = obstacles(model.path());
        assert!(found.len() == 1, "{found:?}");
        assert!(found[0].contains(file) && found[0].contains("git lfs pull"), "{found:?}");
        let package = FolderPackage::at(model.path());
        let error = match file.strip_suffix("/diffusion_pytorch_model.safetensors") {
            Some(part) => package.tensors(part).err(),
            None if file.ends_with(".json") => package.json(file).err(),
            None => package.tensors("text_encoder").err(),
        };
        let error = error.expect("a pointer").to_string();
        assert!(error.contains(file) && error.contains("git lfs pull"), "{error}");
    }
}

#[test]
fn a_git_lfs_pointer_names_no_licence() {
    let model = copy();
    fs::remove_file(model.path().join("README.md")).expect("removed");
    fs::write(model.path().join("LICENSE"), LFS_POINTER).expect("written");
    assert_eq!(inspect(model.path()).expect("readable").licence, None);
}

#[test]
fn a_single_git_lfs_pointer_is_called_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a.safetensors", "a.ckpt", "a.gguf", "a"] {
        let file = folder.path().join(name);
        fs::write(&file, LFS_POINTER).expect("written");
        let found = obstacles(&file);
        assert!(found.len() == 1 && found[0].contains("git lfs pull"), "{found:?}");
        assert!(found[0].contains(name), "{found:?}");
    }
}

#[test]
fn a_folder_above_a_model_gets_a_hint_at_the_model() {
    let repo = tempfile::tempdir().expect("a folder");
    let snapshots = repo.path().join("snapshots");
    let (old, new) = (snapshots.join("b0"), snapshots.join("a1"));
    for folder in [&old, &new, &repo.path().join("blobs")] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let above = [repo.path(), &snapshots];
    for folder in above {
        assert!(obstacles(folder)[0].contains("this folder has no model_index.json:"));
    }
    fs::write(old.join("model_index.json"), "{}").expect("written");
    for folder in above {
        let hint = &obstacles(folder)[0];
        assert!(hint.contains(&old.display().to_string()), "{hint}");
        let error = FolderPackage::open(folder).expect_err("no model").to_string();
        assert!(error.contains(&old.display().to_string()), "{error}");
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(new.join("model_index.json"), "{}").expect("written");
    for folder in above {
        let hint = &obstacles(folder)[0];
        assert!(hint.contains(&new.display().to_string()), "{hint}");
    }
}
