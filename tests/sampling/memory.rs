//! Models that use little memory, and memory budgets.

use std::{fs, path::Path, sync::Mutex};

use bevy_illustrator::{
    control::{Control, Interrupt},
    diffusion::{
        DeviceKind, DiffusionError, DrawRequest, Drawn, EditRequest, LoadOptions,
        family::{families, load, memory},
    },
    generator::{
        GenerateError, Generator, GeneratorRegistry, Inputs, LocalModels, ModelLoader,
        draw_request, open_package,
    },
    mask::Mask,
    memory::{MemoryNeeds, ModelMemory},
    model::{FolderPackage, ModelDefaults},
    recipe::{EditKind, ImageUse, Images, Lora, Part, PartEdit, Recipe, Sampler, Size},
    settings::SettingsFile,
};
use candle_core::{DType, Device, Tensor};
use image::RgbaImage;
use tempfile::TempDir;

use super::{
    adapters::{WEIGHTS, control_folder, disc, inspiration, load as loaded_adapters, request},
    copy_folder::copy_folder,
    fixture,
};

/// A copy of a small model with weights in f16.
fn narrow_copy(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture(name), copy.path());
    for file in weight_files(copy.path()) {
        let tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
        let narrow = tensors.into_iter().map(|(name, tensor)| {
            // The ids of positions are integers.
            let narrow = if tensor.dtype() == DType::F32 { DType::F16 } else { tensor.dtype() };
            (name, tensor.to_dtype(narrow).unwrap())
        });
        candle_core::safetensors::save(&narrow.collect(), &file).unwrap();
    }
    copy
}

fn weight_files(model: &Path) -> Vec<std::path::PathBuf> {
    let parts = fs::read_dir(model).unwrap().map(|entry| entry.unwrap().path());
    let files = parts.filter(|path| path.is_dir()).flat_map(|part| fs::read_dir(part).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "safetensors")).collect()
}

/// All tensors of a component.
fn tensors(model: &Path, component: &str) -> Vec<Tensor> {
    let files = weight_files(model).into_iter();
    let files = files.filter(|file| file.parent().unwrap().ends_with(component));
    let load = |file| candle_core::safetensors::load(file, &Device::Cpu).unwrap().into_values();
    files.flat_map(load).filter(|tensor| tensor.dtype() != DType::I64).collect()
}

fn options(low_memory: bool, memory_budget: Option<u64>) -> LoadOptions {
    let mut options = LoadOptions::new(DeviceKind::Cpu);
    (options.low_memory, options.memory_budget) = (low_memory, memory_budget);
    options
}

fn recipe(model: &Path, side: u32) -> Recipe {
    Recipe {
        sampler: Sampler { steps: Some(2), ..Sampler::default() },
        ..Recipe::new("a red ship", Size::new(side, side), model.display().to_string())
    }
}

/// Records what a model needs when it is loaded.
#[derive(Default)]
struct Needs {
    interrupt: Interrupt,
    loaded: Mutex<Vec<MemoryNeeds>>,
}

impl Control for Needs {
    fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    fn loading(&self, needs: MemoryNeeds) {
        self.loaded.lock().unwrap().push(needs);
    }
}

impl Needs {
    /// Those of the last model.
    fn last(&self) -> MemoryNeeds {
        *self.loaded.lock().unwrap().last().unwrap()
    }
}

fn needs_of(model: &Path, side: u32) -> ModelMemory {
    let package = open_package(&model.display().to_string()).unwrap();
    let size = Some(Size::new(side, side));
    memory(&families(), &*package, size, &Interrupt::default()).unwrap()
}

/// The pictures of several recipes by one model.
fn pictures(model: &Path, low_memory: bool, recipes: &[Recipe]) -> Vec<RgbaImage> {
    let (package, interrupt) = (FolderPackage::open(model).unwrap(), Interrupt::default());
    let options = options(low_memory, None);
    let mut model = load(&families(), &package, &options, &interrupt).unwrap();
    let defaults = ModelDefaults::of(&package).unwrap();
    let draw = |recipe: &Recipe| {
        model.set_loras(&recipe.loras, &interrupt).unwrap();
        let request = draw_request(recipe, &Inputs::default(), &defaults).unwrap();
        model.draw(&request, &interrupt, &mut []).unwrap().image
    };
    recipes.iter().map(draw).collect()
}

#[test]
fn a_model_with_little_memory_draws_the_same_pictures() {
    for name in ["sd1", "sdxl"] {
        let model = narrow_copy(name);
        let plain = recipe(model.path(), 32);
        let other = Recipe { prompt: "a blue door".to_owned(), ..plain.clone() };
        let recipes = [plain, other];
        let usual = pictures(model.path(), false, &recipes);
        assert!(usual[0] != usual[1]);
        assert!(pictures(model.path(), true, &recipes) == usual, "{name} draws other pictures");
    }
}

#[test]
fn adapters_beside_the_weights_of_a_unet_draw_the_pictures_of_changed_weights() {
    for (name, loras) in
        [("sd1", &["sd1_kohya", "sd1_peft", "sd1_old"][..]), ("sdxl", &["sdxl_kohya"])]
    {
        let model = narrow_copy(name);
        let plain = recipe(model.path(), 32);
        let with = |names: &[&str], prompt: &str| {
            let file = |name: &&str| fixture(&format!("loras/{name}.safetensors"));
            let lora = |name| Lora { file: file(name).display().to_string(), weight: 0.75 };
            let loras = names.iter().map(lora).collect();
            Recipe { loras, prompt: prompt.to_owned(), ..plain.clone() }
        };
        let mut recipes: Vec<_> = loras.iter().map(|lora| with(&[lora], "a red ship")).collect();
        // The text encoder is loaded with the adapters for another prompt, too.
        recipes.extend([with(loras, "a green cat"), plain.clone()]);
        let usual = pictures(model.path(), false, &recipes);
        let low = pictures(model.path(), true, &recipes);
        assert!(usual.last() == low.last(), "{name}: adapters are left in it");
        for (usual, low) in usual.iter().zip(&low) {
            let apart = usual.iter().zip(low.iter()).map(|(a, b)| a.abs_diff(*b)).max();
            // A rounding error may change the rounding to a level.
            assert!(apart <= Some(1), "{name}: {apart:?} levels");
        }
        let is_changed = usual[..loras.len()].iter().all(|it| Some(it) != usual.last());
        assert!(is_changed, "the adapters of {name} have no effect");
    }
}

#[test]
fn the_memory_of_weights_is_that_of_the_numbers_that_are_loaded() {
    for name in ["sd1", "sdxl"] {
        let model = narrow_copy(name);
        let count = |components: &[&str], bytes: &dyn Fn(&Tensor) -> usize| {
            let all = components.iter().flat_map(|component| tensors(model.path(), component));
            all.map(|tensor| (tensor.elem_count() * bytes(&tensor)) as u64).sum::<u64>()
        };
        let text_encoders = count(&["text_encoder", "text_encoder_2"], &|_| 4);
        let vae = count(&["vae"], &|_| 4);
        let ModelMemory { usual, low } = needs_of(model.path(), 32);
        assert_eq!(usual.weights, text_encoders + vae + count(&["unet"], &|_| 4));
        // Vectors are widened.
        let unet = count(&["unet"], &|tensor| if tensor.rank() > 1 { 2 } else { 4 });
        assert_eq!((low.weights, low.text_encoders), (vae + unet, text_encoders));
        assert_eq!((usual.text_encoders, usual.picture), (0, low.picture));
        let four_times = needs_of(model.path(), 64).usual.picture;
        assert_eq!(four_times, 4 * usual.picture);
    }
}

#[test]
fn a_model_of_blocks_and_a_language_model_needs_the_same_memory_either_way() {
    let ModelMemory { usual, low } = needs_of(&fixture("klein"), 64);
    assert_eq!(usual, low);
    let transformer: usize =
        tensors(&fixture("klein"), "transformer").iter().map(Tensor::elem_count).sum();
    let vae: usize = tensors(&fixture("klein"), "vae").iter().map(Tensor::elem_count).sum();
    assert_eq!(usual.weights, 4 * (transformer + vae) as u64, "the language model keeps nothing");
}

#[test]
fn a_budget_makes_a_model_use_little_memory_or_is_an_error_with_the_numbers() {
    let model = narrow_copy("sd1");
    let (needs, recipe) = (needs_of(model.path(), 32), recipe(model.path(), 32));
    assert!(needs.low.peak() < needs.usual.peak());
    let load = |budget: u64| {
        let (registry, control) =
            (GeneratorRegistry::built_in(options(false, Some(budget))), Needs::default());
        let mut generator = registry.load_for(&recipe, &control)?;
        let drawn = generator.generate(&recipe, &Inputs::default(), &control)?;
        Ok::<_, GenerateError>((control.last(), drawn.image))
    };
    let (usual, picture) = load(needs.usual.peak()).unwrap();
    assert_eq!(usual, needs.usual);
    for budget in [needs.usual.peak() - 1, needs.low.peak()] {
        let (low, same) = load(budget).unwrap();
        assert!(low == needs.low && same == picture);
    }
    let error = load(needs.low.peak() - 1).unwrap_err().to_string();
    assert!(error.contains("drawing needs about") && error.contains("memory budget"), "{error}");
}

#[test]
fn the_budget_of_the_settings_counts_if_there_is_no_other() {
    let model = narrow_copy("sd1");
    let (needs, recipe) = (needs_of(model.path(), 32), recipe(model.path(), 32));
    let settings = SettingsFile::in_folder(model.path().join("settings"));
    settings.change(|settings| settings.memory_budget = Some(1000)).unwrap();
    let load = |budget: Option<u64>| {
        let models = LocalModels::new(options(false, budget)).with_settings(settings.clone());
        models.load_for(&recipe, &Interrupt::default()).unwrap().map(drop)
    };
    assert!(load(None).unwrap_err().to_string().contains("drawing needs about"));
    load(Some(needs.usual.peak())).unwrap();
}

#[test]
fn a_model_is_loaded_again_with_little_memory_for_a_larger_picture() {
    let model = narrow_copy("sd1");
    let side = 64;
    let needs = needs_of(model.path(), side);
    // Enough for the small picture with all networks, but not for the large one.
    let budget = needs.usual.peak() - 1;
    assert!(needs_of(model.path(), 32).usual.peak() < budget);
    let registry = GeneratorRegistry::built_in(options(false, Some(budget)));
    let control = Needs::default();
    let (small, large) = (recipe(model.path(), 32), recipe(model.path(), side));
    let draw = |generator: &mut dyn Generator, recipe: &Recipe| {
        generator.generate(recipe, &Inputs::default(), &control).map(|drawn| drawn.image)
    };
    let mut generator = registry.load_for(&small, &control).unwrap();
    draw(&mut *generator, &small).unwrap();
    assert!(generator.has_memory_for(&small) && !generator.has_memory_for(&large));
    let error = draw(&mut *generator, &large).unwrap_err().to_string();
    assert!(error.contains("drawing needs about"), "{error}");
    drop(generator);
    let mut generator = registry.load_for(&large, &control).unwrap();
    assert_eq!(control.last(), needs.low);
    draw(&mut *generator, &large).unwrap();
    assert!(generator.has_memory_for(&recipe(model.path(), 2048)), "it cannot use less");
    assert!(draw(&mut *generator, &recipe(model.path(), 2048)).is_err());
}

#[test]
fn a_text_encoder_in_little_memory_is_loaded_for_each_picture_and_must_not_have_changed() {
    let model = narrow_copy("sd1");
    let (package, interrupt) = (FolderPackage::open(model.path()).unwrap(), Interrupt::default());
    let options = options(true, None);
    let mut loaded = load(&families(), &package, &options, &interrupt).unwrap();
    let defaults = ModelDefaults::of(&package).unwrap();
    let inputs = Inputs::default();
    let mut draw = |prompt: &str| {
        let recipe = Recipe { prompt: prompt.to_owned(), ..recipe(model.path(), 32) };
        let request = draw_request(&recipe, &inputs, &defaults).unwrap();
        loaded.draw(&request, &interrupt, &mut [])
    };
    draw("a red ship").unwrap();
    let file = model.path().join("text_encoder/model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend([0; 4]);
    fs::write(&file, bytes).unwrap();
    let error = draw("a blue door").unwrap_err().to_string();
    assert!(error.contains("changed while the model was in use"), "{error}");
}

#[test]
fn an_adapter_that_does_not_fit_is_an_error_before_it_is_read_and_counts_after() {
    let folder = control_folder("outline");
    let weights = folder.path().join("adapters/outline").join(WEIGHTS);
    let weights = candle_core::safetensors::load(weights, &Device::Cpu).unwrap();
    let control: usize = weights.values().map(|it| it.elem_count() * 4).sum();
    let side = Size::new(16, 16);
    let lines = image::imageops::crop_imm(&disc(), 0, 0, side.width, side.height).to_image();
    let plain = DrawRequest { size: side, ..request((Vec::new(), Images::new())) };
    let lined = DrawRequest { size: side, ..request(inspiration(ImageUse::Outline, lines, 1.0)) };
    let refined = PartEdit { words: "a ship".to_owned(), ..PartEdit::new(EditKind::Refine) };
    let part = Part::new("all", Mask::full(side.width, side.height), refined);
    let edited = EditRequest {
        picture: RgbaImage::from_pixel(side.width, side.height, image::Rgba([90, 80, 70, 255])),
        prompt: lined.prompt.clone(),
        negative_prompt: lined.negative_prompt.clone(),
        parts: vec![part],
        style: String::new(),
        context: None,
        tiled: false,
        sampler: lined.sampler.clone(),
        noise: lined.noise.clone(),
        inspirations: lined.inspirations.clone(),
        losses: Vec::new(),
        score: false,
        images: lined.images.clone(),
    };
    let (control, none) = (control as u64, Interrupt::default());
    let picture = loaded_adapters(&folder).picture_memory(side).unwrap();
    assert!(control > picture, "{control} {picture}");
    let with = |budget| loaded_adapters(&folder).with_picture_budget(Some(budget));
    let needed = |drawn: Result<Drawn, DiffusionError>| match drawn {
        Err(DiffusionError::Memory(error)) => Some(error.needed),
        drawn => {
            drawn.unwrap();
            None
        }
    };
    for (budget, expected) in [
        (control - 1, Some(control)),
        // It fits, but not together with the picture.
        (control + picture - 1, Some(picture)),
        (control + picture, None),
    ] {
        assert_eq!(needed(with(budget).draw(&plain, &none, &mut [])), None);
        assert_eq!(needed(with(budget).draw(&lined, &none, &mut [])), expected, "{budget}");
        assert_eq!(needed(with(budget).edit(&edited, &none, &mut [])), expected, "{budget}");
    }
}

#[test]
fn a_model_uses_little_memory_if_a_component_of_the_style_needs_the_rest() {
    let model = narrow_copy("sd1");
    let weights = fixture("sd1_control_net").join(WEIGHTS);
    let weights = candle_core::safetensors::load(weights, &Device::Cpu).unwrap();
    let control: usize = weights.values().map(|it| it.elem_count() * 4).sum();
    let needs = needs_of(model.path(), 32);
    let enough = needs.usual.peak() + control as u64;
    let plain = recipe(model.path(), 32);
    let path = fixture("sd1_control_net").display().to_string();
    let components = [("adapters/outline".to_owned(), path)].into();
    let lined = Recipe { components, ..plain.clone() };
    for (budget, expected) in [(enough, needs.usual), (enough - 1, needs.low)] {
        let registry = GeneratorRegistry::built_in(options(false, Some(budget)));
        let control = Needs::default();
        let generator = registry.load_for(&plain, &control).unwrap();
        assert_eq!(control.last(), needs.usual);
        assert_eq!(generator.has_memory_for(&lined), budget == enough);
        drop(generator);
        let mut generator = registry.load_for(&lined, &control).unwrap();
        assert_eq!(control.last(), expected);
        generator.generate(&lined, &Inputs::default(), &control).unwrap();
    }
}
