//! Normalisation by the root mean square.

use candle_core::{CpuStorage, CustomOp2, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    fused::{Real, definition_gradients, for_real, has_kernel, slice},
    half::{is_half, through_f32},
};

/// Divides the last dimension by its root mean square, then scales it (Zhang and Sennrich 2019, arXiv:1910.07467).
/// `weight` has the size of the last dimension. For an `x` of 16 bits, it may be f32.
///
/// # Errors
/// If the shapes do not match.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let op = RmsNorm { eps };
    if is_half(x) {
        through_f32([x, weight], |[x, weight]| rms_norm(x, weight, eps))
    } else if has_kernel(x) {
        x.contiguous()?.apply_op2(&weight.contiguous()?, op)
    } else {
        op.definition([x, weight])
    }
}

#[derive(Clone, Copy)]
struct RmsNorm {
    eps: f64,
}

impl RmsNorm {
    fn definition(&self, [x, weight]: [&Tensor; 2]) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(mean + self.eps)?.sqrt()?)?.broadcast_mul(weight)
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(eps: f64, [x, weight]: [&[T]; 2]) -> Result<CpuStorage> {
            let width = weight.len().max(1);
            let mut y = vec![T::zero(); x.len()];
            y.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(16).for_each(|(y, x)| {
                let squares: f64 = x.iter().map(|x| x.to_f64() * x.to_f64()).sum();
                let inverse = T::from_f64(1.0 / (squares / width as f64 + eps).sqrt());
                for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
                    *y = *x * inverse * *weight;
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let width = x_layout.dims().last().copied().unwrap_or(0);
        if weight_layout.dims() != [width] {
            candle_core::bail!("RMS norm over {width} elements has weights with {weight_layout:?}");
        }
        let y =
            for_real!(x, kernel(self.eps, [slice(x, x_layout)?, slice(weight, weight_layout)?]))?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let inputs = [x, weight];
        Ok(definition_gradients(inputs, gradient, |inputs| self.definition(inputs))?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    #[test]
    fn the_rms_norm_kernel_matches_its_definition() {
        let (x, weight) = (numbers((2, 3, 7), 1), numbers(7, 2));
        let defined = RmsNorm { eps: 1e-2 }.definition([&x, &weight]).unwrap();
        assert_close(&rms_norm(&x, &weight, 1e-2).unwrap(), &defined, 1e-12);
        assert!(rms_norm(&x, &numbers(6, 2), 1e-2).is_err());
    }

    #[test]
    fn rms_norm_gradients_match_finite_differences() {
        let inputs = [numbers((2, 3, 5), 1), numbers(5, 2)];
        gradients_agree(&inputs, |[x, weight]| rms_norm(x, weight, 1e-2));
    }
}
