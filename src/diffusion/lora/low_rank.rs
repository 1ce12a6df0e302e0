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
        ops::add(output, &ops::linear(&ops::linear(x, &self.down, None)?, &self.up, None)?)
    }
}
