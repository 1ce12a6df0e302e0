//! Group and layer normalisation.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::fused::{Real, definition_gradients, for_real, has_kernel, slice};

/// Group normalisation (Wu and He 2018): normalises each group of channels, then scales and shifts each channel.
/// `x` is `(batch, channels, ..)`, `weight` and `bias` are `(channels)`.
///
/// # Errors
/// If the shapes do not match or `groups` does not divide the channels.
pub fn group_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
) -> Result<Tensor> {
    GroupNorm { groups, eps, silu: false }.apply(x, weight, bias)
}

/// [`group_norm`] followed by SiLU, in one pass.
///
/// # Errors
/// See [`group_norm`].
pub fn group_norm_silu(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
) -> Result<Tensor> {
    GroupNorm { groups, eps, silu: true }.apply(x, weight, bias)
}

/// Layer normalisation (Ba, Kiros and Hinton 2016): normalises the last dimension, then scales and shifts it.
/// `weight` and `bias` have the size of the last dimension.
///
/// # Errors
/// If the shapes do not match.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let op = LayerNorm { eps };
    if has_kernel(x) {
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
    } else {
        op.definition([x, weight, bias])
    }
}

#[derive(Clone, Copy)]
struct GroupNorm {
    groups: usize,
    eps: f64,
    silu: bool,
}

impl GroupNorm {
    fn apply(self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let channels = x.dim(1)?;
        if self.groups == 0 || channels % self.groups != 0 {
            candle_core::bail!("{channels} channels cannot be split into {} groups", self.groups);
        }
        if has_kernel(x) {
            x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, self)
        } else {
            self.definition([x, weight, bias])
        }
    }

    fn definition(&self, [x, weight, bias]: [&Tensor; 3]) -> Result<Tensor> {
        let (batch, channels) = (x.dim(0)?, x.dim(1)?);
        let normed = normalise(&x.reshape((batch, self.groups, ()))?, self.eps)?;
        let normed = normed.reshape((batch, channels, ()))?;
        let y = normed
            .broadcast_mul(&weight.reshape((1, channels, 1))?)?
            .broadcast_add(&bias.reshape((1, channels, 1))?)?
            .reshape(x.shape())?;
        if self.silu { y.silu() } else { Ok(y) }
    }
}

impl CustomOp3 for GroupNorm {
    fn name(&self) -> &'static str {
        "group-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            op: GroupNorm,
            dims: &[usize],
            [x, weight, bias]: [&[T]; 3],
        ) -> Result<CpuStorage> {
            let (channels, space) = (dims[1], dims[2..].iter().product::<usize>());
            let group = channels / op.groups * space;
            let mut y = vec![T::zero(); x.len()];
            if group > 0 {
                y.par_chunks_mut(group).zip(x.par_chunks(group)).enumerate().for_each(
                    |(index, (y, x))| {
                        let first = index % op.groups * (channels / op.groups);
                        let (mean, inverse) = moments(x, op.eps);
                        let rows = y.chunks_mut(space).zip(x.chunks(space));
                        for (channel, (y, x)) in (first..).zip(rows) {
                            let scale = inverse * weight[channel];
                            let shift = bias[channel] - mean * scale;
                            if op.silu {
                                map(y, x, |v| {
                                    let v = v * scale + shift;
                                    v * v.sigmoid()
                                });
                            } else {
                                map(y, x, |v| v * scale + shift);
                            }
                        }
                    },
                );
            }
            Ok(T::to_cpu_storage_owned(y))
        }
        let dims = x_layout.dims();
        let y = for_real!(
            x,
            kernel(
                *self,
                dims,
                [slice(x, x_layout)?, slice(weight, weight_layout)?, slice(bias, bias_layout)?]
            )
        )?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        if weight.track_op() || bias.track_op() || !has_kernel(x) {
            let inputs = [x, weight, bias];
            return Ok(
                definition_gradients(inputs, gradient, |inputs| self.definition(inputs))?.into()
            );
        }
        let numbers = |x: &Tensor| x.to_dtype(DType::F64)?.to_vec1();
        let op = GroupNormGradient { op: *self, weight: numbers(weight)?, bias: numbers(bias)? };
        let gradient = x.apply_op2_no_bwd(&gradient.contiguous()?, &op)?;
        Ok((Some(gradient), None, None))
    }
}

/// The gradient of [`GroupNorm`] with respect to `x`, from `x` and the gradient of the result. It needs no memory besides.
///
/// With n = (x - mean) / deviation and the gradient d of n, it is (d - mean(d) - n mean(d n)) / deviation.
struct GroupNormGradient {
    op: GroupNorm,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl CustomOp2 for GroupNormGradient {
    fn name(&self) -> &'static str {
        "group-norm-gradient"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gradient: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            of: &GroupNormGradient,
            dims: &[usize],
            [x, gradient]: [&[T]; 2],
        ) -> Result<CpuStorage> {
            let (channels, space) = (dims[1], dims[2..].iter().product::<usize>());
            let in_group = channels / of.op.groups;
            let mut result = vec![T::zero(); x.len()];
            if in_group * space > 0 {
                let groups = x.par_chunks(in_group * space);
                let groups = groups.zip(gradient.par_chunks(in_group * space));
                result
                    .par_chunks_mut(in_group * space)
                    .zip(groups)
                    .enumerate()
                    .for_each(|(index, (result, group))| of.of_group(result, group, index, space));
            }
            Ok(T::to_cpu_storage_owned(result))
        }
        let dims = x_layout.dims();
        let result =
            for_real!(x, kernel(self, dims, [slice(x, x_layout)?, slice(gradient, layout)?]))?;
        Ok((result, x_layout.shape().clone()))
    }
}

impl GroupNormGradient {
    /// Writes the gradient of one group. `index` counts the groups of all samples.
    fn of_group<T: Real>(
        &self,
        result: &mut [T],
        (x, gradient): (&[T], &[T]),
        index: usize,
        space: usize,
    ) {
        let in_group = self.weight.len() / self.op.groups;
        let first = index % self.op.groups * in_group;
        let (mean, inverse) = moments(x, self.op.eps);
        let (mean, inverse) = (mean.to_f64(), inverse.to_f64());
        // The normalised value, and the gradient with respect to it.
        let both = |at: usize| {
            let channel = first + at / space;
            let normed = (x[at].to_f64() - mean) * inverse;
            let mut gradient = gradient[at].to_f64();
            if self.op.silu {
                let y = normed * self.weight[channel] + self.bias[channel];
                let sigmoid = y.sigmoid();
                gradient *= sigmoid * (1.0 + y * (1.0 - sigmoid));
            }
            (normed, gradient * self.weight[channel])
        };
        let (mut sum, mut product) = (0.0, 0.0);
        for at in 0..x.len() {
            let (normed, gradient) = both(at);
            sum += gradient;
            product += gradient * normed;
        }
        let (sum, product) = (sum / x.len() as f64, product / x.len() as f64);
        for (at, result) in result.iter_mut().enumerate() {
            let (normed, gradient) = both(at);
            *result = T::from_f64(inverse * (gradient - sum - normed * product));
        }
    }
}

#[derive(Clone, Copy)]
struct LayerNorm {
    eps: f64,
}

impl LayerNorm {
    fn definition(&self, [x, weight, bias]: [&Tensor; 3]) -> Result<Tensor> {
        normalise(x, self.eps)?.broadcast_mul(weight)?.broadcast_add(bias)
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(eps: f64, [x, weight, bias]: [&[T]; 3]) -> Result<CpuStorage> {
            let width = weight.len().max(1);
            let mut y = vec![T::zero(); x.len()];
            y.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(16).for_each(|(y, x)| {
                let (mean, inverse) = moments(x, eps);
                for (index, (y, x)) in y.iter_mut().zip(x).enumerate() {
                    *y = (*x - mean) * inverse * weight[index] + bias[index];
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let width = x_layout.dims().last().copied().unwrap_or(0);
        if weight_layout.dims() != [width] || bias_layout.dims() != [width] {
            candle_core::bail!(
                "layer norm over {width} elements has weights with {weight_layout:?}"
            );
        }
        let y = for_real!(
            x,
            kernel(
                self.eps,
                [slice(x, x_layout)?, slice(weight, weight_layout)?, slice(bias, bias_layout)?]
            )
        )?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let inputs = [x, weight, bias];
        Ok(definition_gradients(inputs, gradient, |inputs| self.definition(inputs))?.into())
    }
}

/// Shifts and scales the last dimension to mean 0 and variance 1.
fn normalise(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

/// The mean and the reciprocal of the standard deviation. Sums are in f64 because a group can have a million
/// elements.
fn moments<T: Real>(x: &[T], eps: f64) -> (T, T) {
    let count = x.len() as f64;
    let mean = sum(x, |v| v) / count;
    let variance = sum(x, |v| (v - mean) * (v - mean)) / count;
    (T::from_f64(mean), T::from_f64(1.0 / (variance + eps).sqrt()))
}

/// Sums in eight independent lanes, so that additions run in parallel.
fn sum<T: Real>(x: &[T], term: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; 8];
    let chunks = x.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|v| term(v.to_f64())).sum();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += term(v.to_f64());
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn map<T: Real>(y: &mut [T], x: &[T], change: impl Fn(T) -> T) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = change(*x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn the_group_norm_kernel_matches_its_definition() {
        let (x, weight, bias) = (numbers((2, 6, 3, 5), 1), numbers(6, 2), numbers(6, 3));
        for silu in [false, true] {
            let op = GroupNorm { groups: 3, eps: 1e-5, silu };
            let defined = op.definition([&x, &weight, &bias]).unwrap();
            assert_close(&op.apply(&x, &weight, &bias).unwrap(), &defined, 1e-12);
            let narrow = x.transpose(2, 3).unwrap();
            let defined = op.definition([&narrow, &weight, &bias]).unwrap();
            assert_close(&op.apply(&narrow, &weight, &bias).unwrap(), &defined, 1e-12);
        }
    }

    #[test]
    fn each_group_has_mean_zero_and_variance_one() {
        let x = ((numbers((2, 6, 4, 4), 1) * 7.0).unwrap() + 3.0).unwrap();
        let one = Tensor::ones(6, x.dtype(), x.device()).unwrap();
        let y = group_norm(&x, &one, &one.zeros_like().unwrap(), 2, 0.0).unwrap();
        let groups = y.reshape((4, 48)).unwrap();
        assert_close(&groups.mean(1).unwrap(), &numbers(4, 0).zeros_like().unwrap(), 1e-12);
        assert_close(
            &groups.sqr().unwrap().mean(1).unwrap(),
            &numbers(4, 0).ones_like().unwrap(),
            1e-12,
        );
    }

    #[test]
    fn the_layer_norm_kernel_matches_its_definition() {
        let (x, weight, bias) = (numbers((2, 3, 7), 1), numbers(7, 2), numbers(7, 3));
        let defined = LayerNorm { eps: 1e-5 }.definition([&x, &weight, &bias]).unwrap();
        assert_close(&layer_norm(&x, &weight, &bias, 1e-5).unwrap(), &defined, 1e-12);
    }

    #[test]
    fn norm_gradients_match_finite_differences() {
        let inputs = [numbers((2, 4, 2, 3), 1), numbers(4, 2), numbers(4, 3)];
        gradients_agree(&inputs, |[x, w, b]| group_norm(x, w, b, 2, 1e-5));
        gradients_agree(&inputs, |[x, w, b]| group_norm_silu(x, w, b, 2, 1e-5));
        let inputs = [numbers((2, 3, 5), 1), numbers(5, 2), numbers(5, 3)];
        gradients_agree(&inputs, |[x, w, b]| layer_norm(x, w, b, 1e-5));
    }

    #[test]
    fn the_gradient_of_a_group_norm_with_constant_weights_is_right() {
        let (x, weight, bias) = (numbers((2, 4, 2, 3), 1), numbers(4, 2), numbers(4, 3));
        let inputs = [x];
        gradients_agree(&inputs, |[x]| group_norm(x, &weight, &bias, 2, 1e-5));
        gradients_agree(&inputs, |[x]| group_norm_silu(x, &weight, &bias, 2, 1e-5));
    }

    #[test]
    fn groups_must_divide_the_channels() {
        let (x, weight) = (numbers((1, 4, 2, 2), 1), numbers(4, 2));
        for groups in [0, 3, 8] {
            assert!(group_norm(&x, &weight, &weight, groups, 1e-5).is_err());
        }
    }
}
