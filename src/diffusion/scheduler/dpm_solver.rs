//! The multistep DPM-Solver++.

use candle_core::{Result, Tensor};

use super::{
    Scheduler, SchedulerConfig, SchedulerError, Stepped,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    prediction::Prediction,
    sigmas::{self, SigmaSpacing},
    timesteps::{self, Spacing},
};

/// DPM-Solver++ of order 1 or 2 (2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2).
pub(super) struct DpmSolver {
    timesteps: Vec<f64>,
    levels: Vec<Level>,
    second_order: bool,
    /// Whether the last step is first-order, which is more stable.
    first_order_last: bool,
    solver: Solver,
    prediction: Prediction,
    limit: Limit,
    /// The prediction of the previous step.
    before: Option<Tensor>,
}

/// The integration of the second-order term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Solver {
    Midpoint,
    Heun,
}

/// A noise level: the latents are `alpha` of the finished ones plus `sigma` of noise.
#[derive(Clone, Copy, Debug)]
struct Level {
    alpha: f64,
    sigma: f64,
    /// Half the logarithm of the signal-to-noise ratio.
    lambda: f64,
}

impl Level {
    /// The level with this noise-to-signal ratio.
    fn new(ratio: f64) -> Self {
        let alpha = 1.0 / ratio.hypot(1.0);
        Self { alpha, sigma: ratio * alpha, lambda: -ratio.ln() }
    }
}

impl DpmSolver {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<Self, SchedulerError> {
        for field in ["use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting"] {
            config.refuse(field)?;
        }
        // A fixed variance only concerns DDPM, whose configs training scripts write. With a learned one, the model
        // predicts more channels.
        let fixed = ["fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"];
        config.choice("variance_type", &fixed.map(|name| (name, ())))?;
        config.choice("algorithm_type", &[("dpmsolver++", ()), ("deis", ())])?;
        let solvers = [
            ("midpoint", Solver::Midpoint),
            ("heun", Solver::Heun),
            // Solver types of DEIS and UniPC configs, mapped to the closest supported one.
            ("logrho", Solver::Midpoint),
            ("bh1", Solver::Midpoint),
            ("bh2", Solver::Midpoint),
        ];
        let solver = config.choice("solver_type", &solvers)?.unwrap_or(Solver::Midpoint);
        let second_order = match config.count("solver_order", 2)? {
            1 => false,
            2 => true,
            _ => return Err(config.wrong("solver_order", "only 1 and 2 are supported")),
        };

        let trained = NoiseSchedule::new_above_zero(config)?.sigmas();
        let (timesteps, ratios) = noise_levels(config, &trained, steps)?;
        let steady = config.flag("euler_at_final", false)?
            || (config.flag("lower_order_final", true)? && timesteps.len() < 15);
        Ok(Self {
            first_order_last: steady || ratios.last() == Some(&0.0),
            timesteps,
            levels: ratios.into_iter().map(Level::new).collect(),
            second_order,
            solver,
            prediction: Prediction::read(config)?,
            limit: Limit::read(config)?,
            before: None,
        })
    }

    /// The second-order term of a step, as a factor of the change in prediction.
    fn second_order_weight(&self, step: usize) -> f64 {
        let [before, from, to] = [step - 1, step, step + 1].map(|i| self.levels[i]);
        let (h, h_before) = (to.lambda - from.lambda, from.lambda - before.lambda);
        let shrink = (-h).exp_m1();
        h / h_before
            * match self.solver {
                Solver::Midpoint => -0.5 * to.alpha * shrink,
                Solver::Heun => to.alpha * (shrink / h + 1.0),
            }
    }
}

/// The timesteps, and the noise-to-signal ratio before each of them and after the last.
fn noise_levels(
    config: &SchedulerConfig,
    trained: &[f64],
    steps: usize,
) -> std::result::Result<(Vec<f64>, Vec<f64>), SchedulerError> {
    // Drops levels whose signal is too low for a stable step.
    let min_lambda = config.number("lambda_min_clipped")?.unwrap_or(f64::MIN);
    let count = trained.iter().filter(|sigma| -sigma.ln() >= min_lambda).count();
    if count == 0 {
        return Err(config.wrong("lambda_min_clipped", "it excludes all timesteps"));
    }
    let spacing = Spacing::read(config, Spacing::Linspace)?;
    let offset = config.count("steps_offset", 0)?;
    let mut timesteps = match spacing {
        Spacing::Leading => {
            let mut all = timesteps::leading(count / (steps + 1), steps + 1, offset);
            all.truncate(steps);
            all
        }
        Spacing::Trailing => timesteps::trailing(trained.len(), count, steps),
        Spacing::Linspace => {
            let all = timesteps::linspace((count - 1) as f64, steps + 1);
            all.into_iter().take(steps).map(f64::round_ties_even).collect()
        }
    };
    let (smallest, largest) = (trained[0], trained[trained.len() - 1]);
    let mut sigmas = match SigmaSpacing::read(config)? {
        SigmaSpacing::Timesteps => timesteps.iter().map(|&t| sigmas::at(trained, t)).collect(),
        spread => {
            let sigmas = spread.between(config, largest, smallest, steps)?.unwrap_or_default();
            let cosine = config.choice("beta_schedule", &[("squaredcos_cap_v2", ())]);
            let rounded = spread == SigmaSpacing::Karras && !matches!(cosine, Ok(Some(())));
            timesteps = sigmas
                .iter()
                .map(|&sigma| sigmas::to_timestep(trained, sigma))
                .map(|t| if rounded { t.round_ties_even() } else { t.trunc() })
                .collect();
            sigmas
        }
    };
    sigmas.push(sigmas::last(config, trained)?);
    for sigma in &mut sigmas {
        *sigma = f64::from(*sigma as f32);
    }
    match sigmas::decrease(&sigmas) {
        true => Ok((timesteps, sigmas)),
        false => Err(SchedulerError::Crowded { steps, spacing: spacing.name(), offset }),
    }
}

impl Scheduler for DpmSolver {
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
        let Level { alpha, sigma, .. } = self.levels[step];
        [alpha, sigma]
    }

    fn prediction(&self) -> Prediction {
        self.prediction
    }

    fn step(&mut self, model_output: &Tensor, step: usize, latents: &Tensor) -> Result<Stepped> {
        let (from, to) = (self.levels[step], self.levels[step + 1]);
        let original = self.prediction.original(model_output, latents, [from.alpha, from.sigma])?;
        let predicted_original = self.limit.apply(original)?;
        let before = self.before.replace(predicted_original.clone());
        let h = to.lambda - from.lambda;
        if h == 0.0 {
            // The last two levels may be equal.
            return Ok(Stepped { latents: latents.clone(), predicted_original });
        }
        let first_order =
            mix(latents, to.sigma / from.sigma, &predicted_original, -to.alpha * (-h).exp_m1())?;
        let last = step + 1 == self.timesteps.len();
        let latents = match before {
            Some(before) if self.second_order && !(last && self.first_order_last) => {
                let change = (&predicted_original - before)?;
                (first_order + change * self.second_order_weight(step))?
            }
            _ => first_order,
        };
        Ok(Stepped { latents, predicted_original })
    }
}
