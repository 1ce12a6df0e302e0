//! `illustrate models`.

use super::*;

/// A copy of the built-in model that a test may damage.
fn desk_with_model() -> Desk {
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
    let desk = Desk::new(STORY);
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_all(&built_in, &desk.path("model"));
    desk
}

const UNET: &str = "model/unet/diffusion_pytorch_model.safetensors";

#[test]
fn a_whole_folder_is_reported_as_runnable_and_runs() {
    let desk = desk_with_model();
    let found = desk.run(&["models", "inspect", "model", "--json"]).json();
    assert_eq!(found["runs"], true);
    assert_eq!(found["kind"]["pipeline"], "StableDiffusionPipeline");
    let names: Vec<&str> =
        found["parts"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
    assert!(names.contains(&"unet") && names.contains(&"text_encoder"), "{names:?}");
    let words = desk.run(&["models", "inspect", "model"]);
    assert!(String::from_utf8_lossy(&words.exits(0).0.stdout).contains("It runs here"));
    let shot = ["--shot", "item-key", "--model", "model/"];
    assert_eq!(desk.render(&shot).drawn(), ["item-key"]);
    assert_eq!(desk.render(&["--shot", "item-key", "--model", "./model"]).drawn(), [""; 0]);
}

#[test]
fn a_damaged_folder_is_refused_with_its_damage_wherever_it_is_used() {
    let damages: [(&str, fn(&Desk), &[&str]); 4] = [
        (
            "missing",
            |desk| fs::remove_file(desk.path("model/vae/config.json")).unwrap(),
            &["vae/config.json", "missing"],
        ),
        (
            "truncated",
            |desk| {
                let file = fs::OpenOptions::new().write(true).open(desk.path(UNET)).unwrap();
                file.set_len(1_000_000).unwrap();
            },
            &["unet/diffusion_pytorch_model.safetensors", "cut off"],
        ),
        (
            "pickle",
            |desk| {
                let pickle = desk.path(UNET).with_extension("bin");
                fs::rename(desk.path(UNET), pickle).unwrap();
            },
            &["unet/diffusion_pytorch_model.bin", "pickle"],
        ),
        (
            "bad config",
            |desk| fs::write(desk.path("model/unet/config.json"), "{").unwrap(),
            &["unet/config.json"],
        ),
    ];
    for (what, damage, words) in damages {
        let desk = desk_with_model();
        damage(&desk);
        eprintln!("{what}");
        desk.run(&["models", "inspect", "model"]).fails_with(words);
        desk.render(&["--shot", "item-key", "--model", "model"]).fails_with(words);
        let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
        desk.run(&[&draw[..], &QUICK[..]].concat()).fails_with(words);
        assert!(desk.pictures().is_empty() && !desk.path("a.png").exists());
    }
}

#[test]
fn a_tensor_of_the_wrong_shape_is_named_with_both_shapes() {
    let desk = desk_with_model();
    let config = desk.path("model/unet/config.json");
    let json = fs::read_to_string(&config).unwrap();
    let other = json.replace("\"cross_attention_dim\": 128", "\"cross_attention_dim\": 64");
    assert_ne!(json, other);
    fs::write(config, other).unwrap();
    let words = ["unet/diffusion_pytorch_model.safetensors", "attn2", "64", "128"];
    desk.render(&["--shot", "item-key", "--model", "model"])
        .fails_with(&[&words[..], &["item-key"]].concat());
}

#[test]
fn single_files_are_identified_and_refused() {
    let desk = Desk::new(STORY);
    fs::write(desk.path("a.ckpt"), [0x80, 2, b'}', b'.']).unwrap();
    desk.run(&["models", "inspect", "a.ckpt"]).fails_with(&["a.ckpt", "pickle", "never opened"]);
    fs::write(desk.path("a.gguf"), [b"GGUF".as_slice(), &[3, 0, 0, 0], &[0; 8]].concat()).unwrap();
    desk.run(&["models", "inspect", "a.gguf"]).fails_with(&["GGUF"]);
    desk.run(&["models", "inspect", "two.story.ron"]).fails_with(&["two.story.ron"]);
    desk.run(&["models", "inspect", "gone"]).fails_with(&["gone"]);
    desk.render(&["--shot", "item-key", "--model", "a.ckpt"]).fails_with(&["pickle"]);
}
