//! SiLU in one pass, also for its gradient.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    add::MIN_TASK,
    fused::{Real, for_real, has_kernel, slice},
};

/// `x * sigmoid(x)`, also called swish.
///
/// # Errors
/// If the device does not support the operation.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if has_kernel(x) { x.contiguous()?.apply_op1(Silu) } else { x.silu() }
}

struct Silu;

impl CustomOp1 for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T]) -> Result<CpuStorage> {
            let mut y = vec![T::zero(); x.len()];
            y.par_chunks_mut(MIN_TASK).zip(x.par_chunks(MIN_TASK)).for_each(|(y, x)| {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = *x * x.sigmoid();
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        Ok((for_real!(x, kernel(slice(x, layout)?))?, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        x.apply_op2_no_bwd(&gradient.contiguous()?, &SiluGradient).map(Some)
    }
}

/// The gradient with respect to `x`, from `x` and the gradient of the result.
struct SiluGradient;

impl CustomOp2 for SiluGradient {
    fn name(&self) -> &'static str {
        "silu-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], gradient: &[T]) -> Result<CpuStorage> {
            let mut result = vec![T::zero(); x.len()];
            let inputs = x.par_chunks(MIN_TASK).zip(gradient.par_chunks(MIN_TASK));
            result.par_chunks_mut(MIN_TASK).zip(inputs).for_each(|(result, (x, gradient))| {
                for ((result, x), gradient) in result.iter_mut().zip(x).zip(gradient) {
                    let share = x.sigmoid();
                    *result = *gradient * share * (T::one() + *x * (T::one() - share));
                }
            });
            Ok(T::to_cpu_storage_owned(result))
        }
        let result = for_real!(x, kernel(slice(x, x_layout)?, slice(gradient, gradient_layout)?))?;
        Ok((result, x_layout.shape().clone()))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn the_kernel_matches_candles_silu_in_several_tasks() {
        let x = (numbers((3, MIN_TASK + 5), 1) * 9.0).unwrap();
        assert_close(&silu(&x).unwrap(), &x.silu().unwrap(), 1e-12);
        let x = x.to_dtype(DType::F32).unwrap().t().unwrap();
        assert_close(&silu(&x).unwrap(), &x.contiguous().unwrap().silu().unwrap(), 5e-6);
    }

    #[test]
    fn silu_gradients_match_finite_differences() {
        gradients_agree(&[numbers((3, 4), 1)], |[x]| silu(x));
        gradients_agree(&[numbers((3, 4), 1)], |[x]| silu(&x.t()?));
    }
}
