//! Gradient descent with momentum.

use candle_core::{Result, Tensor};

use super::Optimizer;

/// Gradient descent with momentum (Polyak 1964), as `torch.optim.SGD` computes it.
///
/// That of candle-nn has no momentum.
#[derive(Debug)]
pub struct Sgd {
    learning_rate: f64,
    momentum: f64,
    velocity: Option<Tensor>,
}

impl Sgd {
    /// An optimizer at rest.
    #[must_use]
    pub fn new(learning_rate: f64, momentum: f64) -> Self {
        Self { learning_rate, momentum, velocity: None }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let velocity = match self.velocity.take() {
            Some(velocity) => ((velocity * self.momentum)? + gradient)?,
            None => gradient.clone(),
        };
        let velocity = self.velocity.insert(velocity);
        x - (&*velocity * self.learning_rate)?
    }
}
