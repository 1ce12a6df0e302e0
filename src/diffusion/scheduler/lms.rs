//! The linear multistep method.

use std::collections::VecDeque;

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    sigma_steps::SigmaSteps,
    solver::{Solver, SolverScheduler, SolverStep},
};

/// The most slopes that a step uses.
const ORDER: usize = 4;

/// A linear multistep method of order 4 (Adams–Bashforth for uneven steps): integrates the polynomial through the last
/// slopes.
#[derive(Default)]
pub(super) struct Lms {
    /// The last slopes, the newest first.
    slopes: VecDeque<Tensor>,
}

impl Lms {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        let steps = SigmaSteps::new(config, steps)?.finish(config)?;
        Ok(SolverScheduler { steps, solver: Self::default() })
    }
}

impl Solver for Lms {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let slope = ((step.latents - step.predicted_original)? / step.from().sigma)?;
        self.slopes.push_front(slope);
        self.slopes.truncate(ORDER);
        let known: Vec<f64> =
            (0..self.slopes.len()).map(|i| step.levels[step.index - i].sigma).collect();
        let mut latents = step.latents.clone();
        for (i, slope) in self.slopes.iter().enumerate() {
            latents = (latents + (slope * basis_integral(&known, i, step.to().sigma))?)?;
        }
        Ok(latents)
    }
}

/// The integral from the first of `nodes` to `end` of the Lagrange polynomial that is 1 at the node `index` and 0 at the
/// others. Gauss's rule with two points is exact up to the third degree.
fn basis_integral(nodes: &[f64], index: usize, end: f64) -> f64 {
    let (middle, half) = (f64::midpoint(nodes[0], end), (end - nodes[0]) / 2.0);
    let value = |x: f64| {
        let others = nodes.iter().enumerate().filter(|(other, _)| *other != index);
        others.map(|(_, node)| (x - node) / (nodes[index] - node)).product::<f64>()
    };
    let offset = half / 3_f64.sqrt();
    half * (value(middle - offset) + value(middle + offset))
}
