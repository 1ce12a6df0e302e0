//! `illustrate models`.

use super::*;

/// A copy of the built-in model that a test may damage.
fn workspace_with_model() -> Workspace {
    fn copy_all(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_all(&entry.path(), &to);
            } else {
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let workspace = Workspace::new(STORY);
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_all(&built_in, &workspace.path("model"));
    workspace
}

const UNET: &str = "model/unet/diffusion_pytorch_model.safetensors";

#[test]
fn a_complete_folder_is_reported_as_runnable_and_runs() {
    let workspace = workspace_with_model();
    let found = workspace.run(&["models", "inspect", "model", "--json"]).json();
    assert_eq!(found["runs"], true);
    assert_eq!(found["kind"]["pipeline"], "StableDiffusionPipeline");
    let names: Vec<&str> =
        found["parts"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert!(names.contains(&"unet") && names.contains(&"text_encoder"), "{names:?}");
    let words = workspace.run(&["models", "inspect", "model"]);
    assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).contains("It runs here"));
    let shot = ["--shot", "item-key", "--model", "model/"];
    assert_eq!(workspace.render(&shot).drawn(), ["item-key"]);
    assert_eq!(workspace.render(&["--shot", "item-key", "--model", "./model"]).drawn(), [""; 0]);
}

#[test]
fn every_command_refuses_a_damaged_folder_and_names_the_damage() {
    let damages: [(&str, fn(&Workspace), &[&str]); 4] = [
        (
            "missing",
            |workspace| fs::remove_file(workspace.path("model/vae/config.json")).unwrap(),
            &["vae/config.json", "missing"],
        ),
        (
            "truncated",
            |workspace| {
                let file = fs::OpenOptions::new().write(true).open(workspace.path(UNET)).unwrap();
                file.set_len(1_000_000).unwrap();
            },
            &["unet/diffusion_pytorch_model.safetensors", "truncated"],
        ),
        (
            "pickle",
            |workspace| {
                let pickle = workspace.path(UNET).with_extension("bin");
                fs::rename(workspace.path(UNET), pickle).unwrap();
            },
            &["unet/diffusion_pytorch_model.bin", "pickle"],
        ),
        (
            "bad config",
            |workspace| fs::write(workspace.path("model/unet/config.json"), "{").unwrap(),
            &["unet/config.json"],
        ),
    ];
    for (what, damage, words) in damages {
        let workspace = workspace_with_model();
        damage(&workspace);
        eprintln!("{what}");
        workspace.run(&["models", "inspect", "model"]).fails_with(words);
        workspace.render(&["--shot", "item-key", "--model", "model"]).fails_with(words);
        let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
        workspace.run(&[&draw[..], &QUICK[..]].concat()).fails_with(words);
        assert!(workspace.pictures().is_empty() && !workspace.path("a.png").exists());
    }
}

#[test]
fn a_tensor_of_wrong_shape_is_named_with_both_shapes() {
    let workspace = workspace_with_model();
    let config = workspace.path("model/unet/config.json");
    let json = fs::read_to_string(&config).unwrap();
    let other = json.replace("\"cross_attention_dim\": 128", "\"cross_attention_dim\": 64");
    assert_ne!(json, other);
    fs::write(config, other).unwrap();
    let words = ["unet/diffusion_pytorch_model.safetensors", "attn2", "64", "128"];
    workspace.render(&["--shot", "item-key", "--model", "model"]).fails_with(&words);
}

#[test]
fn single_files_are_identified_and_refused() {
    let workspace = Workspace::new(STORY);
    fs::write(workspace.path("a.ckpt"), [0x80, 2, b'}', b'.']).unwrap();
    workspace.run(&["models", "inspect", "a.ckpt"]).fails_with(&[
        "a.ckpt",
        "pickle",
        "never opened",
    ]);
    fs::write(workspace.path("a.gguf"), [b"GGUF".as_slice(), &[3, 0, 0, 0], &[0; 8]].concat())
        .unwrap();
    workspace.run(&["models", "inspect", "a.gguf"]).fails_with(&["GGUF"]);
    workspace.run(&["models", "inspect", "two.story.ron"]).fails_with(&["two.story.ron"]);
    workspace.run(&["models", "inspect", "gone"]).fails_with(&["gone"]);
    workspace.render(&["--shot", "item-key", "--model", "a.ckpt"]).fails_with(&["pickle"]);
}
