//! Losses of a model whose folder has a CLIP model and a small autoencoder, with random weights.

use std::{collections::HashMap, fs, path::Path};

use bevy_illustrator::{
    diffusion::{
        DiffusionError, DrawRequest, EditRequest, Interrupt, Model, Noise,
        family::{check, families},
    },
    mask::{Area, Mask},
    model::{FolderPackage, ModelError, Package},
    recipe::{BlobId, EditKind, Images, Loss, LossKind, Part, PartEdit, ResolvedSampler, Size},
};
use candle_core::{Device, Tensor};
use image::{Rgba, RgbaImage};
use tempfile::TempDir;

use super::adapters::{copy, load};

const SIZE: Size = Size::new(72, 56);

/// The model `sd1` with these fixtures below `losses`.
pub(super) fn folder(networks: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy("sd1", folder.path());
    for (from, to) in networks {
        copy(from, &folder.path().join("losses").join(to));
    }
    folder
}

pub(super) const CLIP: (&str, &str) = ("sd1_clip", "clip");
pub(super) const VAE: (&str, &str) = ("tiny_vae/vae", "vae");

fn waves() -> RgbaImage {
    RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let level = |phase: u32| (127.0 + 120.0 * ((x + phase * y) as f32 / 9.0).sin()) as u8;
        Rgba([level(0), level(1), level(2), 255])
    })
}

fn request(losses: Vec<Loss>) -> DrawRequest {
    let waves = waves();
    DrawRequest {
        prompt: "a harbour".to_owned(),
        negative_prompt: "fog".to_owned(),
        size: SIZE,
        sampler: sampler(),
        noise: Noise::Seed(5),
        inspirations: Vec::new(),
        losses,
        score: false,
        images: Images::from([(BlobId::of_image(&waves), waves.into())]),
    }
}

fn sampler() -> ResolvedSampler {
    ResolvedSampler {
        scheduler: "EulerDiscreteScheduler".to_owned(),
        sigmas: None,
        prediction_type: None,
        clip_skip: None,
        steps: 8,
        guidance_scale: 5.0,
        guidance_rescale: 0.0,
        guidance_interval: None,
    }
}

fn kinds() -> [LossKind; 4] {
    let waves = BlobId::of_image(&waves());
    [
        LossKind::Text("a red lighthouse by the sea at night".to_owned()),
        LossKind::Direction { from: "low fog".to_owned(), to: "a red lighthouse".to_owned() },
        LossKind::Style(waves.clone()),
        LossKind::Content(waves),
    ]
}

#[test]
fn losses_of_meaning_style_and_content_steer_a_model_with_a_clip_model() {
    for networks in [&[CLIP, VAE][..], &[CLIP]] {
        let folder = folder(networks);
        let mut model = load(&folder);
        for kind in kinds() {
            let losses = vec![Loss { to: Some(1.0), weight: 2.0, ..Loss::new(kind.clone()) }];
            let steered = request(losses);
            let plain = DrawRequest { score: true, ..steered.clone() };
            let [plain, steered] = [plain, steered].map(|request| {
                let drawn = model.draw(&request, &Interrupt::default(), &mut []).unwrap();
                drawn.losses[0].value
            });
            println!("{kind:?} with {networks:?}: {plain} {steered}");
            assert!(steered < 0.97 * plain, "{kind:?} with {networks:?}: {plain} {steered}");
        }
    }
}

#[test]
fn a_network_that_changed_after_its_model_was_loaded_draws_nothing() {
    let folder = folder(&[CLIP, VAE]);
    let draw = |model: &mut Model, kind| {
        model.draw(&request(vec![Loss::new(kind)]), &Interrupt::default(), &mut [])
    };
    for file in ["clip/model.safetensors", "vae/config.json"] {
        let mut model = load(&folder);
        let path = folder.path().join("losses").join(file);
        fs::write(&path, fs::read(&path).unwrap()).unwrap();
        let [text, ..] = kinds();
        let error = draw(&mut model, text.clone()).unwrap_err();
        assert!(matches!(error, DiffusionError::Model(ModelError::Changed { .. })), "{error}");
        draw(&mut model, LossKind::TotalVariation).unwrap();
        draw(&mut load(&folder), text).unwrap();
    }
}

#[test]
fn a_score_without_losses_measures_the_prompt() {
    let folder = folder(&[CLIP, VAE]);
    let request = DrawRequest { score: true, ..request(Vec::new()) };
    let drawn = load(&folder).draw(&request, &Interrupt::default(), &mut []).unwrap();
    assert_eq!(drawn.losses[0].kind, "Text");
}

#[test]
fn a_loss_of_a_part_changes_nothing_else() {
    let folder = folder(&[CLIP, VAE]);
    let mut model = load(&folder);
    let mut edit = |losses: Vec<Loss>| {
        let area = Area { x: 8, y: 8, width: 24, height: 24 };
        let mask = Mask::rectangle(SIZE.width, SIZE.height, area);
        let edit = PartEdit { losses, ..PartEdit::new(EditKind::Refine) };
        let DrawRequest { prompt, negative_prompt, sampler, noise, images, .. } =
            request(Vec::new());
        let request = EditRequest {
            picture: waves(),
            prompt,
            negative_prompt,
            parts: vec![Part { images, ..Part::new("part", mask, edit) }],
            style: String::new(),
            context: None,
            tiled: false,
            sampler,
            noise,
            inspirations: Vec::new(),
            losses: Vec::new(),
            score: false,
            images: Images::new(),
        };
        let plan = model.plan_edit(&request).unwrap();
        let drawn = model.edit(&request, &Interrupt::default(), &mut []).unwrap();
        (plan.blend_mask, drawn.image)
    };
    let (_, plain) = edit(Vec::new());
    let original = waves();
    for kind in kinds() {
        let (mask, edited) = edit(vec![Loss::new(kind.clone())]);
        assert_ne!(edited, plain, "{kind:?}");
        for (x, y, pixel) in edited.enumerate_pixels() {
            if mask.at(x, y) == 0 {
                assert_eq!(pixel, original.get_pixel(x, y), "{kind:?} {x},{y}");
            }
        }
    }
}

#[test]
fn without_a_clip_model_the_error_says_how_to_download_it_and_other_losses_work() {
    let folder = folder(&[]);
    let mut model = load(&folder);
    for kind in kinds() {
        let request = request(vec![Loss::new(kind)]);
        let error = model.draw(&request, &Interrupt::default(), &mut []).err().unwrap();
        assert!(matches!(error, DiffusionError::Loss(_)), "{error:?}");
        let error = error.to_string();
        let command =
            "`illustrate models fetch openai/clip-vit-large-patch14 --into MODEL/losses/clip`";
        assert!(error.contains(command), "{error}");
    }
    let request = request(vec![Loss::new(LossKind::Saturation(0.1))]);
    let drawn = model.draw(&request, &Interrupt::default(), &mut []).unwrap();
    assert_eq!(drawn.losses[0].kind, "Saturation");
}

/// The error of checking a folder, and of drawing with a loss.
fn errors(folder: &TempDir) -> [String; 2] {
    let package = FolderPackage::open(folder.path()).unwrap();
    let checked = check(&families(), &package, &Interrupt::default()).err().unwrap();
    let [text, ..] = kinds();
    let mut model = load(folder);
    let drawn = model.draw(&request(vec![Loss::new(text)]), &Interrupt::default(), &mut []);
    // Pictures without such a loss are not affected.
    model.draw(&request(Vec::new()), &Interrupt::default(), &mut []).unwrap();
    [checked.to_string(), drawn.err().unwrap().to_string()]
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_network_that_cannot_be_loaded_is_named_and_other_pictures_are_drawn() {
    for (networks, file, change, expected) in [
        (&[CLIP][..], "clip/model.safetensors", None, "losses/clip/model.safetensors"),
        (&[CLIP], "clip/tokenizer.json", None, "losses/clip"),
        (&[CLIP], "clip/config.json", Some(("\"clip\"", "\"siglip\"")), "siglip"),
        (
            &[CLIP],
            "clip/config.json",
            Some((r#"layers": 4"#, r#"layers": 0"#)),
            "num_hidden_layers",
        ),
        (
            &[CLIP],
            "clip/config.json",
            Some((r#"image_size": 24"#, r#"image_size": 1000"#)),
            "patch",
        ),
        (
            &[CLIP],
            "clip/config.json",
            Some((r#"position_embeddings": 77"#, r#"position_embeddings": 9999"#)),
            "max_position_embeddings",
        ),
        (
            &[CLIP, VAE],
            "vae/config.json",
            Some((r#"factor": 2"#, r#"factor": 4"#)),
            "upsampling_scaling_factor",
        ),
        (&[CLIP, VAE], "vae/diffusion_pytorch_model.safetensors", None, "losses/vae"),
    ] {
        let folder = folder(networks);
        let file = folder.path().join("losses").join(file);
        match change {
            Some((from, to)) => replace(&file, from, to),
            None => fs::remove_file(&file).unwrap(),
        }
        for error in errors(&folder) {
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn a_small_autoencoder_for_other_latents_is_refused() {
    let folder = folder(&[CLIP, ("../../../assets/models/sketch/vae", "vae")]);
    for error in errors(&folder) {
        assert!(error.contains("losses/vae") && error.contains("latent_channels"), "{error}");
    }
}

/// The files of a CLIP model whose vision tower has other weights.
fn with_changed_weights(change: impl Fn(&str, Tensor) -> Option<Tensor>) -> TempDir {
    let folder = folder(&[CLIP]);
    let file = folder.path().join("losses/clip/model.safetensors");
    let tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
    let changed = tensors.into_iter();
    let changed: HashMap<_, _> =
        changed.filter_map(|(name, it)| Some((name.clone(), change(&name, it)?))).collect();
    candle_core::safetensors::save(&changed, &file).unwrap();
    folder
}

#[test]
fn a_clip_model_without_embeddings_of_images_is_refused() {
    let folder =
        with_changed_weights(|name, it| (!name.starts_with("visual_projection")).then_some(it));
    for error in errors(&folder) {
        assert!(error.contains("losses/clip") && error.contains("visual_projection"), "{error}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_with_and_without_a_score() {
    let folder = with_changed_weights(|name, it| match name {
        "visual_projection.weight" => Some((it * f64::NAN).unwrap()),
        _ => Some(it),
    });
    let mut model = load(&folder);
    let [text, ..] = kinds();
    for score in [false, true] {
        let request = DrawRequest { score, ..request(vec![Loss::new(text.clone())]) };
        let error = model.draw(&request, &Interrupt::default(), &mut []).err().unwrap();
        assert!(error.to_string().contains("the loss Text has no finite value"), "{error}");
    }
}

#[test]
fn the_networks_are_part_of_the_identity_of_the_model() {
    let [plain, with] = [&[][..], &[CLIP, VAE]].map(folder);
    let hash = |folder: &TempDir| {
        let package = FolderPackage::open(folder.path()).unwrap();
        package.hash(&Interrupt::default()).unwrap()
    };
    assert_ne!(hash(&plain), hash(&with));
}
