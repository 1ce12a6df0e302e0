//! Rotary position embeddings.

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{
    fused::{Real, for_real, has_kernel, slice},
    half::{is_half, through_f32},
};

/// The two elements of a head that are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Neighbours: 0 and 1, 2 and 3, as in FLUX.
    Neighbours,
    /// An element of the first half and one of the second half, as in Llama and Qwen.
    Halves,
}

/// The cosines and sines of the angles by which [`rotary`] turns the pairs of each token, both (tokens, pairs).
#[derive(Clone, Debug)]
pub struct RotaryAngles {
    cosines: Tensor,
    sines: Tensor,
}

impl RotaryAngles {
    /// Angles of tokens by rows: `angles` has those of all pairs of the first token, then those of the second one.
    ///
    /// # Errors
    /// If there are not as many angles for each token.
    pub fn new(angles: &[f64], tokens: usize, like: &Tensor) -> Result<Self> {
        let of = |function: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|&angle| function(angle) as f32).collect();
            let values =
                Tensor::from_vec(values, (tokens, angles.len() / tokens.max(1)), like.device())?;
            // Numbers of 16 bits are turned in f32, as in diffusers.
            values.to_dtype(if is_half(like) { DType::F32 } else { like.dtype() })
        };
        Ok(Self { cosines: of(f64::cos)?, sines: of(f64::sin)? })
    }
}

/// Turns the pairs of each head by the angles of the token (Su et al. 2021, arXiv:2104.09864). `x` is
/// `(batch, tokens, channels)`, and the heads share the channels evenly. Gradients reach only `x`.
///
/// # Errors
/// If the shapes do not match.
pub fn rotary(x: &Tensor, angles: &RotaryAngles, pairs: RotaryPairs) -> Result<Tensor> {
    let (_, tokens, channels) = x.dims3()?;
    let (found, count) = angles.cosines.dims2()?;
    if found != tokens || count == 0 || !channels.is_multiple_of(2 * count) {
        candle_core::bail!(
            "angles of {found} tokens and {count} pairs do not fit {tokens} tokens of {channels} channels"
        );
    }
    let op = Rotary { pairs };
    let RotaryAngles { cosines, sines } = angles;
    if is_half(x) {
        through_f32([x, cosines, sines], |[x, cosines, sines]| {
            let (cosines, sines) = (cosines.clone(), sines.clone());
            rotary(x, &RotaryAngles { cosines, sines }, pairs)
        })
    } else if has_kernel(x) {
        x.contiguous()?.apply_op3(&cosines.detach(), &sines.detach(), op)
    } else {
        op.definition(x, cosines, sines)
    }
}

#[derive(Clone, Copy)]
struct Rotary {
    pairs: RotaryPairs,
}

impl Rotary {
    fn definition(&self, x: &Tensor, cosines: &Tensor, sines: &Tensor) -> Result<Tensor> {
        let (batch, tokens, channels) = x.dims3()?;
        let count = cosines.dim(1)?;
        let heads = channels / (2 * count);
        let (dims, pair) = match self.pairs {
            RotaryPairs::Neighbours => ([batch, tokens, heads, count, 2], 4),
            RotaryPairs::Halves => ([batch, tokens, heads, 2, count], 3),
        };
        let split = x.reshape(&dims[..])?;
        let [first, second] =
            [0, 1].map(|index| split.narrow(pair, index, 1)?.squeeze(pair)?.contiguous());
        let (first, second) = (first?, second?);
        let angles = |x: &Tensor| x.reshape((1, tokens, 1, count));
        let (cosines, sines) = (angles(cosines)?, angles(sines)?);
        let turned = [
            (first.broadcast_mul(&cosines)? - second.broadcast_mul(&sines)?)?,
            (second.broadcast_mul(&cosines)? + first.broadcast_mul(&sines)?)?,
        ];
        Tensor::stack(&turned, pair)?.reshape((batch, tokens, channels))
    }
}

impl CustomOp3 for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        cosines: &CpuStorage,
        cosines_layout: &Layout,
        sines: &CpuStorage,
        sines_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        fn kernel<T: Real>(
            pairs: RotaryPairs,
            [x, cosines, sines]: [&[T]; 3],
            [tokens, channels, count]: [usize; 3],
        ) -> Result<CpuStorage> {
            let mut y = vec![T::zero(); x.len()];
            let rows = y.par_chunks_mut(channels).zip(x.par_chunks(channels)).enumerate();
            rows.with_min_len(4).for_each(|(row, (y, x))| {
                let own = row % tokens * count..(row % tokens + 1) * count;
                let (cosines, sines) = (&cosines[own.clone()], &sines[own]);
                for (y, x) in y.chunks_exact_mut(2 * count).zip(x.chunks_exact(2 * count)) {
                    for (pair, (cosine, sine)) in cosines.iter().zip(sines).enumerate() {
                        let (first, second) = match pairs {
                            RotaryPairs::Neighbours => (2 * pair, 2 * pair + 1),
                            RotaryPairs::Halves => (pair, pair + count),
                        };
                        y[first] = x[first] * *cosine - x[second] * *sine;
                        y[second] = x[second] * *cosine + x[first] * *sine;
                    }
                }
            });
            Ok(T::to_cpu_storage_owned(y))
        }
        let (_, tokens, channels) = x_layout.shape().dims3()?;
        let (_, count) = cosines_layout.shape().dims2()?;
        let sizes = [tokens.max(1), channels.max(1), count];
        let y = for_real!(
            x,
            kernel(
                self.pairs,
                [slice(x, x_layout)?, slice(cosines, cosines_layout)?, slice(sines, sines_layout)?],
                sizes
            )
        )?;
        Ok((y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        cosines: &Tensor,
        sines: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        // The gradient of a turn is the turn back.
        let gradient = gradient.contiguous()?.apply_op3(cosines, &sines.neg()?, *self)?;
        Ok((Some(gradient), None, None))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::ops::check::{assert_close, gradients_agree, numbers};

    fn angles(tokens: usize, pairs: usize) -> RotaryAngles {
        let angles: Vec<f64> = (0..tokens * pairs).map(|index| index as f64 * 0.7 - 2.0).collect();
        let like = Tensor::zeros(1, DType::F64, &Device::Cpu).unwrap();
        RotaryAngles::new(&angles, tokens, &like).unwrap()
    }

    #[test]
    fn the_rotary_kernel_matches_its_definition() {
        let (x, angles) = (numbers((2, 3, 12), 1), angles(3, 2));
        for pairs in [RotaryPairs::Neighbours, RotaryPairs::Halves] {
            let defined = Rotary { pairs }.definition(&x, &angles.cosines, &angles.sines).unwrap();
            assert_close(&rotary(&x, &angles, pairs).unwrap(), &defined, 1e-12);
        }
    }

    #[test]
    fn a_pair_is_turned_by_its_angle() {
        let x = Tensor::new(&[1.0_f64, 10.0, 100.0, 1000.0], &Device::Cpu).unwrap();
        let quarter = std::f64::consts::FRAC_PI_2;
        let angles = RotaryAngles::new(&[0.0, quarter], 1, &x).unwrap();
        for (pairs, expected) in [
            (RotaryPairs::Neighbours, [1.0, 10.0, -1000.0, 100.0]),
            (RotaryPairs::Halves, [1.0, -1000.0, 100.0, 10.0]),
        ] {
            let found = rotary(&x.reshape((1, 1, 4)).unwrap(), &angles, pairs).unwrap();
            let expected =
                Tensor::new(&expected, &Device::Cpu).unwrap().reshape((1, 1, 4)).unwrap();
            assert_close(&found, &expected, 1e-4);
        }
    }

    #[test]
    fn rotary_gradients_match_finite_differences() {
        let angles = angles(3, 2);
        for pairs in [RotaryPairs::Neighbours, RotaryPairs::Halves] {
            gradients_agree(&[numbers((2, 3, 8), 1)], |[x]| rotary(x, &angles, pairs));
            gradients_agree(&[numbers((2, 3, 8), 1)], |[x]| {
                Rotary { pairs }.definition(x, &angles.cosines, &angles.sines)
            });
        }
    }

    #[test]
    fn angles_of_another_shape_are_an_error() {
        let x = numbers((1, 3, 12), 1);
        for angles in [angles(2, 2), angles(3, 4)] {
            assert!(rotary(&x, &angles, RotaryPairs::Halves).is_err());
        }
    }
}
