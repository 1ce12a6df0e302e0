//! An autoencoder that replaces that of a model.

use std::{fs, path::Path};

use bevy_illustrator::{
    control::Interrupt,
    diffusion::DeviceKind,
    generator::{Generator, GeneratorRegistry, Inputs},
    recipe::{Recipe, Sampler, Size},
};
use image::RgbaImage;

use super::{copy_folder::copy_folder, fixture};

fn load(model: &Path) -> Box<dyn Generator> {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    registry.load(&model.display().to_string(), &Interrupt::default()).unwrap()
}

fn recipe(vae: Option<&Path>) -> Recipe {
    Recipe {
        sampler: Sampler { steps: Some(2), ..Sampler::default() },
        vae: vae.map(|vae| vae.display().to_string()),
        ..Recipe::new("a ship", Size::new(32, 32), "sd1")
    }
}

/// The picture, and the hash of the model.
fn draw(generator: &mut dyn Generator, vae: Option<&Path>) -> (RgbaImage, String) {
    let drawn = generator.generate(&recipe(vae), &Inputs::default(), &Interrupt::default());
    (drawn.unwrap().image, generator.card().hash.clone())
}

/// A copy of the small model with another `vae` folder.
fn copy_with_vae(vae: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture("sd1"), copy.path());
    fs::remove_dir_all(copy.path().join("vae")).unwrap();
    copy_folder(vae, &copy.path().join("vae"));
    copy
}

#[test]
fn another_vae_draws_the_picture_of_a_model_with_that_vae() {
    let tiny = fixture("tiny_vae/vae");
    let tiny_file = tiny.join("diffusion_pytorch_model.safetensors");
    let own = fixture("sd1/vae");
    let own_file = own.join("diffusion_pytorch_model.safetensors");
    let mut generator = load(&fixture("sd1"));
    let plain = draw(&mut *generator, None);
    let expected = draw(&mut *load(copy_with_vae(&tiny).path()), None);
    assert!(plain.0 != expected.0);

    let changed = draw(&mut *generator, Some(&tiny));
    assert!(changed.0 == expected.0, "the folder of a TAESD draws another picture");
    assert!(changed.1 != plain.1, "the file is part of the model's identity");
    assert!(draw(&mut *generator, Some(&tiny_file)).0 == expected.0, "its file alone differs");
    assert!(draw(&mut *generator, Some(&own)).0 == plain.0, "the own folder draws another picture");
    assert!(draw(&mut *generator, Some(&own_file)).0 == plain.0, "its file alone differs");
    assert!(draw(&mut *generator, None) == plain, "the other one is gone");
    assert_ne!(recipe(None).id(), recipe(Some(&own)).id());
}

#[test]
fn a_vae_that_does_not_fit_is_an_error_and_the_model_keeps_its_own() {
    let mut generator = load(&fixture("sd1"));
    let plain = draw(&mut *generator, None);
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sketch/vae");
    for (vae, words) in [
        // It has latents of 32 channels.
        (built_in, "32 channels"),
        (fixture("loras/sd1_kohya.safetensors"), "sd1_kohya.safetensors"),
        (fixture("sd1/unet"), "unet"),
        ("no/such.safetensors".into(), "no/such.safetensors"),
    ] {
        let recipe = recipe(Some(&vae));
        let error = generator.generate(&recipe, &Inputs::default(), &Interrupt::default()).err();
        let error = error.unwrap().to_string();
        assert!(error.contains(words), "{error}");
        assert!(draw(&mut *generator, None) == plain);
    }
}
