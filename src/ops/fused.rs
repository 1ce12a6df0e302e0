//! Shared parts of the fused kernels: reading storage, dispatching on the float type, and the backward pass
//! through the definition.

use candle_core::{CpuStorage, DType, FloatDType, Layout, Result, Tensor, Var, bail};

/// The float types that the kernels support.
pub(super) trait Real: FloatDType {
    fn exp(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;

    fn sigmoid(self) -> Self {
        Self::one() / (Self::one() + (Self::zero() - self).exp())
    }
}

impl Real for f32 {
    fn exp(self) -> Self {
        Self::exp(self)
    }

    fn erf(self) -> Self {
        candle_core::cpu::erf::erf_f32(self)
    }
}

impl Real for f64 {
    fn exp(self) -> Self {
        Self::exp(self)
    }

    fn erf(self) -> Self {
        candle_core::cpu::erf::erf_f64(self)
    }
}

/// Whether a fused kernel can run on `x`. If not, the definition runs.
pub(super) fn has_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64)
}

/// The elements of a contiguous tensor.
pub(super) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&T::cpu_storage_as_slice(storage)?[from..to]),
        None => bail!("a fused operation needs a contiguous tensor, not {layout:?}"),
    }
}

/// Calls a generic kernel with the float type of the storage.
macro_rules! for_real {
    ($storage:expr, $kernel:ident($($argument:expr),*)) => {
        match $storage {
            candle_core::CpuStorage::F32(_) => $kernel::<f32>($($argument),*),
            candle_core::CpuStorage::F64(_) => $kernel::<f64>($($argument),*),
            _ => candle_core::bail!("a fused operation runs on f32 and f64 only"),
        }
    };
}
pub(super) use for_real;

/// The gradients of `inputs`, given the gradient of `definition(inputs)`.
pub(super) fn definition_gradients<const N: usize>(
    inputs: [&Tensor; N],
    gradient: &Tensor,
    definition: impl FnOnce([&Tensor; N]) -> Result<Tensor>,
) -> Result<[Option<Tensor>; N]> {
    let mut variables = Vec::with_capacity(N);
    for input in inputs {
        variables.push(Var::from_tensor(&input.detach())?);
    }
    let result = definition(std::array::from_fn(|index| variables[index].as_tensor()))?;
    let gradients = (result * gradient)?.sum_all()?.backward()?;
    Ok(std::array::from_fn(|index| gradients.get(variables[index].as_tensor()).cloned()))
}
