//! `illustrate models`.

use super::*;

/// A copy of the built-in model that a test may damage.
fn workspace_with_model() -> Workspace {
    let workspace = Workspace::new(STORY);
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_folder(&built_in, &workspace.path("model"));
    workspace
}

/// A safetensors file with empty tensors of these names.
fn safetensors(tensors: &[&str], metadata: &str) -> Vec<u8> {
    let tensor =
        |name: &&str| format!(r#","{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    let tensors: String = tensors.iter().map(tensor).collect();
    let json = format!(r#"{{"__metadata__":{{{metadata}}}{tensors}}}"#);
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes()].concat()
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

#[test]
fn the_config_of_a_training_script_draws_with_every_scheduler() {
    let workspace = workspace_with_model();
    // What `DDPMScheduler.save_config` of diffusers 0.42 writes.
    let config = r#"{
        "_class_name": "DDPMScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "beta_start": 0.00085, "clip_sample": true, "clip_sample_range": 1.0,
        "dynamic_thresholding_ratio": 0.995, "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "rescale_betas_zero_snr": false, "sample_max_value": 1.0,
        "steps_offset": 0, "thresholding": false, "timestep_spacing": "leading",
        "trained_betas": null, "variance_type": "fixed_small"
    }"#;
    // Editors of Windows begin a file with a byte order mark.
    let file = workspace.path("model/scheduler/scheduler_config.json");
    fs::write(file, format!("\u{feff}{config}")).unwrap();
    workspace.run(&["models", "inspect", "model"]).exits(0);
    let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
    for scheduler in
        [&[][..], &["--scheduler", "ddim"], &["--scheduler", "euler"], &["--scheduler", "dpm++2m"]]
    {
        workspace.run(&[&draw[..], &QUICK, scheduler].concat()).exits(0);
    }
}

#[test]
fn tokens_that_training_added_count() {
    let workspace = workspace_with_model();
    fs::remove_file(workspace.path("model/tokenizer/tokenizer.json")).unwrap();
    let embeddings = |file: &str| {
        let args =
            ["draw", "--prompt", "a house in <hillstyle>", "--model", "model", "--out", "a.png"];
        workspace.run(&[&args[..], &QUICK, &["--dump", file]].concat()).exits(0);
        let dump = candle_core::safetensors::load(workspace.path(file), &candle_core::Device::Cpu);
        dump.unwrap()["prompt_embeds"].flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let without = embeddings("without.safetensors");
    let file = workspace.path("model/tokenizer/added_tokens.json");
    fs::write(&file, r#"{"<hillstyle>": 300}"#).unwrap();
    let old = embeddings("old.safetensors");
    assert_ne!(old, without);
    fs::remove_file(&file).unwrap();
    // The layout of newer versions of transformers.
    let file = workspace.path("model/tokenizer/tokenizer_config.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["added_tokens_decoder"] = serde_json::json!({
        "300": {"content": "<hillstyle>", "lstrip": false, "normalized": false, "rstrip": false,
            "single_word": false, "special": false}
    });
    fs::write(&file, config.to_string()).unwrap();
    assert_eq!(embeddings("new.safetensors"), old);
}

#[test]
fn an_autoencoder_that_overflows_is_an_error_and_no_black_picture() {
    let workspace = workspace_with_model();
    let file = workspace.path("model/vae/diffusion_pytorch_model.safetensors");
    let mut tensors = candle_core::safetensors::load(&file, &candle_core::Device::Cpu).unwrap();
    let bias = &tensors["decoder.conv_out.bias"];
    let infinite = (bias.to_dtype(candle_core::DType::F32).unwrap() + f64::INFINITY).unwrap();
    let infinite = infinite.to_dtype(bias.dtype()).unwrap();
    tensors.insert("decoder.conv_out.bias".to_owned(), infinite);
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
    workspace.run(&[&draw[..], &QUICK].concat()).fails_with(&["vae", "not finite"]);
    assert!(!workspace.path("a.png").exists());
}

/// Replaces text in a file of the model.
fn edit(workspace: &Workspace, file: &str, old: &str, new: &str) {
    let path = workspace.path("model").join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn a_message_has_no_backtrace() {
    let workspace = workspace_with_model();
    edit(&workspace, "vae/config.json", "\"in_channels\": 3", "\"in_channels\": 0");
    let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
    let commands: [&[&str]; 3] =
        [&["models", "inspect", "model"], &["models", "inspect", "model", "--json"], &draw];
    for args in commands {
        let mut command = workspace.command(args);
        let run = Run(command.env("RUST_BACKTRACE", "1").output().unwrap());
        let error = run.fails_with(&["vae/"]);
        let output = String::from_utf8_lossy(&run.0.stdout).into_owned() + &error;
        assert!(!output.contains("candle_core::"), "{output}");
    }
}

#[test]
fn a_model_with_which_no_default_draw_works_does_not_run() {
    const SCHEDULER: &str = "scheduler/scheduler_config.json";
    const INDEX: &str = "model_index.json";
    let inspect = ["models", "inspect", "model"];
    let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
    let draw = [&draw[..], &QUICK].concat();

    let workspace = workspace_with_model();
    edit(&workspace, SCHEDULER, "\"dpmsolver++\"", "\"sde-dpmsolver\"");
    let words = ["DPMSolverMultistepScheduler", "algorithm_type", "--scheduler"];
    workspace.run(&inspect).fails_with(&words);
    workspace.run(&draw).fails_with(&["algorithm_type"]);
    // The author may choose another scheduler.
    workspace.run(&[&draw[..], &["--scheduler", "ddim"]].concat()).exits(0);

    let changes = [
        ("\"scheduler\": \"DPMSolverMultistepScheduler\"", "\"scheduler\": \"PNDM\"", "PNDM"),
        ("\"steps\": 20", "\"steps\": 0", "_defaults.steps"),
        ("\"guidance_scale\": 5.0", "\"guidance_scale\": -1", "_defaults.guidance_scale"),
        ("\"guidance_scale\": 5.0", "\"guidance_scale\": 1e39", "_defaults.guidance_scale"),
        ("\"guidance_rescale\": 0.5", "\"guidance_rescale\": 2", "_defaults.guidance_rescale"),
        ("256", "8", "_defaults.size"),
    ];
    for (old, new, word) in changes {
        let workspace = workspace_with_model();
        edit(&workspace, INDEX, old, new);
        workspace.run(&inspect).fails_with(&[INDEX, "_defaults", word]);
        workspace.run(&draw).fails_with(&[INDEX, "_defaults", word]);
    }
}

#[test]
fn an_optional_network_that_cannot_be_loaded_stops_only_pictures_that_need_it() {
    let workspace = workspace_with_model();
    let draw = ["draw", "--prompt", "a key", "--out", "a.png", "--model", "model"];
    let draw = [&draw[..], &QUICK].concat();
    for (component, needs_it) in
        [("adapters/outline", "--inspire=outline:lines.png"), ("losses/clip", "--loss=text:a key")]
    {
        let folder = workspace.path("model").join(component);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), "{").unwrap();
        workspace.run(&["models", "inspect", "model"]).fails_with(&[component, "are drawn"]);
        workspace.run(&draw).exits(0);
        workspace.run(&["map", "--picture", "a.png", "--kind", "edges", "--out", "lines.png"]);
        workspace.run(&[&draw[..], &[needs_it]].concat()).fails_with(&[component]);
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }
}

#[test]
fn the_models_and_embeddings_in_a_folder_are_listed() {
    let workspace = workspace_with_model();
    fs::write(workspace.path("old.ckpt"), "anything").unwrap();
    // Two vectors under the token of diffusers.
    let header = r#"{"<sea>":{"dtype":"F32","shape":[2,768],"data_offsets":[0,6144]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    let embedding = [&length[..], header.as_bytes(), &[0; 6144]].concat();
    fs::write(workspace.path("sea.safetensors"), embedding).unwrap();
    let found = workspace.run(&["models", "list", ".", "--json"]).json();
    let found = found.as_array().unwrap();
    let of = |name: &str| {
        let has_name = |it: &&Value| it["path"].as_str().unwrap().ends_with(name);
        found.iter().find(has_name).unwrap()
    };
    assert_eq!(found.len(), 3);
    assert_eq!((&of("model")["runs"], &of("model")["licence"]), (&true.into(), &"mit".into()));
    let needs = &of("model")["memory"];
    let [usual, low] = ["usual", "low"].map(|of| needs[of]["weights"].as_u64().unwrap());
    assert!(usual > low && low > 1_000_000, "{needs}");
    assert_eq!(of("model")["fit"], "fits");
    assert_eq!(
        (&of("old.ckpt")["runs"], &of("old.ckpt")["kind"]),
        (&false.into(), &"pickle".into())
    );
    let run = workspace.run(&["models", "list", "."]);
    let text = String::from_utf8_lossy(&run.exits(0).0.stdout).into_owned();
    assert!(text.contains("Models:") && text.contains("pictures may be sold"), "{text}");
    assert!(text.contains("MB of memory"), "{text}");
    let embeddings = text.split_once("Embeddings:").unwrap().1;
    assert!(embeddings.contains("sea.safetensors"), "{text}");
    assert!(embeddings.contains("for Stable Diffusion 1.x"), "{text}");
    let inspected = workspace.run(&["models", "inspect", "sea.safetensors"]);
    inspected.fails_with(&["folder `embeddings`", "embedding:NAME"]);
    assert!(text.contains("Other files:") && text.contains("pickle"), "{text}");
    let missing = workspace.run(&["models", "list", "none"]);
    assert!(String::from_utf8_lossy(&missing.exits(1).0.stderr).contains("none"));
}

#[test]
fn components_and_models_that_lack_some_are_listed_with_the_options_that_join_them() {
    let workspace = workspace_with_model();
    fs::rename(workspace.path("model/vae"), workspace.path("small_vae")).unwrap();
    let tensors = ["model.diffusion_model.a", "cond_stage_model.transformer.b"];
    fs::write(workspace.path("without_vae.safetensors"), safetensors(&tensors, "")).unwrap();
    let run = workspace.run(&["models", "list", "."]);
    let text = String::from_utf8_lossy(&run.exits(0).0.stdout).into_owned();
    let (models, rest) = text.split_once("Components:").unwrap();
    assert!(models.contains("without_vae.safetensors") && models.contains("with --vae"), "{text}");
    assert!(rest.contains("small_vae") && rest.contains(": --vae PATH"), "{text}");
}

#[test]
fn a_model_that_needs_more_than_the_memory_budget_is_an_error_with_the_numbers() {
    let workspace = workspace_with_model();
    let draw = ["draw", "--prompt", "a bay", "--model", "model", "--out", "bay.png"];
    let run = workspace.run(&[&draw[..], &["--memory-budget", "0.001"]].concat());
    run.fails_with(&["drawing needs about", "of 0.0 GB are free", "memory budget"]);
    assert!(!workspace.path("bay.png").exists());
    let run = workspace.run(&[&draw[..], &["--memory-budget", "much"]].concat());
    let refused = String::from_utf8_lossy(&run.exits(2).0.stderr).into_owned();
    assert!(refused.contains("a number of gigabytes above 0"), "{refused}");
}

#[test]
fn what_a_single_file_predicts_is_remembered_by_its_contents() {
    let workspace = Workspace::new(STORY);
    let write = |name: &str, metadata: &str| {
        let tensors = ["model.diffusion_model.a", "cond_stage_model.transformer.b"];
        fs::write(workspace.path(name), safetensors(&tensors, metadata)).unwrap();
    };
    write("ink.safetensors", "");
    write("told.safetensors", r#""modelspec.prediction_type":"v""#);
    let inspect = |name: &str, more: &[&str]| {
        let run = workspace.run(&[&["models", "inspect", name], more].concat());
        String::from_utf8_lossy(&run.0.stdout).into_owned()
    };
    assert!(inspect("ink.safetensors", &[]).contains("models remember ink.safetensors"));
    let json: Value = serde_json::from_str(&inspect("ink.safetensors", &["--json"])).unwrap();
    assert_eq!(json["prediction_type"], Value::Null);
    let remember =
        |name, what| workspace.run(&["models", "remember", name, "--prediction-type", what]);
    remember("ink.safetensors", "v_prediction").exits(0);
    fs::rename(workspace.path("ink.safetensors"), workspace.path("moved.safetensors")).unwrap();
    assert!(inspect("moved.safetensors", &[]).contains("Predicts: v_prediction, as you said"));
    let json: Value = serde_json::from_str(&inspect("moved.safetensors", &["--json"])).unwrap();
    assert_eq!(json["remembered_prediction_type"], "Velocity");
    remember("moved.safetensors", "epsilon").exits(0);
    assert!(inspect("moved.safetensors", &[]).contains("Predicts: epsilon, as you said"));

    assert!(inspect("told.safetensors", &[]).contains("Predicts: v_prediction, as the file says"));
    remember("told.safetensors", "epsilon").fails_with(&["told.safetensors", "--prediction-type"]);
    fs::create_dir(workspace.path("folder")).unwrap();
    remember("folder", "epsilon").fails_with(&["folder", "only a model in a single file"]);
}

#[test]
fn models_remember_keeps_the_line_of_finetunes_of_a_file() {
    let workspace = Workspace::new("finetune");
    for (name, encoders) in [
        (
            "xl.safetensors",
            &["conditioner.embedders.0.transformer.a", "conditioner.embedders.1.model.b"][..],
        ),
        ("sd1.safetensors", &["cond_stage_model.transformer.a"]),
    ] {
        // The length is another one for each file.
        let tensors = [&["model.diffusion_model.a"], encoders].concat();
        fs::write(workspace.path(name), safetensors(&tensors, "")).unwrap();
    }
    let inspect = |name: &str, more: &[&str]| {
        let run = workspace.run(&[&["models", "inspect", name], more].concat());
        String::from_utf8_lossy(&run.0.stdout).into_owned()
    };
    let remember =
        |name, finetune| workspace.run(&["models", "remember", name, "--finetune", finetune]);
    assert!(inspect("xl.safetensors", &[]).contains("based on Illustrious or Pony Diffusion"));
    assert!(!inspect("sd1.safetensors", &[]).contains("Drawn as"));
    remember("xl.safetensors", "illustrious").exits(0);
    assert!(inspect("xl.safetensors", &[]).contains("Drawn as: Illustrious, as you said"));
    let json: Value = serde_json::from_str(&inspect("xl.safetensors", &["--json"])).unwrap();
    assert_eq!(json["remembered_finetune"], "Illustrious");
    let both = ["--finetune", "Stable Diffusion XL", "--prediction-type", "v_prediction"];
    workspace.run(&[&["models", "remember", "xl.safetensors"], &both[..]].concat()).exits(0);
    let found = inspect("xl.safetensors", &[]);
    assert!(found.contains("Drawn as: Stable Diffusion XL, as you said"), "{found}");
    assert!(found.contains("Predicts: v_prediction, as you said"), "{found}");
    remember("xl.safetensors", "Klein").fails_with(&["Klein", "Pony Diffusion"]);
    remember("sd1.safetensors", "Illustrious").fails_with(&["no lines of finetunes are known"]);
}
