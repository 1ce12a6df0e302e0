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
    /// Without branches and calls, so that loops over it are vectorised. The relative error is at most 2e-7.
    ///
    /// `x = n ln 2 + r` with an integer `n`, so that the result is `2^n e^r` (Cody and Waite 1980, "Software Manual for the
    /// Elementary Functions", chapter 6). `e^r` is its Taylor polynomial: `r` is at most 0.35.
    #[inline]
    fn exp(self) -> Self {
        /// `ln 2` in two parts. The product of the first and a small integer is exact.
        const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
        /// Added to a small number, this rounds it to an integer, which is in the last bits of the sum.
        const ROUND: f32 = 1.5 * (1 << 23) as f32;
        let x = self.clamp(-87.0, 88.0);
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let n = rounded - ROUND;
        let r = x - n * LN_2[0] - n * LN_2[1];
        let terms = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
        let power = terms.into_iter().reduce(|sum, term| sum * r + term).unwrap_or(1.0);
        let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
        let y = power * Self::from_bits(exponent << 23);
        if self < -87.0 {
            0.0
        } else if self > 88.0 {
            Self::INFINITY
        } else {
            y
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_f64() {
        let mut worst = 0.0_f64;
        for step in -86_999..88_000 {
            let x = step as f32 * 1e-3;
            let expected = f64::from(x).exp();
            worst = worst.max((f64::from(Real::exp(x)) - expected).abs() / expected);
        }
        assert!(worst < 2e-7, "{worst}");
        assert_eq!([0.0, -100.0, f32::NEG_INFINITY].map(Real::exp), [1.0, 0.0, 0.0]);
        assert_eq!([100.0, f32::INFINITY].map(Real::exp), [f32::INFINITY; 2]);
        assert!(Real::exp(f32::NAN).is_nan());
    }
}
