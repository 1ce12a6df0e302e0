//! Group normalisation.

mod gradient;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use self::gradient::GroupNormGradient;
use super::{
    fused::{Real, definition_gradients, for_real, has_kernel, slice},
    half::{is_half, through_f32},
    norm::{moments, normalise},
};

/// Group normalisation (Wu and He 2018): normalises each group of channels, then scales and shifts each channel.
/// `x` is `(batch, channels, ..)`, `weight` and `bias` are `(channels)`. For an `x` of 16 bits, they may be f32.
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
    GroupNorm::new(x, groups, eps, false)?.apply(x, weight, bias)
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
    GroupNorm::new(x, groups, eps, true)?.apply(x, weight, bias)
}

/// The gradient of [`group_norm_silu`] with respect to `x`, given the gradient of the result.
///
/// # Errors
/// See [`group_norm`].
pub fn group_norm_silu_gradient(
    x: &Tensor,
    gradient: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    groups: usize,
    eps: f64,
) -> Result<Tensor> {
    GroupNorm::new(x, groups, eps, true)?.gradient(x, gradient, weight, bias)
}

#[derive(Clone, Copy)]
struct GroupNorm {
    groups: usize,
    eps: f64,
    silu: bool,
}

impl GroupNorm {
    fn new(x: &Tensor, groups: usize, eps: f64, silu: bool) -> Result<Self> {
        let channels = x.dim(1)?;
        if groups == 0 || channels % groups != 0 {
            candle_core::bail!("{channels} channels cannot be split into {groups} groups");
        }
        Ok(Self { groups, eps, silu })
    }

    fn apply(self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        if is_half(x) {
            through_f32([x, weight, bias], |[x, weight, bias]| self.apply(x, weight, bias))
        } else if has_kernel(x) {
            x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, self)
        } else {
            self.definition([x, weight, bias])
        }
    }

    /// The gradient with respect to `x`, if the weights need none.
    fn gradient(
        self,
        x: &Tensor,
        gradient: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
    ) -> Result<Tensor> {
        if !has_kernel(x) {
            let of_x = |[x]: [&Tensor; 1]| self.definition([x, weight, bias]);
            let [gradient] = definition_gradients([x], gradient, of_x)?;
            return gradient.map_or_else(|| x.zeros_like(), Ok);
        }
        let numbers = |x: &Tensor| x.to_dtype(DType::F64)?.to_vec1();
        let op = GroupNormGradient { op: self, weight: numbers(weight)?, bias: numbers(bias)? };
        x.contiguous()?.apply_op2_no_bwd(&gradient.contiguous()?, &op)
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
        if weight.track_op() || bias.track_op() {
            let inputs = [x, weight, bias];
            return Ok(
                definition_gradients(inputs, gradient, |inputs| self.definition(inputs))?.into()
            );
        }
        Ok((Some(self.gradient(x, gradient, weight, bias)?), None, None))
    }
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
    fn norm_gradients_match_finite_differences() {
        let inputs = [numbers((2, 4, 2, 3), 1), numbers(4, 2), numbers(4, 3)];
        gradients_agree(&inputs, |[x, w, b]| group_norm(x, w, b, 2, 1e-5));
        gradients_agree(&inputs, |[x, w, b]| group_norm_silu(x, w, b, 2, 1e-5));
    }

    #[test]
    fn the_gradient_of_a_group_norm_with_constant_weights_is_right() {
        let (x, weight, bias) = (numbers((2, 4, 2, 3), 1), numbers(4, 2), numbers(4, 3));
        let inputs = [x];
        gradients_agree(&inputs, |[x]| group_norm(x, &weight, &bias, 2, 1e-5));
        gradients_agree(&inputs, |[x]| group_norm_silu(x, &weight, &bias, 2, 1e-5));
    }

    #[test]
    fn the_kernel_of_the_gradient_matches_the_gradient_of_the_definition() {
        let (x, weight, bias) = (numbers((2, 4, 2, 3), 1), numbers(4, 2), numbers(4, 3));
        let gradient = numbers((2, 4, 2, 3), 4);
        let op = GroupNorm { groups: 2, eps: 1e-5, silu: true };
        let of_x = |[x]: [&Tensor; 1]| op.definition([x, &weight, &bias]);
        let [expected] = definition_gradients([&x], &gradient, of_x).unwrap();
        let found = group_norm_silu_gradient(&x, &gradient, &weight, &bias, 2, 1e-5).unwrap();
        assert_close(&found, &expected.unwrap(), 1e-12);
    }

    #[test]
    fn groups_must_divide_the_channels() {
        let (x, weight) = (numbers((1, 4, 2, 2), 1), numbers(4, 2));
        for groups in [0, 3, 8] {
            assert!(group_norm(&x, &weight, &weight, groups, 1e-5).is_err());
        }
    }
}
