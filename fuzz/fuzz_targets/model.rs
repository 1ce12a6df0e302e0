//! The configurations of a model. What the inspection promises, the loader keeps.

#![no_main]

use std::fs;

use bevy_illustrator::{
    control::Interrupt,
    diffusion::DeviceKind,
    generator::{GeneratorRegistry, Inputs, inspect, open_package},
    model::ModelDefaults,
    recipe::{Recipe, Sampler, Size},
};
use bevy_illustrator_fuzz::{empty_folder, files, repository};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 9] = [
    "model_index.json",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/tokenizer_config.json",
    "README.md",
    "LICENSE",
    "unet/diffusion_pytorch_model.safetensors.index.json",
];

/// Files that the input does not replace.
const OTHERS: [&str; 4] = [
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
];

fuzz_target!(|input: &[u8]| {
    let root = empty_folder();
    let base = repository().join("tests/reference/fixtures/sd1");
    for folder in ["unet", "vae", "text_encoder", "scheduler", "tokenizer"] {
        fs::create_dir(root.join(folder)).expect("room");
    }
    for name in OTHERS {
        fs::copy(base.join(name), root.join(name)).expect("a fixture");
    }
    let replaced: Vec<_> = files(input, &FILES).collect();
    for name in &FILES[..6] {
        if replaced.iter().all(|(other, _)| other != name) {
            fs::copy(base.join(name), root.join(name)).expect("a fixture");
        }
    }
    for (name, bytes) in replaced {
        fs::write(root.join(name), bytes).expect("room");
    }
    let Ok(inspection) = inspect(root) else { return };
    for obstacle in &inspection.obstacles {
        assert!(!obstacle.to_string().is_empty());
    }
    let model = root.display().to_string();
    if let Ok(package) = open_package(&model) {
        let _ = ModelDefaults::of(&*package);
    }
    if inspection.runs() {
        let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
        let control = Interrupt::default();
        let mut generator = registry.load(&model, &control).expect("the inspection found nothing");
        let recipe = Recipe {
            sampler: Sampler { steps: Some(1), ..Sampler::default() },
            ..Recipe::new("a boat", Size::new(16, 16), model)
        };
        if let Ok(drawn) = generator.generate(&recipe, &Inputs::default(), &control) {
            assert_eq!(drawn.image.dimensions(), (16, 16));
        }
    }
});
