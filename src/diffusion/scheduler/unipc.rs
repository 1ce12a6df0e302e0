//! A predictor and corrector in one.

use std::collections::VecDeque;

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    lambda_steps::{Rounding, lambda_steps},
    solver::{Level, Solver, SolverScheduler, SolverStep, first_order},
};
use crate::diffusion::least_squares::eliminate;

/// The unified predictor-corrector (Zhao et al. 2023, arXiv:2302.04867, algorithms 5 and 6) of order 1 to 3, for predicted
/// finished latents.
pub(super) struct UniPc {
    order: usize,
    variant: Variant,
    /// Whether the last steps have a lower order, which is more stable.
    lower_order_final: bool,
    /// The steps that are not corrected.
    uncorrected: Vec<f64>,
    /// The last predictions, the newest first.
    predictions: VecDeque<Tensor>,
    /// The latents before the previous step, and its order.
    before: Option<(Tensor, usize)>,
}

/// The function B(h) of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// h.
    Bh1,
    /// exp(h) - 1.
    Bh2,
}

impl UniPc {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        for field in ["use_flow_sigmas", "use_dynamic_shifting", "shift_terminal", "solver_p"] {
            config.refuse(field)?;
        }
        if !config.flag("predict_x0", true)? {
            return Err(config.wrong("predict_x0", "only true is supported"));
        }
        let order @ 1..=3 = config.count("solver_order", 2)? else {
            return Err(config.wrong("solver_order", "only 1 to 3 are supported"));
        };
        let variants = [
            ("bh1", Variant::Bh1),
            ("bh2", Variant::Bh2),
            // Solver types of DPM-Solver and DEIS configs.
            ("midpoint", Variant::Bh2),
            ("heun", Variant::Bh2),
            ("logrho", Variant::Bh2),
        ];
        let solver = Self {
            order,
            variant: config.choice("solver_type", &variants)?.unwrap_or(Variant::Bh2),
            lower_order_final: config.flag("lower_order_final", true)?,
            uncorrected: config.numbers("disable_corrector")?.unwrap_or_default(),
            predictions: VecDeque::new(),
            before: None,
        };
        Ok(SolverScheduler { steps: lambda_steps(config, steps, Rounding::Nearest)?, solver })
    }

    /// The latents after step `index`, from those before it and the last predictions. `after` is the prediction at the
    /// latents after the step; with it, this is the corrector.
    fn update(
        &self,
        levels: &[Level],
        index: usize,
        latents: &Tensor,
        order: usize,
        after: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (from, to) = (levels[index], levels[index + 1]);
        let newest = &self.predictions[0];
        let moved = first_order(latents, newest, from, to)?;
        let h = to.lambda() - from.lambda();
        let mut nodes: Vec<f64> =
            (1..order).map(|i| (levels[index - i].lambda() - from.lambda()) / h).collect();
        let mut predictions: Vec<&Tensor> =
            self.predictions.iter().skip(1).take(order - 1).collect();
        if let Some(after) = after {
            nodes.push(1.0);
            predictions.push(after);
        }
        let weights = self.weights(&nodes, h);
        let mut latents = moved;
        for ((node, prediction), weight) in nodes.iter().zip(predictions).zip(weights) {
            let change = (prediction - newest)?;
            latents = (latents - change * (to.alpha * self.scale(-h) * weight / node))?;
        }
        Ok(latents)
    }

    fn scale(&self, negative_h: f64) -> f64 {
        match self.variant {
            Variant::Bh1 => negative_h,
            Variant::Bh2 => negative_h.exp_m1(),
        }
    }

    /// The weights of the changes of prediction at `nodes`: the step is exact for polynomials of this degree. With one
    /// node, a half is as exact.
    fn weights(&self, nodes: &[f64], h: f64) -> Vec<f64> {
        if nodes.len() == 1 {
            return vec![0.5];
        }
        let x = -h;
        let (mut factorial, mut phi) = (1.0, x.exp_m1() / x - 1.0);
        let mut equations = Vec::new();
        for row in 0..nodes.len() {
            let powers = nodes.iter().map(|node| node.powi(row as i32));
            equations.push(powers.chain([phi * factorial / self.scale(x)]).collect::<Vec<_>>());
            factorial *= (row + 2) as f64;
            phi = phi / x - 1.0 / factorial;
        }
        eliminate(&mut equations, nodes.len());
        equations.into_iter().filter_map(|row| row.last().copied()).collect()
    }
}

impl Solver for UniPc {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let SolverStep { index, levels, predicted_original, .. } = *step;
        let latents = match self.before.take() {
            Some((start, order)) if !self.uncorrected.contains(&(index as f64 - 1.0)) => {
                self.update(levels, index - 1, &start, order, Some(predicted_original))?
            }
            _ => step.latents.clone(),
        };
        self.predictions.push_front(predicted_original.clone());
        self.predictions.truncate(self.order);
        if step.from().sigma == step.to().sigma {
            // The last two levels may be equal.
            return Ok(latents);
        }
        let left = levels.len() - 1 - index;
        let order = match self.lower_order_final || step.to().sigma == 0.0 {
            true => self.order.min(left),
            false => self.order,
        };
        let order = order.min(self.predictions.len());
        let next = self.update(levels, index, &latents, order, None)?;
        self.before = Some((latents, order));
        Ok(next)
    }
}
