//! Whole models in a single file.

use std::path::Path;

use bevy_illustrator::{
    diffusion::{DeviceKind, LoadOptions},
    generator::{GeneratorRegistry, Inputs, LocalModels},
    model::{inspect::inspect, ldm::Checkpoint, package::config_file},
    recipe::{PredictionType, Recipe, Sampler, Size},
    settings::SettingsFile,
};
use serde_json::{Value, json};

use super::{
    ldm_files::{Tensors, listed, tensors, widened, with_clip_vocabulary},
    *,
};

/// As [`tensors`], with the UNet for inpainting.
fn inpainting_tensors(name: &str) -> Tensors {
    let mut tensors = tensors(name);
    let conv_in = Record::of(&format!("{name}_inpainting")).get("conv_in.weight").clone();
    tensors.insert("model.diffusion_model.input_blocks.0.0.weight".to_owned(), conv_in);
    tensors
}

/// Writes the tensors to a file.
pub(super) fn file(folder: &Path, tensors: &Tensors) -> PathBuf {
    let file = folder.join("ink_v2.safetensors");
    candle_core::safetensors::save(tensors, &file).unwrap();
    file
}

/// Checks that the tensors of a component are those of the fixture, bit for bit.
fn compare_tensors(checkpoint: &Checkpoint, name: &str, component: &str) {
    let folder = fixtures().join(name).join(component);
    let stem = if component.starts_with("text") { "model" } else { "diffusion_pytorch_model" };
    let file = folder.join(format!("{stem}.safetensors"));
    let found = checkpoint.tensors(component).unwrap();
    for (name, expected) in candle_core::safetensors::load(file, &Device::Cpu).unwrap() {
        // transformers 5 leaves out this prefix.
        let is_embedded = component.starts_with("text") && !name.starts_with("text_");
        let name = if is_embedded { format!("text_model.{name}") } else { name };
        assert_eq!(found.shape(&name).unwrap(), expected.dims(), "{name}");
        let found = found.get(&name, DType::F32, &Device::Cpu).unwrap();
        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values(&found), values(&expected), "{name}");
    }
}

/// Compares the fields of a configuration with those of the fixture.
fn compare_config(checkpoint: &Checkpoint, name: &str, component: &str, fields: &[&str]) {
    let (found, expected) =
        (checkpoint.config(component).unwrap(), model(name).config(component).unwrap());
    for field in fields {
        assert_eq!(
            each(&found[field], &found),
            each(&expected[field], &expected),
            "{component}: {field}"
        );
    }
}

/// A value for all levels as a list.
fn each(value: &Value, config: &Value) -> Value {
    let levels = config["block_out_channels"].as_array().map_or(1, Vec::len);
    match value {
        Value::Number(_) if levels > 1 => json!(vec![value; levels]),
        other => other.clone(),
    }
}

const UNET: [&str; 9] = [
    "in_channels",
    "out_channels",
    "block_out_channels",
    "down_block_types",
    "up_block_types",
    "mid_block_type",
    "layers_per_block",
    "cross_attention_dim",
    "use_linear_projection",
];
const VAE: [&str; 7] = [
    "latent_channels",
    "block_out_channels",
    "down_block_types",
    "up_block_types",
    "layers_per_block",
    "use_quant_conv",
    "use_post_quant_conv",
];
const TEXT: [&str; 6] = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "max_position_embeddings",
    "hidden_act",
];

#[test]
fn a_single_file_has_the_tensors_and_sizes_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sd1", "sd2", "sdxl"] {
        let mut tensors = tensors(name);
        // Stray tensors of training.
        tensors.insert("model_ema.decay".to_owned(), Tensor::new(1_f32, &Device::Cpu).unwrap());
        if name == "sd2" {
            // The last layer has no effect, and is not in the folder.
            let last = tensors.iter().filter(|(name, _)| name.contains("resblocks.1."));
            let last =
                last.map(|(name, x)| (name.replace("resblocks.1.", "resblocks.2."), x.clone()));
            let last: Vec<_> = last.collect();
            tensors.extend(last);
        }
        let checkpoint = Checkpoint::open(file(folder.path(), &tensors)).unwrap();
        for component in ["unet", "vae", "text_encoder"] {
            compare_tensors(&checkpoint, name, component);
        }
        compare_config(&checkpoint, name, "unet", &UNET);
        compare_config(&checkpoint, name, "vae", &VAE);
        compare_config(&checkpoint, name, "text_encoder", &TEXT);
        assert_eq!(checkpoint.has(&config_file("text_encoder_2")), name == "sdxl");
        if name == "sdxl" {
            compare_tensors(&checkpoint, name, "text_encoder_2");
            let fields = ["transformer_layers_per_block", "addition_embed_type"];
            let sizes = ["addition_time_embed_dim", "projection_class_embeddings_input_dim"];
            compare_config(&checkpoint, name, "unet", &fields[1..]);
            let found = checkpoint.config("unet").unwrap();
            let expected = model(name).config("unet").unwrap();
            for field in sizes {
                assert_eq!(found[field], expected[field]);
            }
            // The depth of a level without attention has no effect.
            assert_eq!(found[fields[0]], json!([0, 2, 3]));
            compare_config(&checkpoint, name, "text_encoder_2", &["projection_dim"]);
        }
    }
}

/// One has the depths of SSD-1B and Segmind-Vega, which differ between layers, and a middle block without attention. The other
/// has no middle block, as the smallest KOALA.
#[test]
fn a_pruned_model_in_a_single_file_predicts_as_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sdxl_pruned", "sdxl_no_middle"] {
        let mut whole = tensors("sdxl");
        whole.retain(|name, _| !name.starts_with("model.diffusion_model."));
        whole.extend(listed(name));
        let checkpoint = Checkpoint::open(file(folder.path(), &whole)).unwrap();
        compare_tensors(&checkpoint, name, "unet");
        compare_config(&checkpoint, name, "unet", &UNET);
        // Published models have other groups and heads, which no tensor tells.
        let mut config = checkpoint.config("unet").unwrap();
        let expected = model(name).config("unet").unwrap();
        for field in ["norm_num_groups", "attention_head_dim"] {
            config[field] = expected[field].clone();
        }
        let unet = folder.path().join(name).join("unet");
        copy_folder::copy_folder(&fixtures().join(name), &folder.path().join(name));
        std::fs::write(unet.join("config.json"), config.to_string()).unwrap();
        let package = FolderPackage::open(folder.path().join(name)).unwrap();
        let unet = UNet2DConditionModel::load(&package, "unet", &Device::Cpu).unwrap();
        for size in ["even", "odd"] {
            compare_unet(&unet, &Record::of(&format!("{name}_unet_{size}")));
        }
    }
}

#[test]
fn depths_that_no_configuration_can_state_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = tensors("sdxl");
    // The last level and the middle block have three layers.
    whole.retain(|name, _| !name.contains("middle_block.1.transformer_blocks.2."));
    let error = Checkpoint::open(file(folder.path(), &whole)).unwrap_err().to_string();
    assert!(error.contains("mid_block") && error.contains("3 transformer layers"), "{error}");
}

/// The numbers are those of the published configurations.
#[test]
fn what_no_tensor_tells_is_that_of_the_published_models() {
    let folder = tempfile::tempdir().unwrap();
    for (name, pipeline, scheduler, scale, prediction, size) in [
        ("sd1", "StableDiffusionPipeline", "DPMSolverMultistepScheduler", 0.18215, "epsilon", 64),
        (
            "sd2",
            "StableDiffusionPipeline",
            "DPMSolverMultistepScheduler",
            0.18215,
            "v_prediction",
            96,
        ),
        ("sdxl", "StableDiffusionXLPipeline", "EulerDiscreteScheduler", 0.13025, "epsilon", 128),
    ] {
        let checkpoint = Checkpoint::open(file(folder.path(), &tensors(name))).unwrap();
        let index = checkpoint.index().unwrap();
        assert_eq!(index["_class_name"], pipeline);
        assert_eq!(index["scheduler"], json!(["diffusers", scheduler]));
        let config = |part| checkpoint.config(part).unwrap();
        assert_eq!(config("vae")["scaling_factor"], scale);
        assert_eq!(config("scheduler")["prediction_type"], prediction);
        assert_eq!(config("unet")["sample_size"], size);
        assert_eq!(checkpoint.name(), "ink_v2");
    }
    let mut tensors = tensors("sdxl");
    for key in ["v_pred", "ztsnr"] {
        tensors.insert(key.to_owned(), Tensor::new(&[0_f32], &Device::Cpu).unwrap());
    }
    let checkpoint = Checkpoint::open(file(folder.path(), &tensors)).unwrap();
    let scheduler = checkpoint.config("scheduler").unwrap();
    assert_eq!(scheduler["prediction_type"], "v_prediction");
    assert_eq!(scheduler["rescale_betas_zero_snr"], true);
}

/// The keys are those of the metadata standard of Stability AI, which sd-scripts writes, and of `ComfyUI`.
#[test]
fn a_single_file_may_tell_what_it_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.safetensors");
    for (name, key, value, expected) in [
        ("sd1", "modelspec.prediction_type", "v", Some(PredictionType::Velocity)),
        ("sd2", "modelspec.prediction_type", "epsilon", Some(PredictionType::Epsilon)),
        ("sd1", "modelspec.predict_key", "v", Some(PredictionType::Velocity)),
        ("sd1", "modelspec.prediction_type", "something", None),
        ("sd1", "modelspec.title", "v", None),
    ] {
        let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
        safetensors::serialize_to_file(&tensors(name), Some(metadata), &path).unwrap();
        let found = inspect(&path).unwrap();
        assert_eq!(found.prediction_type, expected, "{name}: {key}={value}");
        assert_eq!(found.lacks_prediction_type(), expected.is_none());
        let scheduler = Checkpoint::open(&path).unwrap().config("scheduler").unwrap();
        let usual = PredictionType::Epsilon;
        assert_eq!(scheduler["prediction_type"], expected.unwrap_or(usual).name(), "{name}: {key}");
    }
    let mut marked = tensors("sdxl");
    marked.insert("v_pred".to_owned(), Tensor::zeros(0, DType::F32, &Device::Cpu).unwrap());
    let found = inspect(&file(folder.path(), &marked)).unwrap();
    assert_eq!(found.prediction_type, Some(PredictionType::Velocity));
}

#[test]
fn a_model_is_drawn_as_the_author_told_unless_the_recipe_says_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &with_clip_vocabulary(widened(tensors("sd1"))));
    let settings = SettingsFile::in_folder(folder.path().join("settings"));
    let mut registry = GeneratorRegistry::default();
    let options = LoadOptions::new(DeviceKind::Cpu);
    registry.register_loader(LocalModels::new(options).with_settings(settings.clone()));
    let none = Interrupt::default();
    let recipe = |prediction_type| Recipe {
        sampler: Sampler { prediction_type, steps: Some(2), ..Sampler::default() },
        ..Recipe::new("a lighthouse", Size::new(32, 32), path.display().to_string())
    };
    let drawn = |prediction_type| {
        let recipe = recipe(prediction_type);
        let mut generator = registry.load_for(&recipe, &none).unwrap();
        let image = generator.generate(&recipe, &Inputs::default(), &none).unwrap().image;
        let card = generator.card();
        (image, card.hash.clone(), recipe.sampler.resolve(&card.defaults).prediction_type)
    };
    let [epsilon, velocity] = [PredictionType::Epsilon, PredictionType::Velocity].map(Some);
    let [plain, as_epsilon, as_velocity] = [None, epsilon, velocity].map(drawn);
    assert!(plain.0 == as_epsilon.0 && plain.0 != as_velocity.0);
    assert_eq!((&plain.1, plain.2), (&as_velocity.1, None));

    let remember = |it| settings.remember_prediction_type(&path, it, &none).unwrap();
    remember(PredictionType::Velocity);
    let told = drawn(None);
    assert!(told.0 == as_velocity.0, "the loaded model follows the answer");
    assert_ne!(told.1, plain.1, "the same recipe draws another picture");
    assert_eq!(told.2, velocity);
    assert!(drawn(epsilon) == as_epsilon, "the recipe wins");
    remember(PredictionType::Epsilon);
    assert!(drawn(None) == plain, "the model's own type needs no answer");
}

#[test]
fn a_model_has_the_defaults_of_the_finetune_that_the_author_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &with_clip_vocabulary(widened(tensors("sd1"))));
    let settings = SettingsFile::in_folder(folder.path().join("settings"));
    let mut registry = GeneratorRegistry::default();
    let options = LoadOptions::new(DeviceKind::Cpu);
    registry.register_loader(LocalModels::new(options).with_settings(settings.clone()));
    let none = Interrupt::default();
    let model = path.display().to_string();
    let drawn = |sampler: Sampler| {
        let recipe =
            Recipe { sampler, ..Recipe::new("a lighthouse", Size::new(32, 32), model.clone()) };
        let mut generator = registry.load_for(&recipe, &none).unwrap();
        let image = generator.generate(&recipe, &Inputs::default(), &none).unwrap().image;
        (image, generator.card().hash.clone())
    };
    let of_finetune = Sampler {
        scheduler: Some("EulerAncestralDiscreteScheduler".to_owned()),
        steps: Some(28),
        guidance_scale: Some(6.0),
        ..Sampler::default()
    };
    let plain = drawn(Sampler::default());
    let expected = drawn(of_finetune.clone());
    assert!(plain.0 != expected.0 && plain.1 == expected.1);
    let before = registry.defaults(&model);

    settings.remember_finetune(&path, "Illustrious", &none).unwrap();
    let told = drawn(Sampler::default());
    assert!(told.0 == expected.0, "the loaded model follows the answer");
    assert_ne!(told.1, plain.1, "the same recipe draws another picture");
    assert!(drawn(of_finetune) == expected, "the recipe leaves nothing to the model");
    let defaults = registry.defaults(&model);
    let defaults = defaults.map(|it| (it.steps, it.guidance_scale));
    assert_eq!(defaults, Some((28, 6.0)));
    settings.remember_finetune(&path, "Stable Diffusion 1.x", &none).unwrap();
    assert!(drawn(Sampler::default()) == plain);
    assert_eq!(registry.defaults(&model), before);
}

/// The numbers are those of `sd-v1-5-inpainting`, `512-inpainting-ema` and `sd_xl_base_1.0_inpainting_0.1`.
#[test]
fn a_single_file_may_be_a_model_for_inpainting() {
    let folder = tempfile::tempdir().unwrap();
    for (name, pipeline, size) in [
        ("sd1", "StableDiffusionInpaintPipeline", 64),
        ("sd2", "StableDiffusionInpaintPipeline", 64),
        ("sdxl", "StableDiffusionXLInpaintPipeline", 128),
    ] {
        let tensors = inpainting_tensors(name);
        let checkpoint = Checkpoint::open(file(folder.path(), &tensors)).unwrap();
        assert_eq!(checkpoint.index().unwrap()["_class_name"], pipeline);
        let config = checkpoint.config("unet").unwrap();
        assert_eq!([&config["in_channels"], &config["out_channels"]], [9, 4]);
        assert_eq!(config["sample_size"], size);
        assert_eq!(checkpoint.config("scheduler").unwrap()["prediction_type"], "epsilon");
        let unet = checkpoint.tensors("unet").unwrap();
        assert_eq!(unet.shape("conv_in.weight").unwrap(), [8, 9, 3, 3]);
    }
}

#[test]
fn the_tokenizer_is_that_of_clip() {
    #[derive(Deserialize)]
    struct Prompt {
        text: String,
        ids: Vec<u32>,
    }
    let folder = tempfile::tempdir().unwrap();
    let tensors = with_clip_vocabulary(tensors("sd1"));
    let checkpoint = Checkpoint::open(file(folder.path(), &tensors)).unwrap();
    let tokenizer = ClipTokenizer::load(&checkpoint).unwrap();
    let prompts = std::fs::read(fixtures().join("networks/clip_tokens.json")).unwrap();
    let prompts: Vec<Prompt> = serde_json::from_slice(&prompts).unwrap();
    assert!(prompts.len() > 4);
    for Prompt { text, mut ids } in prompts {
        ids.resize(77, 49407);
        ids[76] = 49407;
        assert_eq!(tokenizer.ids(&text).unwrap(), ids, "{text}");
    }
}

#[test]
fn a_file_that_is_no_whole_model_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error =
        |tensors: &Tensors| Checkpoint::open(file(folder.path(), tensors)).unwrap_err().to_string();
    let whole = tensors("sd1");
    let without = |prefix: &str| -> Tensors {
        let kept = whole.iter().filter(|(name, _)| !name.starts_with(prefix));
        kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
    };
    let found = error(&without("first_stage_model.decoder."));
    assert!(found.contains("`first_stage_model.decoder.conv_in.weight` is missing"), "{found}");
    let found = error(&without("model.diffusion_model.input_blocks.0."));
    assert!(
        found.contains("`model.diffusion_model.input_blocks.0.0.weight` is missing"),
        "{found}"
    );
    let lora = Tensors::from([(
        "lora_unet_a.lora_up.weight".to_owned(),
        whole.values().next().unwrap().clone(),
    )]);
    let found = error(&lora);
    assert!(found.contains("a low-rank adapter (LoRA)"), "{found}");
}
