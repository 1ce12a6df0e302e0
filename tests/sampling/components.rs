//! Adapters and networks of losses in files of their own, compared with those in the folder of a model.

use std::path::{Path, PathBuf};

use bevy_illustrator::{
    control::Interrupt,
    diffusion::DeviceKind,
    generator::{GenerateError, Generator, GeneratorRegistry, Inputs},
    recipe::{ImageUse, Images, Inspiration, Loss, LossKind, Recipe, Sampler},
};
use image::RgbaImage;
use tempfile::TempDir;

use super::{
    adapters::{
        ENCODER, PLAIN, SIZE, WEIGHTS, control_folder, disc, folder, inspiration, single_file,
    },
    fixture,
    loss_networks::{self, CLIP, VAE},
};

fn load(model: &Path) -> Box<dyn Generator> {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    registry.load(&model.display().to_string(), &Interrupt::default()).unwrap()
}

/// What a picture is drawn with.
#[derive(Clone, Default)]
struct Wishes {
    inspirations: Vec<Inspiration>,
    losses: Vec<Loss>,
    images: Images,
}

impl Wishes {
    fn of_image(usage: ImageUse) -> Self {
        let (inspirations, images) = inspiration(usage, disc(), 1.0);
        Self { inspirations, images, losses: Vec::new() }
    }
}

fn recipe(components: &[(&str, PathBuf)], wishes: &Wishes) -> Recipe {
    let path = |(name, path): &(&str, PathBuf)| ((*name).to_owned(), path.display().to_string());
    Recipe {
        sampler: Sampler { steps: Some(2), ..Sampler::default() },
        components: components.iter().map(path).collect(),
        inspirations: wishes.inspirations.clone(),
        losses: wishes.losses.clone(),
        ..Recipe::new("a ship", SIZE, "sd1")
    }
}

/// The picture, and the hash of the model.
fn draw(
    generator: &mut dyn Generator,
    components: &[(&str, PathBuf)],
    wishes: &Wishes,
) -> Result<(RgbaImage, String), GenerateError> {
    let mut inputs = Inputs::default();
    inputs.add_images(&wishes.images);
    let drawn = generator.generate(&recipe(components, wishes), &inputs, &Interrupt::default())?;
    Ok((drawn.image, generator.card().hash.clone()))
}

#[test]
fn a_component_of_its_own_draws_the_picture_of_a_model_with_it_in_its_folder() {
    let control = format!("sd1_control_net/{WEIGHTS}");
    let lineart = "outline/control_v11p_sd15_lineart.safetensors";
    let lineart_folder = single_file(&control, "control_net_of_sd1", lineart);
    let lineart_file = lineart_folder.path().join("adapters").join(lineart);
    let of_text = LossKind::Text("a red lighthouse by the sea at night".to_owned());
    let steered = Wishes { losses: vec![Loss::new(of_text)], ..Wishes::default() };
    let adapters = |file: &str| fixture("sd1_adapters").join(file);
    let tiny = fixture("tiny_vae/vae/diffusion_pytorch_model.safetensors");
    let cases: [(&str, TempDir, Vec<(&str, PathBuf)>, Wishes); 4] = [
        (
            "a folder of a ControlNet",
            control_folder("outline"),
            vec![("adapters/outline", fixture("sd1_control_net"))],
            Wishes::of_image(ImageUse::Outline),
        ),
        (
            "a single file of a ControlNet",
            lineart_folder,
            vec![("adapters/outline", lineart_file)],
            Wishes::of_image(ImageUse::Outline),
        ),
        (
            "an IP-Adapter",
            folder(&[PLAIN, ENCODER]),
            vec![
                ("adapters/image_encoder", adapters("image_encoder")),
                ("adapters/style", adapters("plain.safetensors")),
            ],
            Wishes::of_image(ImageUse::Style),
        ),
        (
            "networks of losses",
            loss_networks::folder(&[CLIP, VAE]),
            vec![("losses/clip", fixture("sd1_clip")), ("losses/vae", tiny)],
            steered,
        ),
    ];
    let mut generator = load(&fixture("sd1"));
    let nothing = Wishes::default();
    let plain = draw(&mut *generator, &[], &nothing).unwrap();
    for (name, complete, components, wishes) in cases {
        let (expected, _) = draw(&mut *load(complete.path()), &[], &wishes).unwrap();
        assert!(expected != plain.0, "{name}");
        let found = draw(&mut *generator, &components, &wishes).unwrap();
        assert!(found.0 == expected, "{name} draws another picture");
        assert!(found.1 != plain.1, "{name} is part of the model's identity");
        // Nothing else changes the picture.
        let unused = draw(&mut *generator, &components, &nothing).unwrap();
        assert!(unused.0 == plain.0, "{name} acts without an image");
        assert!(draw(&mut *generator, &[], &nothing).unwrap() == plain, "{name} is still there");
        assert_ne!(recipe(&[], &wishes).id(), recipe(&components, &wishes).id());
    }
}

#[test]
fn a_component_replaces_that_of_the_model() {
    let model = control_folder("outline");
    let wishes = Wishes::of_image(ImageUse::Outline);
    let mut generator = load(model.path());
    let own = draw(&mut *generator, &[], &wishes).unwrap();
    let sketch = [("adapters/outline", fixture("sd1_adapters/full"))];
    let expected = draw(&mut *load(&fixture("sd1")), &sketch, &wishes).unwrap();
    assert!(expected.0 != own.0);
    assert!(draw(&mut *generator, &sketch, &wishes).unwrap().0 == expected.0);
    assert!(draw(&mut *generator, &[], &wishes).unwrap() == own);
}

#[test]
fn a_component_that_cannot_be_used_is_an_error_and_the_model_stays_as_it_was() {
    let mut generator = load(&fixture("sd1"));
    let nothing = Wishes::default();
    let plain = draw(&mut *generator, &[], &nothing).unwrap();
    for (component, file, words) in [
        ("adapters/lineart", "sd1_control_net", "adapters/outline"),
        ("adapters/outline", "no/such.safetensors", "no/such.safetensors"),
        ("adapters/outline", "single_files/control_net_of_sd2.safetensors", "another model"),
        ("adapters/outline", "loras/sd1_kohya.safetensors", "a LoRA"),
        ("adapters/style", "sd1_adapters/plain.safetensors", "image encoder"),
        ("adapters/image_encoder", "loras/sd1_kohya.safetensors", "patch_embedding"),
        ("losses/clip", "sd1_adapters/plain.safetensors", "a folder"),
        ("losses/vae", "loras/sd1_kohya.safetensors", "an autoencoder"),
    ] {
        let components = [(component, fixture(file))];
        let error = draw(&mut *generator, &components, &nothing).unwrap_err().to_string();
        assert!(error.contains(words), "{component}, {file}: {error}");
        assert!(draw(&mut *generator, &[], &nothing).unwrap() == plain, "{component}, {file}");
    }
    let mut klein = load(&fixture("klein"));
    let components = [("adapters/outline", fixture("sd1_control_net"))];
    let error = draw(&mut *klein, &components, &nothing).unwrap_err().to_string();
    assert!(error.contains("adapters/outline"), "{error}");
}
