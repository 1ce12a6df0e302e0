//! The multistep DPM-Solver++, with and without added noise.

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    ddpm::Variance,
    lambda_steps::{Rounding, lambda_steps},
    mix,
    solver::{Solver, SolverScheduler, SolverStep},
};

/// The value of `algorithm_type` for the stochastic solver.
const STOCHASTIC: &str = "sde-dpmsolver++";

/// DPM-Solver++ of order 1 or 2 (2M) (Lu et al. 2022, arXiv:2211.01095, algorithm 2), or SDE-DPM-Solver++ (equations 16
/// and 18 there).
pub(super) struct DpmSolver {
    second_order: bool,
    /// Whether the last step is first-order, which is more stable.
    first_order_last: bool,
    solver_type: SecondOrder,
    is_stochastic: bool,
    /// The prediction of the previous step.
    before: Option<Tensor>,
}

/// The integration of the second-order term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecondOrder {
    /// By the midpoint.
    Midpoint,
    /// As Heun's method.
    Heun,
}

impl DpmSolver {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        for field in ["use_lu_lambdas", "use_flow_sigmas", "use_dynamic_shifting"] {
            config.refuse(field)?;
        }
        // A fixed variance only concerns DDPM, whose configs training scripts write.
        Variance::read(config)?;
        let algorithms = [("dpmsolver++", false), ("deis", false), (STOCHASTIC, true)];
        let is_stochastic = config.choice("algorithm_type", &algorithms)?.unwrap_or(false);
        let solvers = [
            ("midpoint", SecondOrder::Midpoint),
            ("heun", SecondOrder::Heun),
            // Solver types of DEIS and UniPC configs, mapped to the closest supported one.
            ("logrho", SecondOrder::Midpoint),
            ("bh1", SecondOrder::Midpoint),
            ("bh2", SecondOrder::Midpoint),
        ];
        let solver_type = config.choice("solver_type", &solvers)?.unwrap_or(SecondOrder::Midpoint);
        let second_order = match config.count("solver_order", 2)? {
            1 => false,
            2 => true,
            _ => return Err(config.wrong("solver_order", "only 1 and 2 are supported")),
        };
        let steps = lambda_steps(config, steps, Rounding::ByNoiseSchedule)?;
        let steady = config.flag("euler_at_final", false)?
            || (config.flag("lower_order_final", true)? && steps.timesteps.len() < 15);
        let ends_clean = steps.levels.last().is_some_and(|level| level.sigma == 0.0);
        let solver = Self {
            second_order,
            first_order_last: steady || ends_clean,
            solver_type,
            is_stochastic,
            before: None,
        };
        Ok(SolverScheduler { steps, solver })
    }

    /// The same with `algorithm_type` "sde-dpmsolver++".
    pub fn stochastic(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        Self::new(&config.clone().with("algorithm_type", STOCHASTIC.into()), steps)
    }
}

impl Solver for DpmSolver {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let (from, to) = (step.from(), step.to());
        let before = self.before.replace(step.predicted_original.clone());
        let h = to.lambda() - from.lambda();
        if h == 0.0 {
            // The last two levels may be equal.
            return Ok(step.latents.clone());
        }
        // Added noise doubles the rate at which the latents move to the prediction.
        let rate = if self.is_stochastic { 2.0 } else { 1.0 };
        let shrink = (-rate * h).exp_m1();
        let kept = to.sigma / from.sigma * if self.is_stochastic { (-h).exp() } else { 1.0 };
        let mut latents = mix(step.latents, kept, step.predicted_original, -to.alpha * shrink)?;
        if let Some(before) = before
            && self.second_order
            && !(step.is_last() && self.first_order_last)
        {
            let h_before = from.lambda() - step.levels[step.index - 1].lambda();
            let weight = match self.solver_type {
                SecondOrder::Midpoint => -0.5 * shrink,
                SecondOrder::Heun => shrink / (rate * h) + 1.0,
            };
            let change = (step.predicted_original - before)?;
            latents = (latents + change * (to.alpha * weight * h / h_before))?;
        }
        if self.is_stochastic && to.sigma > 0.0 {
            latents = (latents + (step.noise)()? * (to.sigma * (-shrink).sqrt()))?;
        }
        Ok(latents)
    }
}
