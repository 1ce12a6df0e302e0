//! L-BFGS.

use std::collections::VecDeque;

use candle_core::{Result, Tensor};

use super::{Optimizer, dot};

/// L-BFGS (Liu and Nocedal 1989) with a fixed learning rate, as `torch.optim.LBFGS` without a line search computes one
/// iteration.
///
/// candle-optimisers has one, too, but no release for this version of candle, and it differs from that of PyTorch.
#[derive(Debug)]
pub struct Lbfgs {
    learning_rate: f64,
    /// The number of kept steps.
    history: usize,
    kept: VecDeque<Kept>,
    /// The step and the gradient before the current point.
    last: Option<[Tensor; 2]>,
}

/// A step and the change of the gradient, which measure the curvature.
#[derive(Debug)]
struct Kept {
    step: Tensor,
    change: Tensor,
    /// Their product.
    product: f64,
}

/// Steps with a smaller product say nothing about the curvature.
const MIN_PRODUCT: f64 = 1e-10;

/// A direction with a larger slope does not lead down.
const MAX_SLOPE: f64 = -1e-9;

impl Lbfgs {
    /// An optimizer that keeps `history` steps.
    #[must_use]
    pub fn new(learning_rate: f64, history: usize) -> Self {
        Self { learning_rate, history, kept: VecDeque::new(), last: None }
    }

    /// Keeps the last step.
    fn keep(&mut self, step: &Tensor, change: Tensor) -> Result<()> {
        let product = dot(step, &change)?;
        if product > MIN_PRODUCT {
            if self.kept.len() >= self.history {
                self.kept.pop_front();
            }
            self.kept.push_back(Kept { step: step.clone(), change, product });
        }
        Ok(())
    }

    /// The gradient, multiplied by the estimated inverse of the second derivatives: the two loops of Nocedal (1980).
    fn newton(&self, gradient: &Tensor) -> Result<Tensor> {
        let mut direction = gradient.clone();
        let mut shares = Vec::with_capacity(self.kept.len());
        for Kept { step, change, product } in self.kept.iter().rev() {
            let share = dot(step, &direction)? / product;
            direction = (direction - (change * share)?)?;
            shares.push(share);
        }
        if let Some(Kept { change, product, .. }) = self.kept.back() {
            direction = (direction * (product / dot(change, change)?))?;
        }
        for (Kept { step, change, product }, share) in self.kept.iter().zip(shares.iter().rev()) {
            let other = dot(change, &direction)? / product;
            direction = (direction + (step * (share - other))?)?;
        }
        Ok(direction)
    }
}

impl Optimizer for Lbfgs {
    fn step(&mut self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let rate = match self.last.take() {
            Some([step, before]) => {
                self.keep(&step, (gradient - before)?)?;
                self.learning_rate
            }
            None => {
                let length = dot(&gradient.abs()?, &gradient.ones_like()?)?;
                self.learning_rate * length.recip().min(1.0)
            }
        };
        let direction = self.newton(gradient)?.neg()?;
        let step = (&direction * rate)?;
        let next = match dot(gradient, &direction)? > MAX_SLOPE {
            true => x.clone(),
            false => (x + &step)?,
        };
        self.last = Some([step, gradient.clone()]);
        Ok(next)
    }
}
