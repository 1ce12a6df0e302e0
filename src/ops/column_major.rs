//! Weights in column-major order, which matrix products read without transposing them first.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::fused::{Real, for_real, has_kernel, slice};

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
    let columns = match has_kernel(&rows) {
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

/// Transposes a matrix in blocks that fit the cache. candle's copy computes the place of each element.
struct Transpose;

impl CustomOp1 for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &CpuStorage, layout: &Layout) -> Result<CpuStorage> {
            let (rows, columns) = layout.shape().dims2()?;
            let values = slice::<T>(x, layout)?;
            let mut transposed = vec![T::zero(); values.len()];
            transpose::transpose(values, &mut transposed, columns, rows);
            Ok(T::to_cpu_storage_owned(transposed))
        }
        let (rows, columns) = layout.shape().dims2()?;
        Ok((for_real!(x, kernel(x, layout))?, (columns, rows).into()))
    }
}

/// A convolution's weights as a matrix, `(out, in * kernel)`. A view if they are in [`column_major`] order.
pub(super) fn flat(weight: &Tensor) -> Result<Tensor> {
    weight.permute((1, 2, 3, 0))?.reshape(((), weight.dim(0)?))?.t()
}

#[cfg(test)]
mod tests {
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
}
