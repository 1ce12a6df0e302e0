//! Step hooks: implementations of [`StepHook`], passed to one drawing.

use bevy_illustrator::{
    control::Interrupt,
    diffusion::{DeviceKind, DiffusionError, DrawRequest, Model, Noise, State, StepHook},
    model::EmbeddedPackage,
    recipe::{Images, ResolvedSampler, Size},
};
use candle_core::{Tensor, Var};

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
        assert!(state.predict(&state.latents).is_err());
        state.latents = state.latents.zeros_like()?;
        Ok(())
    }
}

fn request(seed: u64) -> DrawRequest {
    DrawRequest {
        prompt: "a red lighthouse by the sea".to_owned(),
        negative_prompt: String::new(),
        size: Size::new(32, 32),
        sampler: ResolvedSampler { steps: 3, ..ResolvedSampler::default() },
        noise: Noise::Seed(seed),
        inspirations: Vec::new(),
        losses: Vec::new(),
        score: false,
        images: Images::new(),
    }
}

/// Predicts again in each step.
#[derive(Default)]
struct PredictAgain {
    /// For each step, the slope of a sum of the prediction in one direction: from its gradient, and from differences.
    slopes: Vec<[f32; 2]>,
}

impl StepHook for PredictAgain {
    fn predicted(
        &mut self,
        state: &mut State<'_>,
        model_output: Tensor,
    ) -> Result<Tensor, DiffusionError> {
        let sum = |latents: &Tensor| Ok::<_, DiffusionError>(state.predict(latents)?.sum_all()?);
        let again = state.predict(&state.latents)?;
        assert_eq!((again - &model_output)?.abs()?.max_all()?.to_scalar::<f32>()?, 0.0);

        let direction = model_output.ones_like()?;
        let variable = Var::from_tensor(&state.latents)?;
        let gradients = sum(&variable)?.backward()?;
        let gradient = gradients.get(&variable).expect("it is differentiable");
        let slope = (gradient * &direction)?.sum_all()?.to_scalar::<f32>()?;
        let at = |distance: f64| sum(&(&state.latents + (&direction * distance)?)?);
        let difference = (at(0.02)? - at(-0.02)?)?.to_scalar::<f32>()? / 0.04;
        self.slopes.push([slope, difference]);
        Ok(model_output)
    }
}

#[test]
fn a_hook_predicts_again_and_gradients_go_through_the_network() {
    let interrupt = Interrupt::default();
    let package = EmbeddedPackage::built_in();
    let mut model = Model::load(&package, DeviceKind::Cpu, &interrupt).unwrap();
    let mut hook = PredictAgain::default();
    model.draw(&request(1), &interrupt, &mut [&mut hook]).unwrap();
    assert_eq!(hook.slopes.len(), 3);
    for [slope, difference] in hook.slopes {
        println!("{slope} {difference}");
        assert!((slope - difference).abs() < 0.02 * slope.abs(), "{slope} is not {difference}");
    }
}

#[test]
fn a_hook_sees_every_step_and_changes_the_picture() {
    let interrupt = Interrupt::default();
    let package = EmbeddedPackage::built_in();
    let mut model = Model::load(&package, DeviceKind::Cpu, &interrupt).unwrap();
    let plain = model.draw(&request(1), &interrupt, &mut []).unwrap();
    let mut hook = Erase::default();
    let erased = model.draw(&request(1), &interrupt, &mut [&mut hook]).unwrap();
    let other = model.draw(&request(2), &interrupt, &mut [&mut Erase::default()]).unwrap();
    assert_eq!((hook.before, hook.after), (vec![0, 1, 2], 3));
    assert!(erased != plain && erased == other);
}
