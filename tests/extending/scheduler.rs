//! A scheduler: one implementation of [`Scheduler`], registered by its class name.

use bevy_illustrator::{
    control::Interrupt,
    diffusion::{
        Conditioning, Denoiser, DenoiserInput, DiffusionError, SampleInputs,
        adapter::PictureAdapters,
        guide::Unguided,
        sample,
        scheduler::{
            self, Prediction, Scheduler, SchedulerClass, SchedulerConfig, StepNoise, Stepped,
        },
    },
};
use candle_core::{DType, Device, Result, Tensor};

/// Moves the latents along a straight line to the prediction.
struct StraightLine {
    timesteps: Vec<f64>,
}

impl Scheduler for StraightLine {
    fn timesteps(&self) -> &[f64] {
        &self.timesteps
    }

    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    fn scale_model_input(&self, latents: &Tensor, _step: usize) -> Result<Tensor> {
        Ok(latents.clone())
    }

    fn alpha_sigma(&self, step: usize) -> [f64; 2] {
        let share = 1.0 - step as f64 / self.timesteps.len() as f64;
        [1.0 - share, share]
    }

    fn prediction(&self) -> Prediction {
        Prediction::Sample
    }

    fn step(
        &mut self,
        model_output: &Tensor,
        step: usize,
        latents: &Tensor,
        _noise: &StepNoise<'_>,
    ) -> Result<Stepped> {
        let left = (self.timesteps.len() - step) as f64;
        let latents = (latents + ((model_output - latents)? / left)?)?;
        Ok(Stepped { latents, predicted_original: model_output.clone() })
    }
}

/// Predicts finished latents of 3 everywhere.
struct Three;

impl Denoiser for Three {
    fn predict(&self, input: &DenoiserInput<'_>) -> std::result::Result<Tensor, DiffusionError> {
        Ok((input.latents.ones_like()? * 3.0)?)
    }

    fn latent_channels(&self) -> usize {
        4
    }
}

#[test]
fn a_registered_scheduler_is_found_by_its_class_name_and_draws() {
    scheduler::register(SchedulerClass {
        class_name: "StraightLineScheduler",
        short_name: "straight",
        title: "Straight line",
        has_sigmas: false,
        is_flow: false,
        build: |config, steps| {
            let stride = config.num_train_timesteps()? / steps;
            let timesteps = (1..=steps).rev().map(|i| (i * stride - 1) as f64).collect();
            Ok(Box::new(StraightLine { timesteps }))
        },
    });
    assert!(scheduler::classes().iter().any(|class| class.title == "Straight line"));

    let config = SchedulerConfig::default();
    let mut scheduler = scheduler::build("StraightLineScheduler", &config, 4).unwrap();
    assert_eq!(scheduler.timesteps(), [999.0, 749.0, 499.0, 249.0]);
    let tokens = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu).unwrap();
    let conditionings = [Conditioning::new(tokens)];
    let inputs = SampleInputs {
        denoiser: &Three,
        scheduler: &mut *scheduler,
        noise: Tensor::zeros((1, 4, 2, 2), DType::F32, &Device::Cpu).unwrap(),
        inpainting: None,
        step_noise: &|_| panic!("this scheduler adds no noise"),
        conditionings: &conditionings,
        guide: &Unguided { prompt: 0 },
        prompt: &conditionings[0],
        negative_prompt: None,
        adapters: &PictureAdapters::default(),
        tile: None,
        interrupt: &Interrupt::default(),
    };
    let latents = sample(inputs, &mut []).unwrap();
    assert_eq!(latents.flatten_all().unwrap().to_vec1::<f32>().unwrap(), [3.0; 16]);
}
