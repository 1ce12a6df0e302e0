//! DDIM without added noise.

use candle_core::{Result, Tensor};

use super::{
    Scheduler, SchedulerConfig, SchedulerError, Stepped,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    timesteps::{self, Spacing},
};

/// DDIM with `eta` 0 (Song et al. 2021, arXiv:2010.02502, equation 12).
pub(super) struct Ddim {
    timesteps: Vec<f64>,
    /// The cumulative alphas before and after each step.
    alphas: Vec<[f64; 2]>,
    prediction: Prediction,
    limit: Limit,
}

impl Ddim {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<Self, SchedulerError> {
        let schedule = NoiseSchedule::new(config)?;
        let trained = schedule.0.len();
        let spacing = Spacing::read(config, Spacing::Leading)?;
        let offset = config.count("steps_offset", 0)?;
        let stride = trained / steps;
        let timesteps = match spacing {
            Spacing::Leading => timesteps::leading(stride, steps, offset),
            Spacing::Trailing => timesteps::trailing(trained, trained, steps),
            Spacing::Linspace => {
                let last = (trained - 1) as f64;
                timesteps::linspace(last, steps).into_iter().map(f64::round_ties_even).collect()
            }
        };
        let last = match config.flag("set_alpha_to_one", true)? {
            true => 1.0,
            false => schedule.0[0],
        };
        let alphas = timesteps
            .iter()
            .map(|&timestep| {
                let timestep = timestep as usize;
                let before = schedule.0.get(timestep).copied()?;
                let after = timestep.checked_sub(stride).map_or(last, |after| schedule.0[after]);
                Some([f64::from(before), f64::from(after)])
            })
            .collect::<Option<Vec<_>>>()
            .ok_or(SchedulerError::Crowded { steps, spacing: spacing.name(), offset })?;
        let prediction = Prediction::read(config)?;
        if prediction == Prediction::Epsilon && alphas.iter().any(|&[before, _]| before <= 0.0) {
            return Err(config.wrong(
                "rescale_betas_zero_snr",
                "the first step would start from pure noise, which is impossible for a model that predicts \
                 noise (`prediction_type` \"epsilon\")",
            ));
        }
        Ok(Self { timesteps, alphas, prediction, limit: Limit::read_with_clip(config)? })
    }
}

impl Scheduler for Ddim {
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
        let end = self.alphas.last().map_or(1.0, |&[_, after]| after);
        let alpha = self.alphas.get(step).map_or(end, |&[before, _]| before);
        [alpha.sqrt(), (1.0 - alpha).sqrt()]
    }

    fn prediction(&self) -> Prediction {
        self.prediction
    }

    fn step(&mut self, model_output: &Tensor, step: usize, latents: &Tensor) -> Result<Stepped> {
        let [before, after] = self.alphas[step];
        let weights = [before.sqrt(), (1.0 - before).sqrt()];
        let original = self.prediction.original(model_output, latents, weights)?;
        let predicted_original = self.limit.apply(original)?;
        let noise = self.prediction.noise(model_output, latents, weights)?;
        let latents = mix(&predicted_original, after.sqrt(), &noise, (1.0 - after).sqrt())?;
        Ok(Stepped { latents, predicted_original })
    }
}
