//! Adam.

use candle_core::{Result, Tensor};

use super::Optimizer;

/// Adam (Kingma and Ba 2014, arXiv:1412.6980) with the decay rates and the epsilon of `torch.optim.Adam`.
///
/// That of candle-nn takes gradients from a backward pass only, and the gradients of losses are changed after it.
#[derive(Debug)]
pub struct Adam {
    learning_rate: f64,
    /// The number of steps so far.
    steps: i32,
    /// The running means of gradients and of their squares.
    moments: Option<[Tensor; 2]>,
}

/// The decay rates of the moments.
const BETAS: [f64; 2] = [0.9, 0.999];

/// Avoids a division by 0.
const EPSILON: f64 = 1e-8;

impl Adam {
    /// An optimizer without moments.
    #[must_use]
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, steps: 0, moments: None }
    }
}

impl Optimizer for Adam {
    fn step(&mut self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let [mean, square] = match self.moments.take() {
            Some(moments) => moments,
            None => [gradient.zeros_like()?, gradient.zeros_like()?],
        };
        let next =
            |moment: Tensor, value: Tensor, beta: f64| (moment * beta)? + (value * (1.0 - beta))?;
        let mean = next(mean, gradient.clone(), BETAS[0])?;
        let square = next(square, gradient.sqr()?, BETAS[1])?;
        self.steps = self.steps.saturating_add(1);
        // The moments start at 0. This corrects their bias.
        let [of_mean, of_square] = BETAS.map(|beta| 1.0 - beta.powi(self.steps));
        let deviation = ((&square / of_square)?.sqrt()? + EPSILON)?;
        let step = ((&mean / of_mean)? / deviation)?;
        self.moments = Some([mean, square]);
        x - (step * self.learning_rate)?
    }
}
