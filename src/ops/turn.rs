//! The kernels of the gradient of a convolution.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Real, for_real, has_kernel, slice};

/// Output channels in a task, about those of a line of the cache.
const BLOCK: usize = 16;

/// Turns the kernels of a convolution by 180 degrees, and exchanges its input and output: from `(out, in, rows, columns)` to
/// `(in, out, rows, columns)`, in [`column_major`](super::column_major) order.
///
/// # Errors
/// If the weights do not have four dimensions.
pub fn turned(weight: &Tensor) -> Result<Tensor> {
    if !has_kernel(weight) {
        return weight.transpose(0, 1)?.contiguous()?.flip(&[2, 3]);
    }
    // No copy if they are in column-major order.
    let weight = weight.permute((1, 2, 3, 0))?.contiguous()?;
    weight.apply_op1_no_bwd(&Turn)?.permute((3, 0, 1, 2))
}

/// From `(in, rows, columns, out)` to `(out, rows, columns, in)`.
struct Turn;

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "turn"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(weight: &[T], [input, taps, out]: [usize; 3]) -> Result<CpuStorage> {
            let each = (taps * input).max(1);
            let mut turned = vec![T::zero(); weight.len()];
            turned.par_chunks_mut(BLOCK * each).enumerate().for_each(|(block, turned)| {
                let count = turned.len() / each;
                for (at, weight) in weight.chunks(out).enumerate() {
                    let (channel, tap) = (at / taps, taps - 1 - at % taps);
                    for (row, weight) in weight[block * BLOCK..][..count].iter().enumerate() {
                        turned[row * each + tap * input + channel] = *weight;
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(turned))
        }
        let (input, rows, columns, out) = layout.shape().dims4()?;
        let sizes = [input, rows * columns, out];
        let turned = for_real!(weight, kernel(slice(weight, layout)?, sizes))?;
        Ok((turned, (out, rows, columns, input).into()))
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
        let weight = numbers((19, 2, 2, 4), 1);
        let expected = weight.transpose(0, 1).unwrap().contiguous().unwrap();
        let expected = expected.flip(&[2, 3]).unwrap();
        for weight in [&weight, &column_major(&weight).unwrap()] {
            assert_close(&turned(weight).unwrap(), &expected, 0.0);
        }
    }
}
