//! Pictures of FLUX.2 Klein and Z-Image with low-rank adapters.

use bevy_illustrator::{
    diffusion::{DeviceKind, DrawRequest, Interrupt, Model, Noise, Trace},
    generator::{GeneratorRegistry, Inputs},
    model::FolderPackage,
    recipe::{Images, Lora, Recipe, Size},
};

use super::{
    assert_near,
    behaviour::recipe as recipe_of_steps,
    fixture,
    klein::{TOLERANCE, load, sampler},
    range, tensors,
};

fn loras(family: &str) -> [Lora; 2] {
    [("peft", 0.5), ("kohya", -0.25)].map(|(names, weight)| {
        let file = fixture(&format!("loras/{family}_{names}.safetensors")).display().to_string();
        Lora { file, weight }
    })
}

fn request(name: &str, guidance: f32, [width, height]: [u32; 2]) -> DrawRequest {
    DrawRequest {
        prompt: "a red lighthouse by the sea at night".to_owned(),
        negative_prompt: "low fog".to_owned(),
        size: Size::new(width, height),
        sampler: sampler(3, guidance),
        noise: Noise::Latents(tensors(&format!("pipelines/{name}.safetensors"))["noise"].clone()),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

fn drawn(model: &mut Model, request: &DrawRequest, trace: &mut Trace) -> Vec<u8> {
    let drawn = model.draw(request, &Interrupt::default(), &mut [trace]).unwrap();
    drawn.image.into_raw()
}

#[test]
fn pictures_with_two_low_rank_adapters_match_the_pipeline() {
    for (family, guidance, size) in [("klein", 1.0, [48, 32]), ("z_image", 3.0, [32, 48])] {
        let name = format!("{family}_loras");
        let (recorded, request) =
            (tensors(&format!("pipelines/{name}.safetensors")), request(&name, guidance, size));
        let mut model = load(&FolderPackage::open(fixture(family)).unwrap());
        let plain = drawn(&mut model, &request, &mut Trace::default());
        model.set_loras(&loras(family), &Interrupt::default()).unwrap();
        let mut trace = Trace::default();
        let changed = drawn(&mut model, &request, &mut trace);
        let mut compared = 0;
        for (key, expected) in recorded.iter().filter(|(key, _)| *key != "noise") {
            let found = trace.get(key).unwrap_or_else(|| panic!("{name}: no {key}"));
            // The pipeline clamps the picture.
            let allowed = if key == "image" { 2.0 } else { range(expected) };
            assert_near(&format!("{name}: {key}"), found, expected, TOLERANCE * allowed);
            compared += 1;
        }
        assert_eq!(compared, 3 + 3, "{name}");
        assert_ne!(plain, changed, "{name}");

        // A failure leaves the network as it was.
        let file = fixture("loras/sd1_kohya.safetensors").display().to_string();
        let other = Lora { file, weight: 1.0 };
        let error = model.set_loras(&[other], &Interrupt::default()).unwrap_err().to_string();
        assert!(error.contains("sd1_kohya") && error.contains("family of the model"), "{error}");
        assert!(drawn(&mut model, &request, &mut Trace::default()) == changed, "{name}");
        model.set_loras(&[], &Interrupt::default()).unwrap();
        assert!(drawn(&mut model, &request, &mut Trace::default()) == plain, "{name}");
    }
}

#[test]
fn a_prompt_names_a_low_rank_adapter_of_a_transformer() {
    let registry = GeneratorRegistry::built_in(DeviceKind::Cpu);
    let model = fixture("klein").display().to_string();
    let mut generator = registry.load(&model, &Interrupt::default()).unwrap();
    let [lora, _] = loras("klein");
    let recipe = |prompt: &str, loras: &[Lora]| Recipe {
        model: model.clone(),
        prompt: prompt.to_owned(),
        size: Size::new(32, 32),
        loras: loras.to_vec(),
        ..recipe_of_steps(2)
    };
    let mut draw = |recipe: &Recipe| {
        let drawn = generator.generate(recipe, &Inputs::default(), &Interrupt::default()).unwrap();
        (drawn.image, generator.card().hash.clone())
    };
    let plain = draw(&recipe("a key", &[]));
    let changed = draw(&recipe("a key", std::slice::from_ref(&lora)));
    assert!(plain.0 != changed.0 && plain.1 != changed.1);
    assert!(draw(&recipe("a key, <lora:klein_peft:0.5>", &[])) == changed);
}
