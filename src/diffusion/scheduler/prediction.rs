//! Prediction types.

use candle_core::{Result, Tensor};

use super::{SchedulerConfig, SchedulerError, mix};

/// The quantity that the network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// The finished latents.
    Sample,
    /// The velocity, a combination of the two (Salimans & Ho 2022, arXiv:2202.00512).
    Velocity,
    /// The noise minus the finished latents, which is the direction of the straight line between them (Liu et al. 2022,
    /// arXiv:2209.03003; Lipman et al. 2022, arXiv:2210.02747).
    Flow,
}

impl Prediction {
    pub(super) fn read(config: &SchedulerConfig) -> std::result::Result<Self, SchedulerError> {
        let choices = [
            ("epsilon", Self::Epsilon),
            ("sample", Self::Sample),
            ("v_prediction", Self::Velocity),
        ];
        Ok(config.choice("prediction_type", &choices)?.unwrap_or(Self::Epsilon))
    }

    /// The finished latents, if `latents` are `alpha` times them plus `sigma` times noise.
    pub(super) fn original(
        self,
        output: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        match self {
            Self::Epsilon => mix(latents, 1.0 / alpha, output, -sigma / alpha),
            Self::Sample => Ok(output.clone()),
            Self::Velocity => mix(latents, alpha, output, -sigma),
            Self::Flow => {
                let scale = alpha + sigma;
                mix(latents, 1.0 / scale, output, -sigma / scale)
            }
        }
    }

    /// The noise, if `latents` are `alpha` times the finished latents plus `sigma` times noise.
    pub(super) fn noise(
        self,
        output: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        match self {
            Self::Epsilon => Ok(output.clone()),
            Self::Sample => mix(latents, 1.0 / sigma, output, -alpha / sigma),
            Self::Velocity => mix(output, alpha, latents, sigma),
            Self::Flow => {
                let scale = alpha + sigma;
                mix(latents, 1.0 / scale, output, alpha / scale)
            }
        }
    }

    /// The finished latents that a prediction means, for latents of any variance: `alpha` and
    /// `sigma` are those of [`Scheduler::alpha_sigma`](super::Scheduler::alpha_sigma).
    ///
    /// # Errors
    /// If candle fails.
    pub fn predicted_original(
        self,
        output: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        let scale = alpha.hypot(sigma);
        match self {
            Self::Velocity => mix(latents, alpha / scale.powi(2), output, -sigma / scale),
            other => other.original(output, latents, [alpha, sigma]),
        }
    }

    /// The inverse of [`Self::predicted_original`]: the prediction that means these finished latents. `sigma` must be
    /// above 0.
    ///
    /// # Errors
    /// If candle fails.
    pub fn output_for(
        self,
        original: &Tensor,
        latents: &Tensor,
        [alpha, sigma]: [f64; 2],
    ) -> Result<Tensor> {
        let scale = alpha.hypot(sigma);
        match self {
            Self::Epsilon => mix(latents, 1.0 / sigma, original, -alpha / sigma),
            Self::Sample => Ok(original.clone()),
            Self::Velocity => mix(latents, alpha / (scale * sigma), original, -scale / sigma),
            Self::Flow => mix(latents, 1.0 / sigma, original, -(alpha + sigma) / sigma),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn a_prediction_and_the_finished_latents_that_it_means_convert_into_each_other() {
        let numbers = |values: [f64; 3]| Tensor::new(&values, &Device::Cpu).unwrap();
        let (original, noise) = (numbers([1.0, -2.0, 0.5]), numbers([0.3, 0.7, -1.1]));
        // Of variance 1, and of a larger one, as Euler has them.
        for [alpha, sigma] in [[0.8, 0.6], [1.0, 3.0], [0.0, 1.0]] {
            let latents = mix(&original, alpha, &noise, sigma).unwrap();
            let scale = f64::hypot(alpha, sigma);
            let velocity = mix(&noise, alpha / scale, &original, -sigma / scale).unwrap();
            let flow = (&noise - &original).unwrap();
            for (prediction, output) in [
                (Prediction::Epsilon, &noise),
                (Prediction::Sample, &original),
                (Prediction::Velocity, &velocity),
                (Prediction::Flow, &flow),
            ] {
                if prediction == Prediction::Epsilon && alpha == 0.0 {
                    continue;
                }
                let levels = [alpha, sigma];
                let found = prediction.predicted_original(output, &latents, levels).unwrap();
                let back = prediction.output_for(&original, &latents, levels).unwrap();
                for (found, expected) in [(found, &original), (back, output)] {
                    let error = (found - expected).unwrap().abs().unwrap().sum_all().unwrap();
                    assert!(error.to_scalar::<f64>().unwrap() < 1e-12, "{prediction:?}");
                }
            }
        }
    }
}
