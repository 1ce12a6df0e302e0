//! A change of a dense layer, beside its weight.

use candle_core::{Result, Tensor};

use crate::ops;

/// The product of two matrices of low rank, which is added to the output of a dense layer. The weight of the layer stays as it
/// is stored, and another adapter needs only other matrices.
#[derive(Clone, Debug)]
pub(in crate::diffusion) struct LowRank {
    /// `(rank, in)`.
    down: Tensor,
    /// `(out, rank)`, with the scale.
    up: Tensor,
}

impl LowRank {
    /// The sum of `up * down * scale` for all factors of a layer: the scale, `down` and `up`. `None` without factors.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub(super) fn sum(factors: &[(f64, Tensor, Tensor)]) -> Result<Option<Self>> {
        if factors.is_empty() {
            return Ok(None);
        }
        let downs: Vec<&Tensor> = factors.iter().map(|(_, down, _)| down).collect();
        let ups = factors.iter().map(|(scale, _, up)| up * *scale).collect::<Result<Vec<_>>>()?;
        let down = ops::column_major(&Tensor::cat(&downs, 0)?)?;
        let up = ops::column_major(&Tensor::cat(&ups, 1)?)?;
        Ok(Some(Self { down, up }))
    }

    /// The output of the layer for `x`, `(.., in)`, given that of its weight.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub(in crate::diffusion) fn add_to(&self, output: &Tensor, x: &Tensor) -> Result<Tensor> {
        let (down, up) = (self.down.to_dtype(x.dtype())?, self.up.to_dtype(x.dtype())?);
        ops::add(output, &ops::linear(&ops::linear(x, &down, None)?, &up, None)?)
    }

    /// The same change of a convolution whose kernels have the shape `(_, in, rows, columns)`. `in` is `in * rows * columns` here.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub(in crate::diffusion) fn of_convolution(
        &self,
        (input, rows, columns): (usize, usize, usize),
    ) -> Result<LowRankConv> {
        let down = self.down.reshape(((), input, rows, columns))?;
        let up = self.up.unsqueeze(2)?.unsqueeze(3)?;
        Ok(LowRankConv { down: ops::column_major(&down)?, up: ops::column_major(&up)? })
    }
}

/// Two convolutions whose result is added to the output of a convolution.
#[derive(Clone, Debug)]
pub(in crate::diffusion) struct LowRankConv {
    /// `(rank, in, rows, columns)`.
    down: Tensor,
    /// `(out, rank, 1, 1)`, with the scale.
    up: Tensor,
}

impl LowRankConv {
    /// The output of the convolution for `x`, given that of its kernels.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub(in crate::diffusion) fn add_to(
        &self,
        output: &Tensor,
        x: &Tensor,
        stride: usize,
        padding: usize,
    ) -> Result<Tensor> {
        let (down, up) = (self.down.to_dtype(x.dtype())?, self.up.to_dtype(x.dtype())?);
        let inner = ops::conv2d(x, &down, None, stride, padding)?;
        ops::add(output, &ops::conv2d(&inner, &up, None, 1, 0)?)
    }

    /// The gradient with respect to the input of a convolution with stride 1, given that of its kernels, and that of the
    /// result.
    ///
    /// # Errors
    /// If the shapes do not match.
    pub(in crate::diffusion) fn add_to_gradient(
        &self,
        of_kernels: &Tensor,
        gradient: &Tensor,
        padding: usize,
    ) -> Result<Tensor> {
        let inner = ops::conv2d_gradient(gradient, &self.up, 0)?;
        ops::add(of_kernels, &ops::conv2d_gradient(&inner, &self.down, padding)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::check::{assert_close, numbers};

    #[test]
    fn the_change_of_a_convolution_is_that_of_its_kernels_and_so_is_its_gradient() {
        let (x, kernels) = (numbers((2, 3, 6, 5), 1), numbers((4, 3, 3, 3), 2));
        let factors = [(0.5, 2, 3), (-1.25, 3, 5)].map(|(scale, rank, seed)| {
            (scale, numbers((rank, 27), seed), numbers((4, rank), seed + 1))
        });
        let change = LowRank::sum(&factors).unwrap().unwrap().of_convolution((3, 3, 3)).unwrap();
        let changed = factors.iter().fold(kernels.clone(), |kernels, (scale, down, up)| {
            let change = (up.matmul(down).unwrap() * *scale).unwrap();
            (kernels + change.reshape((4, 3, 3, 3)).unwrap()).unwrap()
        });
        for stride in [1, 2] {
            let own = ops::conv2d(&x, &kernels, None, stride, 1).unwrap();
            let expected = ops::conv2d(&x, &changed, None, stride, 1).unwrap();
            assert_close(&change.add_to(&own, &x, stride, 1).unwrap(), &expected, 1e-12);
        }
        let gradient = numbers((2, 4, 6, 5), 9);
        let own = ops::conv2d_gradient(&gradient, &kernels, 1).unwrap();
        let expected = ops::conv2d_gradient(&gradient, &changed, 1).unwrap();
        assert_close(&change.add_to_gradient(&own, &gradient, 1).unwrap(), &expected, 1e-12);
    }
}
