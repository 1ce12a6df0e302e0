//! Gradient checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost").

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor};

use super::fused::{definition_gradients, has_kernel};

/// Computes `f(x)` without keeping the tensors in between. The backward pass computes them again.
///
/// Gradients reach `x` only: tensors that `f` captures must not need any. On other devices than the CPU, this is `f(x)`.
///
/// # Errors
/// Those of `f`.
pub fn checkpoint(
    x: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !(x.track_op() && has_kernel(x)) {
        return f(x);
    }
    let result = f(&x.detach())?;
    with_backward(x, &result, move |x, gradient| {
        let [gradient] = definition_gradients([x], gradient, |[x]| f(x))?;
        Ok(gradient)
    })
}

/// `result`, which was computed from `x` on the CPU without a graph, with a backward pass: the gradient of `x` from `x` and
/// the gradient of the result.
pub(super) fn with_backward(
    x: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor, &Tensor) -> Result<Option<Tensor>> + Send + Sync + 'static,
) -> Result<Tensor> {
    let result = result.contiguous()?;
    let (storage, layout) = result.storage_and_layout();
    let values = match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(values), Some((0, end))) if end == count(values) => values.clone(),
        _ => candle_core::bail!("a checkpoint needs a contiguous result on the CPU"),
    };
    let computed = Mutex::new(Some((values, layout.shape().clone())));
    x.apply_op1(Computed { computed, backward })
}

/// The number of elements of a storage.
fn count(values: &CpuStorage) -> usize {
    match values {
        CpuStorage::F32(values) => values.len(),
        CpuStorage::F64(values) => values.len(),
        _ => 0,
    }
}

/// A result that was computed before.
struct Computed<F> {
    /// Taken by the forward pass.
    computed: Mutex<Option<(CpuStorage, Shape)>>,
    backward: F,
}

impl<F: Fn(&Tensor, &Tensor) -> Result<Option<Tensor>>> CustomOp1 for Computed<F> {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner).take();
        computed.ok_or_else(|| candle_core::Error::msg("a checkpoint is computed only once"))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(x, gradient)
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

    #[test]
    fn values_and_gradients_are_those_of_the_function() {
        let x = numbers((2, 3, 4), 1);
        let f = |x: &Tensor| (x.sqr()? * x)?.narrow(1, 1, 2)?.transpose(1, 2);
        let variable = Var::from_tensor(&x).unwrap();
        assert_close(&checkpoint(&variable, f).unwrap(), &f(&x).unwrap(), 0.0);
        gradients_agree(&[x], |[x]| checkpoint(&checkpoint(x, Tensor::sqr)?, f));
    }

    #[test]
    fn the_function_runs_again_in_the_backward_pass_and_not_at_all_for_constants() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = {
            let runs = Arc::clone(&runs);
            move |x: &Tensor| {
                runs.fetch_add(1, Ordering::Relaxed);
                x.sqr()
            }
        };
        let x = Var::from_tensor(&numbers((2, 3), 1)).unwrap();
        let y = checkpoint(&x, counted.clone()).unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        y.backward().unwrap();
        assert_eq!(runs.load(Ordering::Relaxed), 2);
        assert!(!checkpoint(&x.as_detached_tensor(), counted).unwrap().track_op());
    }
}
