//! Layers one after another whose gradient needs little memory: gradient checkpointing (Chen et al. 2016, "Training deep
//! nets with sublinear memory cost").

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use candle_core::{Result, Tensor};

use super::{
    checkpoint::with_backward,
    fused::{definition_gradients, has_kernel},
};

/// A function of one tensor, with its gradient.
pub trait Differentiable: Send + Sync {
    /// The result at `x`.
    ///
    /// # Errors
    /// If the shapes do not match.
    fn forward(&self, x: &Tensor) -> Result<Tensor>;

    /// The gradient with respect to `x`, given the gradient of the result. Neither tensor has a graph.
    ///
    /// The default computes the result again, with a graph. A function with a gradient that needs less can override it.
    ///
    /// # Errors
    /// Those of [`Self::forward`].
    fn gradient(&self, x: &Tensor, gradient: Tensor) -> Result<Tensor> {
        let [gradient] = definition_gradients([x], &gradient, |[x]| self.forward(x))?;
        gradient.map_or_else(|| x.zeros_like(), Ok)
    }
}

impl<F: Fn(&Tensor) -> Result<Tensor> + Send + Sync> Differentiable for F {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self(x)
    }
}

/// Layers that are applied one after another.
///
/// For the backward pass, a chain keeps only the input of each layer, and only until the gradient has passed that layer.
/// Gradients reach the start of the chain only: tensors that the layers capture must not need any. On other devices than
/// the CPU, the layers are computed as they are.
pub struct Chain {
    start: Tensor,
    /// Whether the backward pass is that of [`Kept`].
    keeps: bool,
    kept: Kept,
    result: Tensor,
}

impl Chain {
    /// A chain without layers.
    pub fn new(x: &Tensor) -> Self {
        let keeps = x.track_op() && has_kernel(x);
        let result = if keeps { x.detach() } else { x.clone() };
        Self { start: x.clone(), keeps, kept: Kept::default(), result }
    }

    /// Applies another layer.
    ///
    /// # Errors
    /// Those of the layer.
    pub fn push(&mut self, layer: impl Differentiable + 'static) -> Result<()> {
        let result = layer.forward(&self.result)?;
        let input = mem::replace(&mut self.result, result);
        if self.keeps {
            self.kept.layers.push(Box::new(layer));
            self.kept.inputs.get_mut().unwrap_or_else(PoisonError::into_inner).push(input);
        }
        Ok(())
    }

    /// The result of the last layer so far, perhaps without a graph.
    pub fn last(&self) -> &Tensor {
        &self.result
    }

    /// The result of the last layer.
    ///
    /// # Errors
    /// If the result is not contiguous or has another type than `f32` or `f64`, and needs a gradient.
    pub fn finish(self) -> Result<Tensor> {
        if !self.keeps {
            return Ok(self.result);
        }
        let kept = self.kept;
        with_backward(&self.start, &self.result, move |x, gradient| {
            kept.gradient(x, gradient).map(Some)
        })
    }
}

/// What a chain keeps for the backward pass.
#[derive(Default)]
struct Kept {
    layers: Vec<Box<dyn Differentiable>>,
    /// The input of each layer. Taken by the backward pass, which drops each as soon as it can.
    inputs: Mutex<Vec<Tensor>>,
}

impl Kept {
    fn gradient(&self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let mut inputs =
            mem::take(&mut *self.inputs.lock().unwrap_or_else(PoisonError::into_inner));
        if inputs.is_empty() {
            // This is not the first backward pass.
            let mut input = x.detach();
            for layer in &self.layers {
                let next = layer.forward(&input)?;
                inputs.push(mem::replace(&mut input, next));
            }
        }
        let mut gradient = gradient.clone();
        for (layer, input) in self.layers.iter().zip(inputs).rev() {
            gradient = layer.gradient(&input, gradient)?;
        }
        Ok(gradient)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use candle_core::Var;

    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    fn square(x: &Tensor) -> Result<Tensor> {
        x.sqr()
    }

    fn part(x: &Tensor) -> Result<Tensor> {
        (x.sqr()? * x)?.narrow(1, 1, 2)?.transpose(1, 2)
    }

    /// `part` of `square`.
    fn chained(x: &Tensor) -> Result<Tensor> {
        let mut chain = Chain::new(x);
        chain.push(square)?;
        chain.push(part)?;
        chain.finish()
    }

    #[test]
    fn values_and_gradients_are_those_of_the_layers() {
        let x = numbers((2, 3, 4), 1);
        let expected = part(&square(&x).unwrap()).unwrap();
        assert_close(&chained(&x).unwrap(), &expected, 0.0);
        assert_close(&chained(&Var::from_tensor(&x).unwrap()).unwrap(), &expected, 0.0);
        gradients_agree(&[x], |[x]| chained(&(x * 0.5)?)? * 3.0);
    }

    #[test]
    fn a_second_backward_pass_gives_the_same_gradient() {
        let x = Var::from_tensor(&numbers((2, 3, 4), 1)).unwrap();
        let y = chained(&x).unwrap();
        let [first, second] = [(); 2].map(|()| y.backward().unwrap().remove(&x).unwrap());
        assert_close(&first, &second, 0.0);
    }

    #[test]
    fn a_layer_runs_again_in_the_backward_pass_and_not_at_all_for_constants() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = {
            let runs = Arc::clone(&runs);
            move |x: &Tensor| {
                runs.fetch_add(1, Ordering::Relaxed);
                x.sqr()
            }
        };
        let of = |x: &Tensor| {
            let mut chain = Chain::new(x);
            chain.push(counted.clone()).unwrap();
            chain.finish().unwrap()
        };
        let x = Var::from_tensor(&numbers((2, 3), 1)).unwrap();
        let y = of(&x);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        y.backward().unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert!(!of(&x.as_detached_tensor()).track_op());
    }
}
