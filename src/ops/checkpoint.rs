//! Gradient checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost").

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Storage, Tensor};

use super::fused::{definition_gradients, has_kernel};

/// Computes `f(inputs)` without keeping the tensors in between. The backward pass computes them again.
///
/// Gradients reach the inputs only: tensors that `f` captures must not need any. On other devices than the CPU, this is
/// `f(inputs)`.
///
/// # Errors
/// Those of `f`.
pub(super) fn checkpoint3(
    inputs: [&Tensor; 3],
    f: impl Fn([&Tensor; 3]) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    if !inputs.iter().any(|x| x.track_op()) || !has_kernel(inputs[0]) {
        return f(inputs);
    }
    let [first, second, third] = inputs.map(Tensor::detach);
    let computed = stored(&f([&first, &second, &third])?)?;
    let backward =
        move |inputs: [&Tensor; 3], gradient: &Tensor| definition_gradients(inputs, gradient, &f);
    inputs[0].apply_op3(inputs[1], inputs[2], Computed { computed, backward })
}

/// `result`, which was computed from `x` on the CPU without a graph, with a backward pass: the gradient of `x` from `x` and
/// the gradient of the result.
pub(super) fn with_backward(
    x: &Tensor,
    result: &Tensor,
    backward: impl Fn(&Tensor, &Tensor) -> Result<Option<Tensor>> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op1(Computed { computed: stored(result)?, backward })
}

/// A result for a forward pass.
type Stored = Mutex<Option<(CpuStorage, Shape)>>;

fn stored(result: &Tensor) -> Result<Stored> {
    let result = result.contiguous()?;
    let (storage, layout) = result.storage_and_layout();
    let values = match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(values), Some((0, end))) if end == count(values) => values.clone(),
        _ => candle_core::bail!("a checkpoint needs a contiguous result on the CPU"),
    };
    Ok(Mutex::new(Some((values, layout.shape().clone()))))
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
    computed: Stored,
    backward: F,
}

impl<F> Computed<F> {
    fn take(&self) -> Result<(CpuStorage, Shape)> {
        let computed = self.computed.lock().unwrap_or_else(PoisonError::into_inner).take();
        computed.ok_or_else(|| candle_core::Error::msg("a checkpoint is computed only once"))
    }
}

impl<F: Fn(&Tensor, &Tensor) -> Result<Option<Tensor>>> CustomOp1 for Computed<F> {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.take()
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(x, gradient)
    }
}

impl<F: Fn([&Tensor; 3], &Tensor) -> Result<[Option<Tensor>; 3]>> CustomOp3 for Computed<F> {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.take()
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        third: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        (self.backward)([first, second, third], gradient).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{gradients_agree, numbers};

    #[test]
    fn gradients_reach_each_of_three_tensors() {
        let inputs = [numbers((2, 3), 1), numbers((3, 4), 2), numbers((2, 4), 3)];
        gradients_agree(&inputs, |inputs| {
            checkpoint3(inputs, |[a, b, c]| a.matmul(b)? * c.sqr()?)
        });
    }
}
