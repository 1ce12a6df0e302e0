//! `illustrate draw`.

use super::*;
use bevy_illustrator::{art::picture_file, recipe::Lora};
use candle_core::{DType, Device, Tensor, safetensors};

#[test]
fn draw_starts_from_given_noise_and_dumps_every_step() {
    let workspace = Workspace::new(STORY);
    let noise = Tensor::randn(0_f32, 1_f32, (1, 32, 4, 4), &Device::Cpu).unwrap();
    noise.save_safetensors("latents", workspace.path("noise.safetensors")).unwrap();
    let common = ["draw", "--prompt", "a lighthouse", "--negative", "fog", "--steps", "3"];
    let with = |more: &[&str]| {
        let args = [&common[..], &["--size", "64x64"], more].concat();
        workspace.run(&args).exits(0).error()
    };
    with(&["--out", "a.png", "--noise", "noise.safetensors", "--dump", "a.safetensors"]);
    with(&["--out", "b.png", "--noise", "noise.safetensors"]);
    with(&["--out", "c.png", "--seed", "3"]);

    let dump = safetensors::load(workspace.path("a.safetensors"), &Device::Cpu).unwrap();
    let mut names: Vec<&str> = dump.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "image",
            "latents_0",
            "latents_1",
            "latents_2",
            "latents_3",
            "negative_prompt_embeds",
            "prompt_embeds",
            "timesteps"
        ]
    );
    assert!(dump.values().all(|tensor| tensor.dtype() == DType::F32));
    assert_eq!(dump["latents_3"].dims(), [1, 32, 4, 4]);
    assert_eq!(dump["image"].dims(), [1, 3, 64, 64]);
    assert_eq!(dump["timesteps"].dims(), [3]);
    let start = (&dump["latents_0"] / &noise).unwrap().flatten_all().unwrap();
    let start = start.to_vec1::<f32>().unwrap();
    assert!(
        start.iter().all(|scale| (scale - start[0]).abs() < 1e-5),
        "the first latents are the scaled noise"
    );
    let embeds = dump["prompt_embeds"].dims();
    assert_eq!((embeds.len(), embeds[0]), (3, 1));
    assert_eq!(dump["negative_prompt_embeds"].dims(), embeds);

    let pixels = |name: &str| image::open(workspace.path(name)).unwrap().into_rgb8();
    assert_eq!(pixels("a.png"), pixels("b.png"), "the same noise draws the same picture");
    assert_ne!(pixels("a.png"), pixels("c.png"));
    let values = dump["image"].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (at, pixel) in pixels("a.png").pixels().enumerate().step_by(97) {
        for (channel, &found) in pixel.0.iter().enumerate() {
            let expected = (values[channel * 64 * 64 + at] * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0;
            assert!((expected - f32::from(found)).abs() <= 1.0, "pixel {at}: {expected}, {found}");
        }
    }
}

#[test]
fn a_drawn_picture_contains_its_provenance() {
    let workspace = Workspace::new(STORY);
    let args = ["draw", "--prompt", "a brass key", "--seed", "9", "--out", "a.png", "--json"];
    let json = workspace.run(&[&args[..], &QUICK[..]].concat()).json();
    assert_eq!(json["provenance"]["recipe"]["seed"], 9);
    let png = fs::read(workspace.path("a.png")).unwrap();
    let inside = |text: &str| png.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(inside("a brass key") && inside("Seed: 9"));
    assert!(inside(json["provenance"]["model"]["hash"].as_str().unwrap()));
}

#[test]
fn noise_of_wrong_shape_or_name_is_refused() {
    let workspace = Workspace::new(STORY);
    let draw = |noise: &str| {
        let args = ["draw", "--prompt", "a key", "--out", "a.png", "--noise", noise];
        workspace.run(&[&args[..], &QUICK[..]].concat())
    };
    let save = |name: &str, dims: &[usize]| {
        let noise = Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap();
        noise.save_safetensors(name, workspace.path("noise.safetensors")).unwrap();
    };
    draw("gone.safetensors").fails_with(&["gone.safetensors"]);
    save("noise", &[1, 32, 4, 4]);
    draw("noise.safetensors").fails_with(&["noise.safetensors", "`latents`"]);
    save("latents", &[32, 4, 4]);
    draw("noise.safetensors").fails_with(&["(1, channels, height, width)"]);
    save("latents", &[1, 32, 4, 5]);
    draw("noise.safetensors").fails_with(&["4, 5"]);
    fs::write(workspace.path("noise.safetensors"), "no tensors").unwrap();
    draw("noise.safetensors").fails_with(&["noise.safetensors", "safetensors file"]);
    assert!(!workspace.path("a.png").exists());
}

#[test]
fn a_random_seed_is_printed_and_draws_the_same_picture_again() {
    let workspace = Workspace::new(STORY);
    let draw = |seed: &str, out: &str| {
        let args = ["draw", "--prompt", "a key", "--seed", seed, "--out", out];
        workspace.run(&[&args[..], &QUICK].concat()).exits(0).error()
    };
    let printed = draw("-1", "a.png");
    let seed = printed.lines().find_map(|line| line.strip_prefix("The seed is ")).unwrap();
    assert_eq!(draw(seed, "b.png"), "");
    assert_ne!(draw("-1", "c.png"), printed);
    let read = |name: &str| image::open(workspace.path(name)).unwrap().into_rgb8();
    assert_eq!(read("a.png"), read("b.png"));
    assert_ne!(read("a.png"), read("c.png"));
    workspace.run(&["draw", "--prompt", "a key", "--seed", "-2", "--out", "a.png"]).exits(2);
}

#[test]
fn a_lora_a_vae_and_choices_are_in_the_recipe_of_a_picture() {
    let workspace = Workspace::new(STORY);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/fixtures");
    let model = fixtures.join("sd1").display().to_string();
    let lora = fixtures.join("loras/sd1_kohya.safetensors").display().to_string();
    let draw = |prompt: &str, seed: &str, out: &str, lora: Option<&str>| {
        let mut args = vec!["draw", "--prompt", prompt, "--seed", seed, "--out", out];
        args.extend(["--model", &model, "--steps", "1", "--size", "32x32"]);
        args.extend(lora.iter().flat_map(|lora| ["--lora", lora]));
        workspace.run(&args).exits(0);
        let file = workspace.path(out);
        let recipe = picture_file::provenance(&file).unwrap().recipe;
        (image::open(file).unwrap().to_rgba8(), recipe)
    };
    let (plain, _) = draw("fog", "1", "a.png", None);
    let weighted = format!("{lora}:0.5");
    let (changed, recipe) = draw("fog", "1", "b.png", Some(&weighted));
    assert!(plain != changed);
    assert_eq!(recipe.loras, [Lora { file: lora, weight: 0.5 }]);
    let replay = ["replay", "--picture", "b.png", "--out", "c.png"];
    workspace.run(&replay).exits(0);

    let choice = "{fog|a red cliff|the night}";
    let of_options =
        ["fog", "a red cliff", "the night"].map(|option| draw(option, "1", "d.png", None).0);
    let (chosen, recipe) = draw(choice, "1", "e.png", None);
    assert!(of_options.contains(&chosen), "one of the options is drawn");
    assert_eq!(recipe.prompt, choice);

    let vae = fixtures.join("tiny_vae/vae").display().to_string();
    let args = ["draw", "--prompt", "fog", "--out", "v.png", "--vae", &vae];
    let model = ["--model", &model, "--steps", "1", "--size", "32x32"];
    workspace.run(&[&args[..], &model].concat()).exits(0);
    let recipe = picture_file::provenance(&workspace.path("v.png")).unwrap().recipe;
    assert_eq!(recipe.vae, Some(vae));

    let args = ["draw", "--prompt", "a", "--out", "f.png", "--lora"];
    workspace.run(&[&args[..], &["a.safetensors:99"]].concat()).exits(2);
    let error = workspace.run(&[&args[..], &["no.safetensors"]].concat()).exits(1).error();
    assert!(error.contains("no.safetensors"), "{error}");
}

#[test]
fn notations_of_other_programs_are_named() {
    let workspace = Workspace::new(STORY);
    let draw = |prompt: &str| {
        let args = ["draw", "--prompt", prompt, "--out", "a.png"];
        workspace.run(&[&args[..], &QUICK].concat()).exits(0).error()
    };
    let error = draw("a (red:13) key, <lora:ink:x>");
    for words in ["`(red:13)`", "the name of a LoRA", "`<lora:ink:x>`"] {
        assert!(error.contains(words), "{words} in {error}");
    }
    assert_eq!(draw("a [key] (brass:1.2), {old|new} # or not"), "");
    workspace.write_story(&STORY.replace("a brass key", "a (brass:12) key"));
    let error = workspace.run(&["plan", "two.story.ron"]).exits(0).error();
    assert!(error.contains("item `key`") && error.contains("`(brass:12)`"), "{error}");
}

#[test]
fn files_of_editors_that_write_a_byte_order_mark_are_read() {
    let workspace = Workspace::new(STORY);
    workspace.write_story(&format!("\u{feff}{STORY}"));
    workspace.run(&["plan", "two.story.ron"]).exits(0);
    workspace.render(&["--shot", "item-key"]).exits(0);
    let ledger = workspace.path("illustrations/two/ledger.ron");
    let text = fs::read_to_string(&ledger).unwrap_or_else(|_| "()".to_owned());
    fs::write(&ledger, format!("\u{feff}{text}")).unwrap();
    assert_eq!(workspace.states()["item-key"], "drafted");
    image::RgbImage::new(64, 64).save(workspace.path("a.png")).unwrap();
    image::GrayImage::from_pixel(64, 64, image::Luma([255])).save(workspace.path("m.png")).unwrap();
    let edit = "\u{feff}(parts: [(mask: \"m.png\", edit: Refine)])";
    fs::write(workspace.path("edit.ron"), edit).unwrap();
    let args =
        ["edit", "--picture", "a.png", "--edit", "edit.ron", "--steps", "1", "--out", "b.png"];
    workspace.run(&args).exits(0);
}

#[test]
fn strict_losses_are_recorded_steer_differently_and_are_replayed() {
    let workspace = Workspace::new(STORY);
    let draw = |out: &str, more: &[&str]| {
        let args =
            ["draw", "--prompt", "a lighthouse", "--steps", "3", "--size", "64x64", "--json"];
        workspace.run(&[&args[..], &["--out", out], more].concat())
    };
    let palette = ["--loss", "palette:#203060,#e0b040"];
    let plain = draw("plain.png", &palette).json();
    let strict = draw("strict.png", &[&palette[..], &["--strict"]].concat()).json();
    let recorded = |json: &Value| json["provenance"]["recipe"]["losses"][0]["strict"].clone();
    assert_eq!((recorded(&plain), recorded(&strict)), (Value::Null, Value::Bool(true)));
    let pixels = |name: &str| image::open(workspace.path(name)).unwrap().into_rgb8();
    assert_ne!(pixels("plain.png"), pixels("strict.png"));
    let replay = ["replay", "--picture", "strict.png", "--out", "again.png", "--json"];
    assert_eq!(workspace.run(&replay).json()["differing"], 0);
    draw("none.png", &["--strict"]).exits(2);
}

#[test]
fn the_best_of_several_takes_is_written_and_replayed() {
    let workspace = Workspace::new(STORY);
    let draw = |more: &[&str]| {
        let args = ["draw", "--prompt", "a lighthouse", "--steps", "2", "--size", "64x64"];
        workspace.run(&[&args[..], more].concat())
    };
    let palette = ["--loss", "palette:#203060,#e0b040", "--seed", "5"];
    let best_of = ["--best-of", "4", "--out", "best.png", "--dump", "best.safetensors", "--json"];
    let json = draw(&[&palette[..], &best_of[..]].concat()).json();
    let takes = json["takes"].as_array().unwrap();
    let seeds: Vec<_> = takes.iter().map(|take| take["seed"].as_u64().unwrap()).collect();
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [5, 6, 7, 8]);
    let value = |take: &Value| take["losses"][0]["value"].as_f64().unwrap();
    assert!(takes.windows(2).all(|pair| value(&pair[0]) <= value(&pair[1])), "{takes:?}");
    assert_eq!(json["provenance"]["losses"][0]["value"], takes[0]["losses"][0]["value"]);

    let dump = safetensors::load(workspace.path("best.safetensors"), &Device::Cpu).unwrap();
    let dumped = dump["final_loss_all_0_Palette"].to_vec1::<f32>().unwrap();
    assert!((f64::from(dumped[0]) - value(&takes[0])).abs() < 1e-6);
    assert!(!dump.contains_key("loss_all_0_Palette"), "the loss did not steer");

    // Without the loss, the seed draws the same picture.
    draw(&["--seed", &seeds[0].to_string(), "--out", "plain.png"]).exits(0);
    let pixels = |name: &str| image::open(workspace.path(name)).unwrap().into_rgb8();
    assert_eq!(pixels("best.png"), pixels("plain.png"));
    let replay = ["replay", "--picture", "best.png", "--out", "again.png", "--json"];
    assert_eq!(workspace.run(&replay).json()["differing"], 0);

    let run = draw(&["--best-of", "2", "--out", "words.png"]);
    let text = String::from_utf8_lossy(&run.exits(0).0.stdout).into_owned();
    for words in ["score -1.00 (Text ", "score +1.00 (Text ", "seed 0", "seed 1"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    draw(&["--best-of", "2", "--noise", "a.safetensors", "--out", "a.png"]).exits(2);
    draw(&["--best-of", "0", "--out", "a.png"]).exits(2);
}

#[test]
fn latents_are_optimized_without_a_diffusion_network_and_the_picture_is_replayed() {
    let workspace = Workspace::new(STORY);
    let args = ["draw", "--generator", "latents", "--prompt", "a lighthouse", "--out", "a.png"];
    let with = |more: &[&str]| workspace.run(&[&args[..], &QUICK[..], more].concat());
    let json = with(&["--scheduler", "LBFGS", "--json"]).json();
    let provenance = &json["provenance"];
    assert_eq!(provenance["recipe"]["model"], "latents");
    assert_eq!(provenance["model"]["name"], "latents");
    assert_eq!(provenance["sampler"]["scheduler"], "LBFGS");
    assert_eq!(provenance["losses"][0]["kind"], "Text");
    let replayed = workspace.run(&["replay", "--picture", "a.png", "--out", "b.png", "--json"]);
    assert_eq!(replayed.json()["differing"], 0);

    with(&["--scheduler", "ddim"]).fails_with(&["DDIMScheduler", "SGD, Adam, LBFGS"]);
    let dumped = with(&["--dump", "a.safetensors"]);
    assert!(dumped.exits(2).error().contains("leave out --dump"));
    let edit = ["edit", "--picture", "a.png", "--edit", "edit.ron", "--out", "b.png"];
    workspace
        .run(&[&edit[..], &["--generator", "latents"]].concat())
        .fails_with(&["`latents` draws whole pictures only", "`sketch`"]);
}
