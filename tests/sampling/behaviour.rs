//! The behaviour of generators, without comparisons to diffusers.

use bevy_illustrator::model::EmbeddedPackage;
use bevy_illustrator::{
    control::{Interrupt, OnStep, Step},
    diffusion::{DeviceKind, DiffusionError, DrawError, DrawRequest, Model, Noise},
    edit::EditError,
    generator::{GenerateError, Generator, GeneratorRegistry, Inputs},
    mask::Mask,
    recipe::{
        EditKind, Images, Lora, Part, PartEdit, PartRecipe, PictureEdit, PredictionType, Recipe,
        ResolvedSampler, Sampler, SigmaSpacing, Size, picture_hash,
    },
};
use std::{collections::BTreeMap, path::Path, sync::Mutex};

use image::{Rgba, RgbaImage, imageops};

use super::{copy_folder::copy_folder, fixture};

pub(super) fn recipe(steps: u32) -> Recipe {
    Recipe {
        prompt: "a sailing ship by the sea at sunset".to_owned(),
        negative_prompt: "in the rain".to_owned(),
        size: Size::new(64, 64),
        seed: 7,
        take: 0,
        sampler: Sampler { steps: Some(steps), ..Sampler::default() },
        model: "sketch".to_owned(),
        vae: None,
        text_encoders: Vec::new(),
        loras: Vec::new(),
        components: BTreeMap::new(),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        edit: None,
    }
}

fn sketch() -> Box<dyn Generator> {
    GeneratorRegistry::built_in(DeviceKind::Cpu).load("sketch", &Interrupt::default()).unwrap()
}

fn draw(generator: &mut dyn Generator, recipe: &Recipe) -> RgbaImage {
    generator.generate(recipe, &Inputs::default(), &Interrupt::default()).unwrap().image
}

#[test]
fn a_recipe_always_draws_the_same_picture_and_another_take_differs() {
    let first = draw(&mut *sketch(), &recipe(3));
    let mut other = sketch();
    let again = draw(&mut *other, &recipe(3));
    assert!(first == again, "a second model drew another picture");
    assert!(first == draw(&mut *other, &recipe(3)), "a second drawing differs");
    assert!(first != draw(&mut *other, &recipe(3).with_take(1)));
}

#[test]
fn low_rank_adapters_are_exchanged_without_loading_the_model_again() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let model = fixture("sd1").display().to_string();
    let mut generator = registry.load(&model, &Interrupt::default()).unwrap();
    let lora = |name: &str, weight| {
        let file = fixture(&format!("loras/{name}.safetensors")).display().to_string();
        Lora { file, weight }
    };
    let with = |loras| Recipe { model: model.clone(), loras, ..recipe(2) };
    let mut drawn = |loras| {
        let image = draw(&mut *generator, &with(loras));
        (image, generator.card().hash.clone())
    };
    let plain = drawn(vec![]);
    let changed = drawn(vec![lora("sd1_kohya", 0.5)]);
    let stronger = drawn(vec![lora("sd1_kohya", 1.0)]);
    let words = recipe(2).prompt;
    let in_prompt = Recipe { prompt: format!("{words}, <lora:sd1_kohya:0.5>"), ..with(vec![]) };
    assert!(plain.0 != changed.0 && changed.0 != stronger.0);
    assert!(plain.1 != changed.1, "the files are part of the model's identity");
    assert_eq!(changed.1, stronger.1, "the weight is part of the recipe");
    assert_ne!(with(vec![lora("a", 0.5)]).id(), with(vec![lora("a", 1.0)]).id());
    assert!(drawn(vec![]) == plain, "the adapter is gone");
    assert!(draw(&mut *generator, &in_prompt) == changed.0, "the adapter is named in the prompt");

    // A failure leaves the networks as they were.
    let wrong = with(vec![lora("sdxl_kohya", 1.0)]);
    let error = generator.generate(&wrong, &Inputs::default(), &Interrupt::default()).err();
    assert!(error.unwrap().to_string().contains("sdxl_kohya.safetensors"));
    let missing = with(vec![Lora { file: "no/such.safetensors".to_owned(), weight: 1.0 }]);
    let error = generator.generate(&missing, &Inputs::default(), &Interrupt::default()).err();
    assert!(error.unwrap().to_string().contains("no/such.safetensors"));
    assert!(draw(&mut *generator, &with(vec![])) == plain.0);
}

#[test]
fn a_prediction_type_draws_the_picture_of_a_model_with_that_configuration() {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture("sd1"), copy.path());
    let config = copy.path().join("scheduler/scheduler_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(r#""prediction_type": "epsilon""#));
    std::fs::write(&config, text.replace(r#": "epsilon""#, r#": "v_prediction""#)).unwrap();
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let load =
        |model: &Path| registry.load(&model.display().to_string(), &Interrupt::default()).unwrap();
    let with = |prediction_type| {
        let sampler = Sampler { prediction_type, ..recipe(3).sampler };
        Recipe { sampler, ..recipe(3) }
    };
    let expected = draw(&mut *load(copy.path()), &with(None));
    let mut generator = load(&fixture("sd1"));
    assert!(draw(&mut *generator, &with(Some(PredictionType::Velocity))) == expected);
    let plain = draw(&mut *generator, &with(None));
    assert!(draw(&mut *generator, &with(Some(PredictionType::Epsilon))) == plain);
    assert!(plain != expected);
    assert_ne!(with(None).id(), with(Some(PredictionType::Epsilon)).id());
}

#[test]
fn textual_inversions_change_pictures_and_are_part_of_the_models_identity() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let model = fixture("sd1").display().to_string();
    let mut generator = registry.load(&model, &Interrupt::default()).unwrap();
    let with = |prompt: &str, negative_prompt: &str| Recipe {
        prompt: prompt.to_owned(),
        negative_prompt: negative_prompt.to_owned(),
        model: model.clone(),
        ..recipe(2)
    };
    let mut drawn = |prompt: &str, negative_prompt: &str| {
        let image = draw(&mut *generator, &with(prompt, negative_prompt));
        (image, generator.card().hash.clone())
    };
    let plain = drawn("a sea", "fog");
    let named = drawn("a sea, embedding:sd1/harbour", "fog");
    let negated = drawn("a sea", "fog, (embedding:sd1/harbour:1.2)");
    assert!(plain.0 != named.0 && plain.0 != negated.0 && named.0 != negated.0);
    assert!(plain.1 != named.1, "the file is part of the model's identity");
    assert_eq!(named.1, negated.1);
    // The file is found without its folder, too.
    assert!(drawn("a sea, embedding:harbour", "fog") == named);
    assert!(drawn("a sea", "fog") == plain, "the embedding is gone");

    let mut error = |prompt: &str| {
        let recipe = with(prompt, "");
        let drawn = generator.generate(&recipe, &Inputs::default(), &Interrupt::default());
        drawn.err().unwrap().to_string()
    };
    let other = error("embedding:sd2/harbour");
    assert!(other.contains("20 values") && other.contains("24 values"), "{other}");
    assert!(error("embedding:mira").contains("the embedding `mira` was not found"));
    let mut klein = registry.load(&fixture("klein").display().to_string(), &Interrupt::default());
    let recipe = with("embedding:sd1/harbour", "");
    let drawn =
        klein.as_mut().unwrap().generate(&recipe, &Inputs::default(), &Interrupt::default());
    let error = drawn.err().unwrap().to_string();
    assert!(error.contains("cannot have embeddings"), "{error}");
}

#[test]
fn a_clip_skip_draws_the_picture_of_a_model_with_fewer_layers() {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture("sd1"), copy.path());
    let config = copy.path().join("text_encoder/config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(r#""num_hidden_layers": 3"#));
    let text = text.replace(r#""num_hidden_layers": 3"#, r#""num_hidden_layers": 2"#);
    std::fs::write(&config, text).unwrap();
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let load =
        |model: &Path| registry.load(&model.display().to_string(), &Interrupt::default()).unwrap();
    let with = |clip_skip| {
        let sampler = Sampler { clip_skip, ..recipe(3).sampler };
        Recipe { sampler, ..recipe(3) }
    };
    let expected = draw(&mut *load(copy.path()), &with(None));
    let mut generator = load(&fixture("sd1"));
    let plain = draw(&mut *generator, &with(None));
    assert!(draw(&mut *generator, &with(Some(1))) == expected);
    assert!(draw(&mut *generator, &with(Some(0))) == plain);
    assert!(plain != expected);
    assert_ne!(with(None).id(), with(Some(1)).id());

    let mut error = |recipe: &Recipe| {
        let drawn = generator.generate(recipe, &Inputs::default(), &Interrupt::default());
        drawn.err().unwrap().to_string()
    };
    let error = error(&with(Some(3)));
    assert!(error.contains("clip_skip 3") && error.contains("0 to 2"), "{error}");
    let mut klein = load(&fixture("klein"));
    let drawn = klein.generate(&with(Some(1)), &Inputs::default(), &Interrupt::default());
    let error = drawn.err().unwrap().to_string();
    assert!(error.contains("not that of CLIP"), "{error}");
}

#[test]
fn noise_levels_change_the_picture_and_stochastic_schedulers_draw_it_again() {
    let mut generator = sketch();
    let mut drawn = Vec::new();
    for sigmas in [None, Some(SigmaSpacing::Karras), Some(SigmaSpacing::Beta)] {
        let scheduler = Some("EulerAncestralDiscreteScheduler".to_owned());
        let sampler = Sampler { scheduler, sigmas, steps: Some(4), ..Sampler::default() };
        let recipe = Recipe { sampler, ..recipe(4) };
        let picture = draw(&mut *generator, &recipe);
        assert!(picture == draw(&mut *generator, &recipe), "a second drawing differs");
        assert!(!drawn.contains(&picture), "{sigmas:?} has no effect");
        drawn.push(picture);
    }
}

#[test]
fn a_picture_has_exactly_the_size_of_its_recipe() {
    let mut generator = sketch();
    for size in [Size::new(100, 61), Size::new(16, 90), Size::new(72, 64)] {
        let picture = draw(&mut *generator, &Recipe { size, ..recipe(1) });
        assert_eq!(picture.dimensions(), (size.width, size.height));
        assert!(picture.pixels().all(|pixel| pixel.0[3] == 255));
    }
}

#[test]
fn a_cancelled_drawing_stops_within_the_step() {
    let interrupt = Interrupt::default();
    let done = Mutex::new(0);
    let control = OnStep::new(interrupt.clone(), |step: Step| {
        *done.lock().unwrap() = step.done;
        if step.done == 2 {
            interrupt.cancel();
        }
    });
    let result = sketch().generate(&recipe(20), &Inputs::default(), &control);
    assert!(matches!(result, Err(GenerateError::Cancelled)), "{result:?}");
    assert_eq!(done.into_inner().unwrap(), 2);
}

#[test]
fn previews_converge_to_the_picture() {
    let previews = Mutex::new(Vec::new());
    let recipe = Recipe { size: Size::new(128, 64), ..recipe(6) };
    let control = OnStep::new(Interrupt::default(), |step: Step| {
        let mut previews = previews.lock().unwrap();
        assert_eq!((step.done as usize, step.of), (previews.len() + 1, 6));
        previews.push(step.preview.unwrap());
    });
    let picture = sketch().generate(&recipe, &Inputs::default(), &control).unwrap().image;
    let previews = previews.into_inner().unwrap();
    assert_eq!(previews.len(), 6);
    assert!(previews.iter().all(|preview| preview.dimensions() == (8, 4)));
    assert!(previews.windows(2).all(|pair| pair[0] != pair[1]));
    let small = imageops::thumbnail(&picture, 8, 4);
    let difference = |preview: &image::RgbImage| {
        let pairs = preview.pixels().zip(small.pixels());
        let sum: u32 =
            pairs.flat_map(|(a, b)| (0..3).map(move |i| u32::from(a.0[i].abs_diff(b.0[i])))).sum();
        f64::from(sum) / (8.0 * 4.0 * 3.0)
    };
    let [first, last] = [difference(&previews[0]), difference(&previews[5])];
    assert!(
        last < first && last < 20.0,
        "mean difference in levels: {first} at the first step, {last} at the last"
    );
}

#[test]
fn invalid_recipes_are_refused_with_the_invalid_value() {
    let mut generator = sketch();
    let good = recipe(2);
    let sampler = good.sampler.clone();
    for (recipe, words) in [
        (Recipe { size: Size::new(0, 64), ..good.clone() }, "0x64"),
        (Recipe { size: Size::new(64, 9999), ..good.clone() }, "64x9999"),
        (
            Recipe { sampler: Sampler { steps: Some(0), ..sampler.clone() }, ..good.clone() },
            "0 steps",
        ),
        (
            Recipe { sampler: Sampler { steps: Some(1001), ..sampler.clone() }, ..good.clone() },
            "1 to 1000",
        ),
        (
            Recipe {
                sampler: Sampler { guidance_rescale: Some(1.5), ..sampler.clone() },
                ..good.clone()
            },
            "1.5",
        ),
        (
            Recipe {
                sampler: Sampler { guidance_scale: Some(f32::NAN), ..sampler.clone() },
                ..good.clone()
            },
            "guidance scale NaN",
        ),
    ] {
        let error =
            generator.generate(&recipe, &Inputs::default(), &Interrupt::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_result_that_is_not_finite_is_an_error() {
    let nan =
        candle_core::Tensor::full(f32::NAN, (1, 32, 1, 1), &candle_core::Device::Cpu).unwrap();
    let request = DrawRequest {
        prompt: String::new(),
        negative_prompt: String::new(),
        size: Size::new(16, 16),
        sampler: ResolvedSampler { steps: 1, ..ResolvedSampler::default() },
        noise: Noise::Latents(nan),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let mut model =
        Model::load(&EmbeddedPackage::built_in(), DeviceKind::Cpu, &Interrupt::default()).unwrap();
    let result = model.draw(&request, &Interrupt::default(), &mut []);
    assert!(matches!(result, Err(DiffusionError::Draw(DrawError::NotFinite))), "{result:?}");
}

#[test]
fn an_edit_of_another_picture_is_refused() {
    let picture = RgbaImage::from_pixel(64, 64, Rgba([90, 120, 40, 255]));
    let part = Part::new("sky", Mask::full(64, 64), PartEdit::new(EditKind::Refine));
    let edit = PictureEdit {
        picture: picture_hash(&picture),
        parts: vec![PartRecipe::from(&part)],
        ..PictureEdit::default()
    };
    let recipe = Recipe { edit: Some(edit), ..recipe(1) };
    let mut generator = sketch();
    let mut generate = |init_image: Option<RgbaImage>| {
        let mut inputs = Inputs { init_image, ..Inputs::default() };
        inputs.add_parts(std::slice::from_ref(&part));
        generator.generate(&recipe, &inputs, &Interrupt::default())
    };
    let mut other = picture.clone();
    other.put_pixel(0, 0, Rgba([1, 2, 3, 255]));
    let error = generate(Some(other)).unwrap_err();
    let expected = GenerateError::Diffusion(DiffusionError::Edit(EditError::OtherPicture));
    assert_eq!(error.to_string(), expected.to_string());
    assert!(matches!(generate(None), Err(GenerateError::NoInitImage(_))));
    assert!(generate(Some(picture)).is_ok());
}

#[test]
fn a_model_has_a_card_and_stays_loaded() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let folder = fixture("sd1");
    let generator = registry.load(folder.to_str().unwrap(), &Interrupt::default()).unwrap();
    assert_eq!((generator.card().name.as_str(), generator.card().hash.len()), ("sd1", 64));
    let sketch = registry.load("sketch", &Interrupt::default()).unwrap();
    assert_eq!(sketch.card().licence.as_deref(), Some("MIT"));
    assert_ne!(sketch.card().hash, generator.card().hash);
    let start = std::time::Instant::now();
    registry.load("sketch", &Interrupt::default()).unwrap();
    assert!(start.elapsed().as_millis() < 10, "the model was loaded a second time");
}

#[test]
fn an_unsupported_pipeline_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let index = |class: &str, unet: &str| {
        let json = format!(
            r#"{{"_class_name": "{class}", "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "{unet}"],
            "vae": ["diffusers", "AutoencoderKL"], "safety_checker": [null, null]}}"#
        );
        std::fs::write(folder.path().join("model_index.json"), json).unwrap();
        let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
        registry
            .load(folder.path().to_str().unwrap(), &Interrupt::default())
            .err()
            .unwrap()
            .to_string()
    };
    let error = index("FluxPipeline", "UNet2DConditionModel");
    assert!(error.contains("FluxPipeline") && error.contains("StableDiffusionXLPipeline"));
    let error = index("StableDiffusionPipeline", "UNet3DConditionModel");
    assert!(error.contains("UNet3DConditionModel") && error.contains("unet"), "{error}");
    let error = index("StableDiffusionPipeline", "UNet2DConditionModel");
    assert!(error.contains("scheduler_config.json"), "{error}");
    let error =
        GeneratorRegistry::built_in(DeviceKind::Cpu).load("no/such/folder", &Interrupt::default());
    assert!(error.err().unwrap().to_string().contains("no/such/folder"));
}
