//! A step hook: one implementation of [`StepHook`], passed to one drawing.

use bevy_illustrator::{
    control::Interrupt,
    diffusion::{DeviceKind, DiffusionError, DrawRequest, Model, Noise, State, StepHook},
    model::EmbeddedPackage,
    recipe::{Images, ResolvedSampler, Size},
};

/// Counts the steps and replaces the finished latents with zeros.
#[derive(Default)]
struct Erase {
    before: Vec<usize>,
    after: usize,
}

impl StepHook for Erase {
    fn before(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        self.before.push(state.step);
        Ok(())
    }

    fn after(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        self.after += usize::from(state.predicted_original.is_some());
        Ok(())
    }

    fn end(&mut self, state: &mut State<'_>) -> Result<(), DiffusionError> {
        state.latents = state.latents.zeros_like()?;
        Ok(())
    }
}

#[test]
fn a_hook_sees_every_step_and_changes_the_picture() {
    let interrupt = Interrupt::default();
    let package = EmbeddedPackage::built_in();
    let mut model = Model::load(&package, DeviceKind::Cpu, &interrupt).unwrap();
    let request = |seed| DrawRequest {
        prompt: "a red lighthouse by the sea".to_owned(),
        negative_prompt: String::new(),
        size: Size::new(32, 32),
        sampler: ResolvedSampler { steps: 3, ..ResolvedSampler::default() },
        noise: Noise::Seed(seed),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    };
    let plain = model.draw(&request(1), &interrupt, &mut []).unwrap();
    let mut hook = Erase::default();
    let erased = model.draw(&request(1), &interrupt, &mut [&mut hook]).unwrap();
    let other = model.draw(&request(2), &interrupt, &mut [&mut Erase::default()]).unwrap();
    assert_eq!((hook.before, hook.after), (vec![0, 1, 2], 3));
    assert!(erased != plain && erased == other);
}
