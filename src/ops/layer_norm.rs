//! Layer normalisation.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    fused::{Real, definition_gradients, for_real, has_kernel, slice},
    half::{is_half, through_f32},
    norm::{moments, normalise},
};

/// Layer normalisation (Ba, Kiros and Hinton 2016): normalises the last dimension, then scales and shifts it.
/// `weight` and `bias` have the size of the last dimension. For an `x` of 16 bits, they may be f32.
///
/// # Errors
/// If the shapes do not match.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let op = LayerNorm { eps };
    if is_half(x) {
        through_f32([x, weight, bias], |[x, weight, bias]| layer_norm(x, weight, bias, eps))
    } else if has_kernel(x) {
        x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
    } else {
        op.definition([x, weight, bias])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn the_layer_norm_kernel_matches_its_definition() {
        let (x, weight, bias) = (numbers((2, 3, 7), 1), numbers(7, 2), numbers(7, 3));
        let defined = LayerNorm { eps: 1e-5 }.definition([&x, &weight, &bias]).unwrap();
        assert_close(&layer_norm(&x, &weight, &bias, 1e-5).unwrap(), &defined, 1e-12);
    }

    #[test]
    fn layer_norm_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3, 5), 1), numbers(5, 2), numbers(5, 3)];
        gradients_agree(&inputs, |[x, w, b]| layer_norm(x, w, b, 1e-5));
    }
}
