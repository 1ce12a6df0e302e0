//! Resizing of feature maps and pictures.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Real, definition_gradients, for_real, has_kernel, slice};

/// Resizes `x`, `(batch, channels, height, width)`, to `height` and `width` with nearest-neighbour sampling.
///
/// # Errors
/// If `x` does not have four dimensions or has no pixels.
pub fn upsample_nearest(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, _, old_height, old_width) = x.dims4()?;
    if old_height == 0 || old_width == 0 {
        candle_core::bail!("cannot upsample {:?}: it has no pixels", x.shape());
    }
    let op = UpsampleNearest { height, width };
    if has_kernel(x) { x.contiguous()?.apply_op1(op) } else { op.definition(x) }
}

/// The gradient of [`upsample_nearest`] with respect to `x`, given the gradient of the result.
///
/// # Errors
/// If the tensors do not have four dimensions.
pub fn upsample_nearest_gradient(x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = gradient.dims4()?;
    if has_kernel(x) {
        let (_, _, height, width) = x.dims4()?;
        return gradient.contiguous()?.apply_op1_no_bwd(&SumNearest { height, width });
    }
    let op = UpsampleNearest { height, width };
    let [gradient] = definition_gradients([x], gradient, |[x]| op.definition(x))?;
    gradient.map_or_else(|| x.zeros_like(), Ok)
}

/// Resizes `x`, `(batch, channels, height, width)`, to `height` and `width` with bilinear sampling. Smaller results are means
/// of all pixels, as with `antialias=True` in PyTorch.
///
/// # Errors
/// If `x` does not have four dimensions or has no pixels.
pub fn resize(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, _, old_height, old_width) = x.dims4()?;
    if old_height == 0 || old_width == 0 || height == 0 || width == 0 {
        candle_core::bail!("cannot resize {:?} to {height} x {width} pixels", x.shape());
    }
    separable(x, &bilinear(old_height, height), &bilinear(old_width, width))
}

/// The means of 3 x 3 neighbours of `x`, `(batch, channels, height, width)`, `times` times. Beyond the edges, the outermost
/// values are repeated.
///
/// # Errors
/// If `x` does not have four dimensions or has no pixels.
pub fn box_blur(x: &Tensor, times: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    if height == 0 || width == 0 {
        candle_core::bail!("cannot blur {:?}: it has no pixels", x.shape());
    }
    separable(x, &means_of_three(height, times), &means_of_three(width, times))
}

/// Weighted sums of columns and of rows. The weights of each new row and column follow one another.
fn separable(x: &Tensor, down: &[f32], across: &[f32]) -> Result<Tensor> {
    let (batch, channels, old_height, old_width) = x.dims4()?;
    let (height, width) = (down.len() / old_height, across.len() / old_width);
    let weights = |weights, to, from| {
        Tensor::from_slice(weights, (to, from), x.device())?.to_dtype(x.dtype())?.t()
    };
    let (down, across) = (weights(down, height, old_height)?, weights(across, width, old_width)?);
    let rows = x.reshape((batch * channels * old_height, old_width))?.matmul(&across)?;
    let rows = rows.reshape((batch * channels, old_height, width))?.transpose(1, 2)?;
    let columns = rows.reshape((batch * channels * width, old_height))?.matmul(&down)?;
    let columns = columns.reshape((batch * channels, width, height))?.transpose(1, 2)?;
    columns.reshape((batch, channels, height, width))
}

/// The share of each of `length` values in each value after `times` means of three neighbours, row by row.
fn means_of_three(length: usize, times: usize) -> Vec<f32> {
    let mut weights = vec![0.0; length * length];
    for (new, shares) in weights.chunks_mut(length).enumerate() {
        shares[new] = 1.0;
        for _ in 0..times {
            let former = shares.to_vec();
            shares.fill(0.0);
            for (at, share) in former.into_iter().enumerate() {
                for from in [at.saturating_sub(1), at, (at + 1).min(length - 1)] {
                    shares[from] += share / 3.0;
                }
            }
        }
    }
    weights
}

/// The share of each of `from` pixels in each of `to` pixels, row by row.
fn bilinear(from: usize, to: usize) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let mut weights = Vec::with_capacity(from * to);
    for new in 0..to {
        let centre = (new as f64 + 0.5) * scale;
        let weight = |old: usize| (1.0 - (old as f64 + 0.5 - centre).abs() / reach).max(0.0);
        let total: f64 = (0..from).map(weight).sum();
        weights.extend((0..from).map(|old| (weight(old) / total) as f32));
    }
    weights
}

#[derive(Clone, Copy)]
struct UpsampleNearest {
    height: usize,
    width: usize,
}

/// The source index of each of `to` output pixels.
fn sources(from: usize, to: usize) -> impl Iterator<Item = usize> {
    (0..to).map(move |new| new * from / to)
}

impl UpsampleNearest {
    fn definition(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let pick = |from, to, device: &Device| {
            let sources: Vec<u32> = sources(from, to).map(|source| source as u32).collect();
            Tensor::from_vec(sources, to, device)
        };
        x.index_select(&pick(height, self.height, x.device())?, 2)?
            .index_select(&pick(width, self.width, x.device())?, 3)
    }
}

impl CustomOp1 for UpsampleNearest {
    fn name(&self) -> &'static str {
        "upsample-nearest"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(x: &[T], from: [usize; 2], to: [usize; 2]) -> Result<CpuStorage> {
            let planes = x.len() / (from[0] * from[1]);
            let columns: Vec<usize> = sources(from[1], to[1]).collect();
            let mut y = vec![T::zero(); planes * to[0] * to[1]];
            if !y.is_empty() {
                let planes = y.par_chunks_mut(to[0] * to[1]).zip(x.par_chunks(from[0] * from[1]));
                planes.for_each(|(y, x)| {
                    for (y, row) in y.chunks_mut(to[1]).zip(sources(from[0], to[0])) {
                        let x = &x[row * from[1]..(row + 1) * from[1]];
                        for (y, column) in y.iter_mut().zip(&columns) {
                            *y = x[*column];
                        }
                    }
                });
            }
            Ok(T::to_cpu_storage_owned(y))
        }
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let to = [self.height, self.width];
        let y = for_real!(x, kernel(slice(x, layout)?, [height, width], to))?;
        Ok((y, (batch, channels, self.height, self.width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        upsample_nearest_gradient(x, gradient).map(Some)
    }
}

/// The gradient of [`UpsampleNearest`] from `height` and `width`: each pixel gets the sum over its copies.
struct SumNearest {
    height: usize,
    width: usize,
}

impl CustomOp1 for SumNearest {
    fn name(&self) -> &'static str {
        "sum-nearest"
    }

    fn cpu_fwd(&self, gradient: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            gradient: &[T],
            planes: usize,
            from: [usize; 2],
            to: [usize; 2],
        ) -> Result<CpuStorage> {
            let columns: Vec<usize> = sources(from[1], to[1]).collect();
            let mut x = vec![T::zero(); planes * from[0] * from[1]];
            if !x.is_empty() && !gradient.is_empty() {
                let planes = x.par_chunks_mut(from[0] * from[1]);
                planes.zip(gradient.par_chunks(to[0] * to[1])).for_each(|(x, gradient)| {
                    let rows = gradient.chunks(to[1]).zip(sources(from[0], to[0]));
                    for (gradient, row) in rows {
                        let x = &mut x[row * from[1]..(row + 1) * from[1]];
                        for (gradient, column) in gradient.iter().zip(&columns) {
                            x[*column] += *gradient;
                        }
                    }
                });
            }
            Ok(T::to_cpu_storage_owned(x))
        }
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let (from, to) = ([self.height, self.width], [height, width]);
        let x = for_real!(gradient, kernel(slice(gradient, layout)?, batch * channels, from, to))?;
        Ok((x, (batch, channels, self.height, self.width).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn doubling_repeats_each_pixel_four_times() {
        let x = Tensor::new(&[[[[1.0_f64, 2.0], [3.0, 4.0]]]], &Device::Cpu).unwrap();
        let y = upsample_nearest(&x, 4, 4).unwrap();
        assert_eq!(
            y.get(0).unwrap().get(0).unwrap().to_vec2::<f64>().unwrap(),
            [
                [1.0, 1.0, 2.0, 2.0],
                [1.0, 1.0, 2.0, 2.0],
                [3.0, 3.0, 4.0, 4.0],
                [3.0, 3.0, 4.0, 4.0]
            ]
        );
    }

    #[test]
    fn the_kernel_matches_its_definition_at_every_size() {
        let x = numbers((2, 3, 4, 5), 1);
        for (height, width) in [(8, 10), (7, 9), (9, 11), (4, 5), (2, 13)] {
            let defined = UpsampleNearest { height, width }.definition(&x).unwrap();
            assert_close(&upsample_nearest(&x, height, width).unwrap(), &defined, 0.0);
        }
    }

    #[test]
    fn resizing_has_the_values_of_pytorch() {
        // torch.nn.functional.interpolate(x, size, mode="bilinear", antialias=True)
        let x = Tensor::new(&[[[[1.0_f64, 2.0, 4.0, 8.0], [3.0, 5.0, 9.0, 0.0]]]], &Device::Cpu);
        let x = x.unwrap();
        for ((height, width), expected) in [
            ((1, 2), vec![3.285714, 5.000000]),
            ((2, 3), vec![1.300000, 3.000000, 6.800000, 3.600000, 7.000000, 2.699999]),
            (
                (3, 7),
                vec![
                    1.000000, 1.357143, 1.928571, 3.000000, 4.285715, 6.571429, 8.000000, 2.000000,
                    2.535714, 3.392857, 5.000000, 6.321428, 4.892857, 4.000000, 3.000000, 3.714286,
                    4.857143, 7.000000, 8.357141, 3.214284, 0.000000,
                ],
            ),
        ] {
            let found = resize(&x, height, width).unwrap().flatten_all().unwrap();
            let found = found.to_vec1::<f64>().unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
            }
        }
        gradients_agree(&[numbers((2, 2, 3, 5), 1)], |[x]| resize(x, 2, 7));
    }

    #[test]
    fn a_blur_is_the_mean_of_neighbours_with_repeated_edges() {
        for shape in [(1, 1, 1, 1), (2, 3, 1, 4), (1, 2, 5, 7)] {
            let x = numbers(shape, 1);
            assert_close(&box_blur(&x, 0).unwrap(), &x, 0.0);
            let mut expected = x.clone();
            for times in [1, 2, 3] {
                let padded = expected.pad_with_same(2, 1, 1).unwrap().pad_with_same(3, 1, 1);
                expected = padded.unwrap().avg_pool2d_with_stride((3, 3), (1, 1)).unwrap();
                assert_close(&box_blur(&x, times).unwrap(), &expected, 1e-6);
            }
        }
    }

    #[test]
    fn gradients_add_up_when_the_input_is_used_twice() {
        let inputs = [numbers((2, 2, 2, 3), 1)];
        gradients_agree(&inputs, |[x]| upsample_nearest(x, 4, 6));
        gradients_agree(&inputs, |[x]| upsample_nearest(x, 3, 5));
        gradients_agree(&inputs, |[x]| upsample_nearest(x, 1, 2));
        gradients_agree(&inputs, |[x]| {
            let large = upsample_nearest(x, 4, 6)?;
            large * upsample_nearest(&x.sqr()?, 4, 6)?
        });
    }
}
