//! The kernels of the gradient of a convolution.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Real, for_real, has_kernel, slice};

/// Turns the kernels of a convolution by 180 degrees, and exchanges its input and output: from `(out, in, rows, columns)` to
/// `(in, out, rows, columns)`.
///
/// # Errors
/// If the weights do not have four dimensions.
pub(super) fn turned(weight: &Tensor) -> Result<Tensor> {
    if !has_kernel(weight) {
        return weight.transpose(0, 1)?.contiguous()?.flip(&[2, 3]);
    }
    // The order of `column_major` in memory.
    weight.permute((1, 2, 3, 0))?.contiguous()?.apply_op1_no_bwd(&Turn)
}

/// From `(in, rows, columns, out)`.
struct Turn;

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "turn"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(weight: &[T], taps: usize, out: usize) -> Result<CpuStorage> {
            let mut turned = vec![T::zero(); weight.len()];
            let each = (taps * out).max(1);
            turned.par_chunks_mut(each).zip(weight.par_chunks(each)).for_each(|(turned, weight)| {
                for (channel, turned) in turned.chunks_mut(taps).enumerate() {
                    for (tap, turned) in turned.iter_mut().rev().enumerate() {
                        *turned = weight[tap * out + channel];
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(turned))
        }
        let (input, rows, columns, out) = layout.shape().dims4()?;
        let turned = for_real!(weight, kernel(slice(weight, layout)?, rows * columns, out))?;
        Ok((turned, (input, out, rows, columns).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        check::{assert_close, numbers},
        column_major,
    };

    #[test]
    fn turned_kernels_are_those_of_the_definition_in_any_order_of_memory() {
        let weight = numbers((3, 2, 2, 4), 1);
        let expected = weight.transpose(0, 1).unwrap().contiguous().unwrap();
        let expected = expected.flip(&[2, 3]).unwrap();
        for weight in [&weight, &column_major(&weight).unwrap()] {
            assert_close(&turned(weight).unwrap(), &expected, 0.0);
        }
    }
}
