//! The models tab.

use std::{fs, path::Path};

use bevy_illustrator::{
    control::Interrupt,
    panel::Tab,
    project::Action,
    recipe::{Lora, PredictionType},
    settings::SettingsFile,
};
use egui_kittest::kittest::Queryable;

use super::{
    canvas::wait_until,
    copy_folder::copy_folder,
    ldm_files::{tensors, widened, with_clip_vocabulary},
    support::*,
};

/// A safetensors file with these tensors, whose values are zeros.
fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut end = 0;
    let entries = tensors.iter().map(|(name, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * 4;
        format!(r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
    });
    let json = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(json.as_bytes());
    file.resize(file.len() + end, 0);
    file
}

/// A LoRA for a model whose prompts have this width.
fn lora(width: usize) -> Vec<u8> {
    let layer = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
    let [down, up] = ["lora_down", "lora_up"].map(|factor| format!("{layer}.{factor}.weight"));
    safetensors(&[(&down, &[2, width]), (&up, &[8, 2])])
}

/// A panel with the models in the folder, which the author adds.
fn open_with(folder: &Path) -> Panel {
    let mut fixture = Fixture::new(story());
    fixture.panel.set_shared_models(Vec::new());
    fixture.panel.set_settings(SettingsFile::in_folder(folder.join(".settings")));
    fixture.panel.tab = Tab::Models;
    let mut panel = open_in(fixture, [480.0, 1200.0]);
    panel.get_by_label("Another folder").focus();
    panel.run_steps(2);
    let typed = folder.display().to_string();
    panel.get_by_label("Another folder").type_text(&format!("{typed}/"));
    panel.run_steps(2);
    press(&mut panel, "Add");
    assert_eq!(panel.state_mut().apply_requests(), [Action::SetModelFolders(vec![typed])]);
    panel.run_steps(2);
    panel
}

#[test]
fn a_model_and_loras_in_a_folder_are_found_and_chosen_for_the_style() {
    let folder = tempfile::tempdir().unwrap();
    let sketch = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_folder(&sketch, &folder.path().join("diffusers/harbour"));
    fs::create_dir(folder.path().join("loras")).unwrap();
    fs::write(folder.path().join("loras/coat.safetensors"), lora(768)).unwrap();
    fs::write(folder.path().join("loras/xl.safetensors"), lora(2048)).unwrap();
    fs::write(folder.path().join("old.ckpt"), "anything").unwrap();
    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "1 other file");
    assert!(has(&panel, "harbour") && has(&panel, "pictures may be sold"));
    assert!(has(&panel, "For Stable Diffusion XL"));

    press(&mut panel, "Use harbour");
    press(&mut panel, "Add coat.safetensors");
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    let path = |file: &str| folder.path().join(file).display().to_string();
    assert_eq!(style.model, path("diffusers/harbour"));
    assert_eq!(style.loras, [Lora { file: path("loras/coat.safetensors"), weight: 1.0 }]);
    panel.run_steps(2);

    press(&mut panel, "Remove coat.safetensors");
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    assert_eq!(style.loras, []);
    panel.run_steps(2);

    press(&mut panel, "1 other file");
    assert!(has(&panel, "A Python pickle"));
}

#[test]
fn components_in_a_folder_are_chosen_for_the_style() {
    let folder = tempfile::tempdir().unwrap();
    let sketch = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_folder(&sketch, &folder.path().join("harbour"));
    let write = |file: &str, tensors: &[(&str, &[usize])]| {
        fs::write(folder.path().join(file), safetensors(tensors)).unwrap();
    };
    let key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight";
    write(
        "lines.safetensors",
        &[("controlnet_cond_embedding.conv_in.bias", &[4]), (key, &[8, 768])],
    );
    write("vae.safetensors", &[("encoder.conv_in.bias", &[4]), ("decoder.conv_in.bias", &[4])]);
    let embeddings =
        ["token", "position"].map(|it| format!("text_model.embeddings.{it}_embedding.weight"));
    write("clip_l.safetensors", &[(&embeddings[0], &[4, 768]), (&embeddings[1], &[4, 768])]);
    let unet =
        ["input_blocks.0.0.weight", "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"];
    let unet = unet.map(|name| format!("model.diffusion_model.{name}"));
    let label = "model.diffusion_model.label_emb.0.0.weight";
    write(
        "unet.safetensors",
        &[(&unet[0], &[4, 4, 3, 3]), (&unet[1], &[8, 2048]), (label, &[8, 4])],
    );
    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "unet.safetensors");
    let path = |file: &str| folder.path().join(file).display().to_string();
    let requested = |panel: &mut Panel| {
        press(panel, "Apply");
        let requested = panel.state_mut().apply_requests();
        let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
        let style = style.clone();
        panel.run_steps(2);
        *style
    };

    press(&mut panel, "Use harbour");
    press(&mut panel, "Use lines.safetensors as");
    press(&mut panel, "adapter for scribbles");
    press(&mut panel, "Use as VAE: vae.safetensors");
    press(&mut panel, "Use as text encoder: clip_l.safetensors");
    assert!(has(&panel, "In use as adapter for scribbles"));
    let style = requested(&mut panel);
    let scribble = ("adapters/scribble".to_owned(), path("lines.safetensors"));
    assert_eq!(style.components, [scribble].into());
    assert_eq!(style.vae, Some(path("vae.safetensors")));
    assert_eq!(style.text_encoders, [path("clip_l.safetensors")]);

    // The ControlNet is for Stable Diffusion 1, and the other model for XL, which lacks both.
    press(&mut panel, "Remove vae.safetensors");
    let lacks = "Has no text encoder and no VAE";
    assert!(has(&panel, lacks));
    press(&mut panel, "Use unet.safetensors");
    assert!(has(&panel, lacks));
    press(&mut panel, "Use as VAE: vae.safetensors");
    assert!(!has(&panel, lacks), "the style names what the model lacks");
    let style = requested(&mut panel);
    assert_eq!(style.model, path("unet.safetensors"));
    assert!(style.components.is_empty());
    press(&mut panel, "Use lines.safetensors as");
    assert!(!has(&panel, "adapter for scribbles"), "it does not fit the model");
}

#[test]
fn another_language_model_replaces_the_chosen_one() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = "tests/reference/fixtures/single_files";
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixtures);
    let files = ["klein_original.gguf", "klein_text_encoder.gguf", "qwen3.gguf"];
    for file in files {
        fs::copy(fixtures.join(file), folder.path().join(file)).unwrap();
    }
    let mut panel = open_with(folder.path());
    files.iter().for_each(|file| wait_for(&mut panel, file));
    press(&mut panel, "Use klein_original.gguf");
    press(&mut panel, "Use as text encoder: qwen3.gguf");
    press(&mut panel, "Use as text encoder: klein_text_encoder.gguf");
    press(&mut panel, "Apply");
    let requested = panel.state_mut().apply_requests();
    let [Action::SetStyle(Some(style))] = requested.as_slice() else { panic!("{requested:?}") };
    let chosen = folder.path().join("klein_text_encoder.gguf").display().to_string();
    assert_eq!(style.text_encoders, [chosen]);
}

#[test]
fn a_folder_that_is_missing_is_told_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("gone");
    let mut panel = open_with(&missing);
    assert!(has(&panel, "this folder does not exist"));
    press(&mut panel, &format!("Remove {}", missing.display()));
    assert_eq!(panel.state_mut().apply_requests(), [Action::SetModelFolders(Vec::new())]);
}

#[test]
fn the_author_is_asked_once_what_a_single_file_predicts_and_may_change_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ink.safetensors");
    let tensors = with_clip_vocabulary(widened(tensors("sd1")));
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let remembered = || {
        let settings = SettingsFile::in_folder(folder.path().join(".settings"));
        settings.told(&file, &Interrupt::default()).unwrap().prediction_type
    };
    let question = "This file does not say what it predicts";
    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "ink.safetensors");
    assert!(!has(&panel, question), "only a chosen model needs an answer");
    press(&mut panel, "Use ink.safetensors");
    assert!(has(&panel, question) && has(&panel, "noise or washed out"));
    press(&mut panel, "ink.safetensors: It predicts the velocity");
    wait_for(&mut panel, "Predicts the velocity, as you said");
    assert_eq!(remembered(), Some(PredictionType::Velocity));
    assert!(!has(&panel, question));

    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "Predicts the velocity, as you said");
    press(&mut panel, "Use ink.safetensors");
    assert!(!has(&panel, question));
    press(&mut panel, "ink.safetensors: It predicts the noise");
    wait_for(&mut panel, "Predicts the noise, as you said");
    assert_eq!(remembered(), Some(PredictionType::Epsilon));
}

#[test]
fn the_author_is_asked_once_which_finetune_a_file_is_based_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ink.safetensors");
    // The autoencoder of the fixture is too narrow for a single file.
    let mut tensors = tensors("sdxl");
    tensors.retain(|name, _| name.starts_with("model.diffusion_model."));
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let question = "This file does not say what it is based on";
    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "ink.safetensors");
    assert!(!has(&panel, question), "only a chosen model needs an answer");
    press(&mut panel, "Use ink.safetensors");
    assert!(has(&panel, question));
    press(&mut panel, "ink.safetensors is based on Illustrious");
    wait_for(&mut panel, "Drawn as Illustrious, as you said");
    assert!(!has(&panel, question) && has(&panel, "lists of tags"));
    let settings = SettingsFile::in_folder(folder.path().join(".settings"));
    let told = || settings.told(&file, &Interrupt::default()).unwrap().finetune;
    assert_eq!(told().as_deref(), Some("Illustrious"));

    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "Drawn as Illustrious, as you said");
    press(&mut panel, "ink.safetensors is based on Stable Diffusion XL");
    wait_for(&mut panel, "Drawn as Stable Diffusion XL, as you said");
    assert_eq!(told().as_deref(), Some("Stable Diffusion XL"));
}

#[test]
fn the_memory_of_models_is_limited_for_all_stories_on_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let sketch = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch");
    copy_folder(&sketch, &folder.path().join("harbour"));
    let settings = SettingsFile::in_folder(folder.path().join(".settings"));
    let budget = || settings.read().unwrap().memory_budget;
    settings.change(|settings| settings.memory_budget = Some(1_000_000)).unwrap();
    let mut panel = open_with(folder.path());
    wait_for(&mut panel, "Use harbour");
    assert!(has(&panel, "of memory, but models may use 1 MB"));
    assert_eq!(budget(), Some(1_000_000), "it is only shown");

    press(&mut panel, "Models use at most");
    wait_until(&mut panel, |_| budget().is_none());
    panel.run_steps(2);
    assert!(!has(&panel, "but models may use"));
    press(&mut panel, "Models use at most");
    wait_until(&mut panel, |_| budget().is_some());
}
