//! Text encoders that replace those of a model.

use std::{fs, path::Path};

use bevy_illustrator::{
    control::Interrupt,
    diffusion::DeviceKind,
    diffusion::LoadOptions,
    generator::{Generator, GeneratorRegistry, Inputs, LocalModels},
    recipe::{Lora, Recipe, Sampler, Size},
};
use candle_core::{Device, Tensor};
use image::RgbaImage;

use super::{copy_folder::copy_folder, fixture};

fn recipe(model: &Path, text_encoders: &[&Path]) -> Recipe {
    Recipe {
        sampler: Sampler { steps: Some(2), ..Sampler::default() },
        text_encoders: text_encoders.iter().map(|path| path.display().to_string()).collect(),
        ..Recipe::new("a ship", Size::new(32, 32), model.display().to_string())
    }
}

/// The picture, and the hash of the model.
fn draw(generator: &mut dyn Generator, recipe: &Recipe) -> (RgbaImage, String) {
    let drawn = generator.generate(recipe, &Inputs::default(), &Interrupt::default());
    (drawn.unwrap().image, generator.card().hash.clone())
}

/// A text encoder with other weights, as a file.
fn changed(from: &Path, to: &Path) {
    let mut tensors = candle_core::safetensors::load(from, &Device::Cpu).unwrap();
    let tokens = tensors.iter_mut().find(|(name, _)| name.contains("token_embedding")).unwrap();
    let rows = tokens.1.dim(0).unwrap() as u32;
    let reversed = Tensor::from_iter((0..rows).rev(), &Device::Cpu).unwrap();
    *tokens.1 = tokens.1.index_select(&reversed, 0).unwrap();
    candle_core::safetensors::save(&tensors, to).unwrap();
}

#[test]
fn another_text_encoder_draws_the_picture_of_a_model_with_that_text_encoder() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    for (name, component) in
        [("sd1", "text_encoder"), ("sdxl", "text_encoder"), ("sdxl", "text_encoder_2")]
    {
        let model = fixture(name);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words.safetensors");
        changed(&model.join(component).join("model.safetensors"), &file);
        let copy = folder.path().join("model");
        copy_folder(&model, &copy);
        fs::copy(&file, copy.join(component).join("model.safetensors")).unwrap();
        let drawn = |recipe: &Recipe| {
            let mut generator = registry.load_for(recipe, &Interrupt::default()).unwrap();
            draw(&mut *generator, recipe)
        };
        let plain = drawn(&recipe(&model, &[]));
        let expected = drawn(&recipe(&copy, &[]));
        assert!(plain.0 != expected.0, "{name} {component}");
        let of_file = drawn(&recipe(&model, &[&file]));
        assert!(of_file.0 == expected.0, "{name} {component}: the file draws another picture");
        assert!(of_file.1 != plain.1, "the file is part of the model's identity");
        let of_folder = drawn(&recipe(&model, &[&copy.join(component)]));
        assert!(of_folder.0 == expected.0, "{name} {component}: the folder differs");
        assert!(drawn(&recipe(&model, &[])) == plain, "{name}: the other one is gone");
        assert_ne!(recipe(&model, &[]).id(), recipe(&model, &[&file]).id());
        if name == "sd1" {
            // The networks are loaded again.
            let lora = fixture("loras/sd1_kohya.safetensors").display().to_string();
            let with_lora = |recipe: Recipe| Recipe {
                loras: vec![Lora { file: lora.clone(), weight: 1.0 }],
                ..recipe
            };
            let found = drawn(&with_lora(recipe(&model, &[&file]))).0;
            assert!(found == drawn(&with_lora(recipe(&copy, &[]))).0, "a LoRA removes the file");
            assert!(found != expected.0);
        }
    }
}

#[test]
fn a_generator_refuses_a_recipe_with_other_text_encoders() {
    let models = LocalModels::new(LoadOptions::new(DeviceKind::Cpu));
    let mut registry = GeneratorRegistry::default();
    registry.register_loader(models);
    let model = fixture("sd1");
    let mut generator = registry.load(&model.display().to_string(), &Interrupt::default()).unwrap();
    let other = recipe(&model, &[&model.join("text_encoder")]);
    let error = generator.generate(&other, &Inputs::default(), &Interrupt::default()).err();
    assert!(error.unwrap().to_string().contains("load_for"));
}
