//! Convolutions of 16 bits where candle has none, or none that sums in f32.

use candle_core::{DType, Result, Tensor};

use super::Geometry;
use crate::ops::{column_major::flat, product::matmul};

/// Whether candle's own convolution cannot be used: it has none of bf16 on the CPU, and that of cuDNN sums f16 in f16.
pub(in crate::ops) fn is_needed(x: &Tensor) -> bool {
    match x.dtype() {
        DType::BF16 => x.device().is_cpu(),
        DType::F16 => cfg!(feature = "cudnn") && x.device().is_cuda(),
        _ => false,
    }
}

/// A convolution as one matrix product, from operations of candle that exist for all types and devices. See
/// [`conv2d`](crate::ops::conv2d) for the arguments.
pub(in crate::ops) fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    stride: usize,
    padding: usize,
) -> Result<Tensor> {
    let (batch, input, height, width) = x.dims4()?;
    let (out, expected, rows, columns) = weight.dims4()?;
    if input != expected {
        candle_core::bail!("the convolution expects {expected} input channels, not {input}");
    }
    let geometry = Geometry::new([height, width], [rows, columns], stride, padding)?;
    let [tall, wide] = geometry.output;
    let padded = x.pad_with_zeros(2, padding, padding)?.pad_with_zeros(3, padding, padding)?;
    let mut taps = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let x = every(&padded, 2, (row, tall, stride))?;
        for column in 0..columns {
            let tap = every(&x, 3, (column, wide, stride))?;
            taps.push(tap.reshape((batch, input, tall * wide))?);
        }
    }
    let columns = Tensor::stack(&taps, 2)?.reshape((batch, (), tall * wide))?;
    matmul(&flat(weight)?.broadcast_left(batch)?, &columns)?.reshape((batch, out, tall, wide))
}

/// `count` elements of a dimension: `first`, and each that follows after `stride` of them.
fn every(x: &Tensor, side: usize, (first, count, stride): (usize, usize, usize)) -> Result<Tensor> {
    if stride == 1 {
        return x.narrow(side, first, count)?.contiguous();
    }
    let places: Vec<u32> = (0..count).map(|index| (first + index * stride) as u32).collect();
    x.contiguous()?.index_select(&Tensor::from_vec(places, count, x.device())?, side)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        self,
        check::{assert_close, gradients_agree, numbers},
    };

    #[test]
    fn the_convolution_is_that_of_the_kernel_and_so_is_its_gradient() {
        let x = numbers((2, 3, 7, 6), 1);
        for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 1), (3, 2, 0), (5, 1, 2), (1, 2, 0)] {
            let weight = numbers((4, 3, kernel, kernel), 2);
            let expected = ops::conv2d(&x, &weight, None, stride, padding).unwrap();
            for weight in [&weight, &ops::column_major(&weight).unwrap()] {
                assert_close(&conv2d(&x, weight, stride, padding).unwrap(), &expected, 1e-12);
            }
            gradients_agree(&[x.clone(), weight], |[x, weight]| conv2d(x, weight, stride, padding));
        }
        assert!(conv2d(&x, &numbers((4, 2, 3, 3), 2), 1, 1).is_err());
    }
}
