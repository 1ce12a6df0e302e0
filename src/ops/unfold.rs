//! Convolutions as matrix products: each pixel's neighbourhood becomes a column.

pub(super) mod copies;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    checkpoint::with_backward,
    column_major::flat,
    fused::{Real, for_real, slice},
    linear::conv2d_gradient,
    product::matmul,
};

/// The maximum number of elements in the unfolded matrix. Larger inputs are computed in chunks of rows.
const MAX_COLUMNS: usize = 1 << 24;

/// A convolution on the CPU. See [`conv2d`](super::conv2d) for the arguments.
pub(super) fn conv2d(x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let (_, _, rows, columns) = weight.dims4()?;
    let is_constant = !weight.track_op();
    if x.track_op() && is_constant && stride == 1 && rows == columns && padding < rows {
        return conv2d_of_constant(x, weight, padding);
    }
    unfolded(x, weight, stride, padding)
}

/// A convolution whose weights need no gradient. It keeps no columns for the backward pass, which have `rows * columns`
/// times as many elements as `x`. The gradient is another convolution, with turned kernels.
fn conv2d_of_constant(x: &Tensor, weight: &Tensor, padding: usize) -> Result<Tensor> {
    let result = unfolded(&x.detach(), weight, 1, padding)?;
    let weight = weight.clone();
    with_backward(x, &result, move |_, gradient| {
        conv2d_gradient(gradient, &weight, padding).map(Some)
    })
}

fn unfolded(x: &Tensor, weight: &Tensor, stride: usize, padding: usize) -> Result<Tensor> {
    let (batch, input, height, width) = x.dims4()?;
    let (_, expected, rows, columns) = weight.dims4()?;
    if input != expected {
        candle_core::bail!("the convolution expects {expected} input channels, not {input}");
    }
    let geometry = Geometry::new([height, width], [rows, columns], stride, padding)?;
    let [tall, wide] = geometry.output;
    let row = batch * input * rows * columns * wide;
    let chunk = (MAX_COLUMNS / row.max(1)).clamp(1, tall);
    convolve(&x.contiguous()?, &flat(weight)?, geometry, chunk)
}

/// Computes `chunk` output rows at a time. `weight` is `(out, in * kernel)`.
fn convolve(x: &Tensor, weight: &Tensor, geometry: Geometry, chunk: usize) -> Result<Tensor> {
    let (out, batch, [tall, wide]) = (weight.dim(0)?, x.dim(0)?, geometry.output);
    let weight = weight.unsqueeze(0)?;
    let mut chunks = Vec::new();
    for first in (0..tall).step_by(chunk) {
        let count = chunk.min(tall - first);
        let columns = x.apply_op1(Unfold { geometry, first, count })?.unsqueeze(0)?;
        chunks.push(matmul(&weight, &columns)?.reshape((out, batch, count * wide))?);
    }
    let y = if chunks.len() == 1 { chunks.remove(0) } else { Tensor::cat(&chunks, 2)? };
    y.transpose(0, 1)?.contiguous()?.reshape((batch, out, tall, wide))
}

/// The sizes of a convolution. Pairs are height and width.
#[derive(Clone, Copy)]
struct Geometry {
    input: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
    stride: usize,
    padding: usize,
}

impl Geometry {
    fn new(input: [usize; 2], kernel: [usize; 2], stride: usize, padding: usize) -> Result<Self> {
        let mut output = [0; 2];
        for side in 0..2 {
            let size = input[side] + 2 * padding;
            let Some(room) = size.checked_sub(kernel[side]).filter(|_| stride > 0) else {
                candle_core::bail!(
                    "a kernel of {kernel:?} with stride {stride} and padding {padding} does not fit {input:?} pixels"
                );
            };
            output[side] = room / stride + 1;
        }
        Ok(Self { input, kernel, output, stride, padding })
    }

    /// The input index under kernel element `offset` at output index `step`, or `None` in the padding.
    fn source(&self, side: usize, step: usize, offset: usize) -> Option<usize> {
        let at = (step * self.stride + offset).checked_sub(self.padding)?;
        (at < self.input[side]).then_some(at)
    }

    /// The output columns at which kernel column `offset` lies inside the input.
    fn steps(&self, offset: usize) -> std::ops::Range<usize> {
        let first = self.padding.saturating_sub(offset).div_ceil(self.stride);
        let end = (self.input[1] + self.padding).saturating_sub(offset).div_ceil(self.stride);
        let end = end.min(self.output[1]);
        first.min(end)..end
    }
}

/// Turns `(batch, in, height, width)` into `(in * kernel, batch * steps)` for `count` output rows. The whole batch is
/// one matrix product, so that the weights are read once.
#[derive(Clone, Copy)]
struct Unfold {
    geometry: Geometry,
    first: usize,
    count: usize,
}

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            op: Unfold,
            x: &[T],
            batch: usize,
            channels: usize,
        ) -> Result<CpuStorage> {
            let g = op.geometry;
            let [rows, columns] = g.kernel;
            let (size, line) = (g.input[0] * g.input[1], op.count * g.output[1]);
            let mut y = vec![T::zero(); channels * rows * columns * batch * line];
            y.par_chunks_mut(line).enumerate().with_min_len(4).for_each(|(index, y)| {
                let (index, sample) = (index / batch, index % batch);
                let (channel, place) = (index / (rows * columns), index % (rows * columns));
                let x = &x[(sample * channels + channel) * size..];
                let steps = g.steps(place % columns);
                for (step, y) in (op.first..).zip(y.chunks_mut(g.output[1])) {
                    let Some(row) = g.source(0, step, place / columns) else { continue };
                    let Some(column) = g.source(1, steps.start, place % columns) else { continue };
                    let x = &x[row * g.input[1] + column..];
                    let y = &mut y[steps.clone()];
                    if g.stride == 1 {
                        y.copy_from_slice(&x[..y.len()]);
                    } else {
                        for (y, x) in y.iter_mut().zip(x.iter().step_by(g.stride)) {
                            *y = *x;
                        }
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let (batch, channels, _, _) = layout.shape().dims4()?;
        let y = for_real!(x, kernel(*self, slice(x, layout)?, batch, channels))?;
        let places = self.geometry.kernel[0] * self.geometry.kernel[1];
        let shape = (channels * places, batch * self.count * self.geometry.output[1]);
        Ok((y, shape.into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (batch, _, _, _) = x.dims4()?;
        let (column, steps) = gradient.dims2()?;
        let by_sample = gradient.reshape((column, batch, steps / batch))?.transpose(0, 1)?;
        let folded = by_sample.contiguous()?.apply_op1_no_bwd(&Fold(*self))?;
        folded.reshape(x.shape()).map(Some)
    }
}

/// The backward pass of [`Unfold`], from `(batch, in * kernel, steps)`: each pixel gets the sum over its copies.
struct Fold(Unfold);

impl CustomOp1 for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn cpu_fwd(&self, y: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(op: Unfold, y: &[T], planes: usize) -> Result<CpuStorage> {
            let g = op.geometry;
            let [rows, columns] = g.kernel;
            let (size, line) = (g.input[0] * g.input[1], op.count * g.output[1]);
            let mut x = vec![T::zero(); planes * size];
            let planes = x.par_chunks_mut(size).zip(y.par_chunks(rows * columns * line));
            planes.for_each(|(x, y)| {
                for (place, y) in y.chunks(line).enumerate() {
                    let steps = g.steps(place % columns);
                    for (step, y) in (op.first..).zip(y.chunks(g.output[1])) {
                        let Some(row) = g.source(0, step, place / columns) else { continue };
                        let Some(column) = g.source(1, steps.start, place % columns) else {
                            continue;
                        };
                        let x = x[row * g.input[1] + column..].iter_mut().step_by(g.stride);
                        for (x, y) in x.zip(&y[steps.clone()]) {
                            *x += *y;
                        }
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(x))
        }
        let (batch, column, _) = layout.shape().dims3()?;
        let g = self.0.geometry;
        let planes = batch * column / (g.kernel[0] * g.kernel[1]);
        let x = for_real!(y, kernel(self.0, slice(y, layout)?, planes))?;
        Ok((x, (planes, g.input[0], g.input[1]).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn chunked_convolutions_match_one_chunk() {
        let (x, weight) = (numbers((2, 2, 7, 4), 1), numbers((3, 2 * 9), 2));
        for (stride, padding) in [(1, 1), (2, 1), (2, 0)] {
            let geometry = Geometry::new([7, 4], [3, 3], stride, padding).unwrap();
            let whole = convolve(&x, &weight, geometry, 7).unwrap();
            for chunk in [1, 2] {
                let chunked = convolve(&x, &weight, geometry, chunk).unwrap();
                assert_close(&chunked, &whole, 1e-12);
            }
            gradients_agree(&[x.clone(), weight.clone()], |[x, weight]| {
                convolve(x, weight, geometry, 2)
            });
        }
    }

    #[test]
    fn the_gradient_of_a_convolution_with_constant_weights_is_right() {
        for (kernel, padding) in [(3, 1), (3, 0), (5, 2), (5, 1), (1, 0)] {
            let weight = numbers((3, 2, kernel, kernel), 2);
            let x = numbers((2, 2, 7, 6), 1);
            gradients_agree(&[x], |[x]| conv2d(x, &weight, 1, padding));
        }
    }

    #[test]
    fn a_kernel_larger_than_the_input_is_an_error() {
        let (x, weight) = (numbers((1, 2, 2, 2), 1), numbers((3, 2, 5, 5), 2));
        assert!(conv2d(&x, &weight, 1, 1).is_err());
        assert!(conv2d(&x, &weight, 1, 2).is_ok());
    }
}
