//! Shared parts of the norms: mean and deviation.

use candle_core::{D, Result, Tensor};

use super::fused::Real;

/// Shifts and scales the last dimension to mean 0 and variance 1.
pub(super) fn normalise(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

/// The mean and the reciprocal of the standard deviation. Sums are in f64 because a group can have a million
/// elements.
pub(super) fn moments<T: Real>(x: &[T], eps: f64) -> (T, T) {
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
