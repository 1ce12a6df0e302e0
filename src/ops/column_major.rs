//! Weights in column-major order, which matrix products read without transposing them first.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use half::{slice::HalfFloatSliceExt, vec::HalfBitsVecExt};
use rayon::prelude::*;

/// The rows and the columns of a block, which fits the first cache of a core.
const BLOCK: usize = 64;

/// Copies weights into column-major order: `out` varies fastest in memory.
///
/// The shape stays that of a dense layer, `(out, in)`, or of a convolution, `(out, in, rows, columns)`. Matrix products
/// on the CPU read this order without transposing first.
///
/// # Errors
/// If the weights have neither two nor four dimensions.
pub fn column_major(weight: &Tensor) -> Result<Tensor> {
    // One value for all weights, as when a model is only checked, needs no copy.
    let is_one_value = weight.stride().iter().all(|stride| *stride == 0);
    if is_one_value || !weight.device().is_cpu() {
        return Ok(weight.clone());
    }
    let rows = weight.reshape((weight.dim(0)?, ()))?;
    let has_kernel = matches!(rows.dtype(), DType::F32 | DType::F64 | DType::F16 | DType::BF16);
    let columns = match has_kernel {
        true => rows.apply_op1_no_bwd(&Transpose)?,
        false => rows.t()?.contiguous()?,
    };
    match *weight.dims() {
        [out, input, rows, columns_of_kernel] => {
            columns.reshape((input, rows, columns_of_kernel, out))?.permute((3, 0, 1, 2))
        }
        _ => columns.t(),
    }
}

/// Transposes a matrix. candle's copy computes the place of each element.
struct Transpose;

impl CustomOp1 for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let Some((from, to)) = layout.contiguous_offsets() else {
            bail!("only a contiguous matrix is transposed, not {layout:?}")
        };
        let transposed = match x {
            CpuStorage::F32(x) => CpuStorage::F32(transposed(&x[from..to], rows, columns)),
            CpuStorage::F64(x) => CpuStorage::F64(transposed(&x[from..to], rows, columns)),
            CpuStorage::F16(x) => {
                let bits = transposed(x[from..to].reinterpret_cast(), rows, columns);
                CpuStorage::F16(bits.reinterpret_into())
            }
            CpuStorage::BF16(x) => {
                let bits = transposed(x[from..to].reinterpret_cast(), rows, columns);
                CpuStorage::BF16(bits.reinterpret_into())
            }
            _ => bail!("only matrices of floats are transposed"),
        };
        Ok((transposed, (columns, rows).into()))
    }
}

/// The columns of a matrix, one after another. Each task copies some columns, block by block.
fn transposed<T: Copy + Default + Send + Sync>(x: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut y = vec![T::default(); x.len()];
    let parts = y.par_chunks_mut((BLOCK * rows).max(1)).enumerate();
    parts.for_each(|(part, y)| {
        for first in (0..rows).step_by(BLOCK) {
            let last = rows.min(first + BLOCK);
            for (column, y) in y.chunks_exact_mut(rows).enumerate() {
                let x = x[first * columns + part * BLOCK + column..].iter().step_by(columns);
                for (y, x) in y[first..last].iter_mut().zip(x) {
                    *y = *x;
                }
            }
        }
    });
    y
}

/// A convolution's weights as a matrix, `(out, in * kernel)`. A view if they are in [`column_major`] order.
pub(super) fn flat(weight: &Tensor) -> Result<Tensor> {
    weight.permute((1, 2, 3, 0))?.reshape(((), weight.dim(0)?))?.t()
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::ops::{
        check::{assert_close, numbers},
        conv2d, linear,
    };

    #[test]
    fn column_major_weights_keep_their_values_and_flatten_without_a_copy() {
        let (dense, x) = (numbers((3, 5), 1), numbers((2, 5), 2));
        let reordered = column_major(&dense).unwrap();
        assert_eq!(reordered.to_vec2::<f64>().unwrap(), dense.to_vec2::<f64>().unwrap());
        assert!(reordered.t().unwrap().is_contiguous());
        assert_close(
            &linear(&x, &reordered, None).unwrap(),
            &linear(&x, &dense, None).unwrap(),
            1e-12,
        );
        let (kernel, x) = (numbers((3, 2, 3, 3), 3), numbers((2, 2, 5, 4), 4));
        let reordered = column_major(&kernel).unwrap();
        assert!(flat(&reordered).unwrap().t().unwrap().is_contiguous());
        let [expected, got] = [&kernel, &reordered].map(|w| conv2d(&x, w, None, 1, 1).unwrap());
        assert_close(&got, &expected, 1e-12);
    }

    #[test]
    fn matrices_of_several_blocks_are_transposed_in_each_type() {
        let all = numbers((2, 3 * BLOCK + 5, 2 * BLOCK + 3), 5);
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16, DType::U8] {
            // Begins in the middle of a storage.
            let weight = all.affine(8.0, 100.0).unwrap().to_dtype(dtype).unwrap().get(1).unwrap();
            let reordered = column_major(&weight).unwrap();
            assert_eq!(reordered.dtype(), dtype);
            assert!(reordered.t().unwrap().is_contiguous());
            let [expected, got] = [&weight, &reordered]
                .map(|it| it.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap());
            assert!(got == expected, "{dtype:?}");
        }
        for shape in [(1, 200), (200, 1)] {
            let weight = Tensor::rand(0.0_f32, 1.0, shape, &Device::Cpu).unwrap();
            let reordered = column_major(&weight).unwrap();
            assert_eq!(reordered.to_vec2::<f32>().unwrap(), weight.to_vec2::<f32>().unwrap());
        }
    }
}
