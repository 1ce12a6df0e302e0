//! The gradient of group normalisation.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape};
use rayon::prelude::*;

use super::GroupNorm;
use crate::ops::{
    fused::{Real, for_real, slice},
    norm::moments,
};

/// The gradient of [`GroupNorm`] with respect to `x`, from `x` and the gradient of the result. It needs no memory besides.
///
/// With n = (x - mean) / deviation and the gradient d of n, it is (d - mean(d) - n mean(d n)) / deviation.
pub(super) struct GroupNormGradient {
    pub(super) op: GroupNorm,
    pub(super) weight: Vec<f64>,
    pub(super) bias: Vec<f64>,
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
