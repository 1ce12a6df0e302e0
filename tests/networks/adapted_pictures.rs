//! Draws and edits pictures with the adapters of the built-in model.

use std::sync::Arc;

use bevy_illustrator::{
    diffusion::{
        DeviceKind, DrawRequest, EditRequest, Model, Noise,
        adapter::{AdapterInput, AdapterKind, AdapterSchedule},
    },
    loss::Images,
    mask::{Area, Mask},
    recipe::{EditKind, Part, PartEdit, ResolvedSampler, Size},
};
use image::{Rgba, RgbaImage};

use super::*;

const SIZE: Size = Size::new(150, 96);

fn built_in() -> Model {
    let package = EmbeddedPackage::built_in();
    Model::load(&package, DeviceKind::Cpu, &Interrupt::default()).unwrap()
}

fn sampler(guidance_scale: f32) -> ResolvedSampler {
    ResolvedSampler { steps: 3, guidance_scale, ..ResolvedSampler::default() }
}

fn draw(model: &mut Model, adapters: Vec<AdapterInput>) -> Result<RgbaImage, DiffusionError> {
    let request = DrawRequest {
        prompt: "a tree".to_owned(),
        negative_prompt: String::new(),
        size: SIZE,
        sampler: sampler(4.0),
        noise: Noise::Seed(3),
        losses: Vec::new(),
        images: Images::new(),
        adapters,
    };
    model.draw(&request, &Interrupt::default(), &mut [])
}

/// A drawing of a disc.
fn adapter(kind: AdapterKind) -> AdapterInput {
    let image = RgbaImage::from_fn(SIZE.width, SIZE.height, |x, y| {
        let distance = (x as f32 - 50.0).hypot(y as f32 - 48.0);
        if distance < 30.0 { Rgba([20, 40, 200, 255]) } else { Rgba([250, 240, 230, 255]) }
    });
    AdapterInput { kind, image: Arc::new(image), schedule: AdapterSchedule::default(), mask: None }
}

/// The largest difference of a channel.
fn apart(a: &RgbaImage, b: &RgbaImage) -> u8 {
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn an_adapter_changes_a_picture_where_and_when_it_acts() {
    let mut model = built_in();
    let plain = draw(&mut model, Vec::new()).unwrap();
    for kind in AdapterKind::ALL {
        let mut with = |schedule: AdapterSchedule, mask: Option<Mask>| {
            draw(&mut model, vec![AdapterInput { schedule, mask, ..adapter(kind) }]).unwrap()
        };
        let always = AdapterSchedule::default();
        let adapted = with(always, None);
        assert!(apart(&adapted, &plain) > 3, "{kind}");
        assert_eq!(with(AdapterSchedule { weight: 0.0, ..always }, None), plain, "{kind}");
        // The last of three steps begins at two thirds.
        let late = with(AdapterSchedule { from: 0.8, ..always }, None);
        assert_eq!(late, plain, "{kind}");
        let first = with(AdapterSchedule { to: 0.3, ..always }, None);
        assert!(first != plain && first != adapted, "{kind}");

        let (width, height) = (SIZE.width, SIZE.height);
        assert_eq!(with(always, Some(Mask::empty(width, height))), plain, "{kind}");
        assert!(apart(&with(always, Some(Mask::full(width, height))), &adapted) <= 1, "{kind}");
        let half = Area { x: 0, y: 0, width: width / 2, height };
        let half = with(always, Some(Mask::rectangle(width, height, half)));
        assert!(half != plain && half != adapted, "{kind}");
    }
}

#[test]
fn an_edit_has_an_image_for_the_prompt_but_not_for_an_equal_negative_prompt() {
    let picture = RgbaImage::from_pixel(SIZE.width, SIZE.height, Rgba([120, 130, 140, 255]));
    let area = Area { x: 30, y: 30, width: 40, height: 40 };
    let part = Part {
        name: "part".to_owned(),
        mask: Mask::rectangle(SIZE.width, SIZE.height, area),
        edit: PartEdit { words: "a tree".to_owned(), ..PartEdit::new(EditKind::Replace) },
        scribble: None,
    };
    let mut model = built_in();
    let mut edit = |guidance_scale, adapters| {
        let request = EditRequest {
            parts: vec![part.clone()],
            style: String::new(),
            context: None,
            picture: picture.clone(),
            prompt: "a tree".to_owned(),
            negative_prompt: "a tree".to_owned(),
            sampler: sampler(guidance_scale),
            noise: Noise::Seed(3),
            losses: Vec::new(),
            images: Images::new(),
            adapters,
        };
        model.edit(&request, &Interrupt::default(), &mut []).unwrap()
    };
    assert_eq!(edit(1.0, Vec::new()), edit(6.0, Vec::new()), "guidance away from the same prompt");
    let style = || vec![adapter(AdapterKind::Style)];
    let (unguided, guided) = (edit(1.0, style()), edit(6.0, style()));
    assert_ne!(unguided, edit(1.0, Vec::new()));
    assert_ne!(unguided, guided);
    // Features are the same for both prompts.
    let outline = || vec![adapter(AdapterKind::Outline)];
    assert_eq!(edit(1.0, outline()), edit(6.0, outline()));
    assert_ne!(edit(1.0, outline()), edit(1.0, Vec::new()));
}

#[test]
fn an_input_that_cannot_be_used_is_named() {
    let mut model = built_in();
    let mut refused = |change: &dyn Fn(&mut AdapterInput)| {
        let mut input = adapter(AdapterKind::Style);
        change(&mut input);
        let error = draw(&mut model, vec![input]).unwrap_err();
        assert!(matches!(error, DiffusionError::Adapter(_)), "{error:?}");
        error.to_string()
    };
    let error = refused(&|input| input.schedule.weight = f32::NAN);
    assert_eq!(error, "the weight NaN of a style image cannot be used: give a number such as 1");
    for (from, to) in [(0.5, 0.5), (-0.1, 1.0), (0.0, 1.5), (f32::NAN, 1.0)] {
        let schedule = AdapterSchedule { from, to, ..AdapterSchedule::default() };
        let error = refused(&|input| input.schedule = schedule);
        assert!(error.contains(&format!("from {from} to {to} of the steps")), "{error}");
    }
    let error = refused(&|input| input.image = Arc::new(RgbaImage::new(0, 4)));
    assert_eq!(error, "the style image has no pixels");
    let error = refused(&|input| input.mask = Some(Mask::full(100, 96)));
    assert!(error.contains("100x96") && error.contains("150x96"), "{error}");
}

#[test]
fn a_model_without_adapters_names_what_it_cannot_use() {
    let mut other = Model::load(&model("sd1"), DeviceKind::Cpu, &Interrupt::default()).unwrap();
    let request = DrawRequest {
        prompt: String::new(),
        negative_prompt: String::new(),
        size: Size::new(64, 64),
        sampler: sampler(1.0),
        noise: Noise::Seed(0),
        losses: Vec::new(),
        images: Images::new(),
        adapters: vec![adapter(AdapterKind::Scribble)],
    };
    let error = other.draw(&request, &Interrupt::default(), &mut []).unwrap_err().to_string();
    assert!(error.contains("cannot use a scribble: use the built-in model"), "{error}");
}
