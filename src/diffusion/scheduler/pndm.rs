//! PNDM without Runge–Kutta steps (PLMS).

use std::collections::VecDeque;

use candle_core::{Result, Tensor};

use super::{
    SchedulerConfig, SchedulerError,
    limit::Limit,
    mix,
    noise_schedule::NoiseSchedule,
    solver::{Level, Solver, SolverScheduler, SolverStep},
    timesteps::{self, Spacing},
    trained_steps::at_timesteps,
};

/// The weights of the last outputs, the newest first: Adams–Bashforth methods of order 1 to 4.
const WEIGHTS: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

/// The pseudo linear multistep method (Liu et al. 2022, arXiv:2202.09778, equations 11 and 12), as Stable Diffusion uses
/// it. The first requested step is two: the second corrects it with the mean of both outputs.
pub(super) struct Pndm {
    /// The levels before and after each step.
    moves: Vec<[Level; 2]>,
    /// The last outputs, the newest first.
    outputs: VecDeque<Tensor>,
    /// The latents before the first step, until they are corrected.
    start: Option<Tensor>,
}

impl Pndm {
    pub fn new(
        config: &SchedulerConfig,
        steps: usize,
    ) -> std::result::Result<SolverScheduler<Self>, SchedulerError> {
        if !config.flag("skip_prk_steps", false)? {
            let expected = "Runge–Kutta steps are not supported: set it to true";
            return Err(config.wrong("skip_prk_steps", expected));
        }
        let schedule = NoiseSchedule::new(config)?;
        let trained = schedule.0.len();
        let stride = trained / steps;
        let mut timesteps = timesteps::whole(config, Spacing::Leading, trained, steps)?;
        if let Some(&second) = timesteps.get(1) {
            timesteps.insert(1, second);
        }
        let last = schedule.last_share(config, false)?;
        let moves: Vec<[Level; 2]> = timesteps
            .iter()
            .enumerate()
            .map(|(index, &timestep)| {
                // The second step starts where the first one did.
                let from = if index == 1 { timestep + stride } else { timestep };
                let to = from.checked_sub(stride).map_or(last, |t| schedule.share(t));
                [schedule.share(from.min(trained - 1)), to].map(Level::of_share)
            })
            .collect();
        let end = moves.last().map_or(last, |[_, to]| to.alpha.powi(2));
        let steps = at_timesteps(&timesteps, &schedule, end, Limit::Free, config)?;
        Ok(SolverScheduler { steps, solver: Self { moves, outputs: VecDeque::new(), start: None } })
    }
}

impl Solver for Pndm {
    fn next(&mut self, step: &SolverStep<'_>) -> Result<Tensor> {
        let [from, to] = self.moves[step.index];
        let corrects = step.index == 1;
        if !corrects {
            self.outputs.push_front(step.model_output.clone());
            self.outputs.truncate(WEIGHTS.len());
        }
        let (start, output) = match (corrects, self.start.take(), self.outputs.front()) {
            (true, Some(start), Some(first)) => (start, mix(first, 0.5, step.model_output, 0.5)?),
            // Without a first step, there is nothing to correct.
            (true, ..) => return Ok(step.latents.clone()),
            (false, ..) => (step.latents.clone(), self.extrapolated()?),
        };
        if step.index == 0 {
            self.start = Some(start.clone());
        }
        let noise = step.prediction.noise(&output, &start, [from.alpha, from.sigma])?;
        let kept = to.alpha / from.alpha;
        mix(&start, kept, &noise, to.sigma - kept * from.sigma)
    }

    fn can_start(&self, step: usize) -> bool {
        step != 1
    }
}

impl Pndm {
    /// The weighted sum of the last outputs.
    fn extrapolated(&self) -> Result<Tensor> {
        let weights = WEIGHTS[self.outputs.len() - 1];
        let mut weighted =
            self.outputs.iter().zip(weights).map(|(output, weight)| output * *weight);
        let Some(first) = weighted.next() else {
            return Err(candle_core::Error::msg("PNDM has no output of the denoiser"));
        };
        weighted.try_fold(first?, |sum, output| sum + output?)
    }
}
