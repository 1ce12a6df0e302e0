//! Rotary embeddings of positions on several axes.

use candle_core::{Result, Tensor};

use crate::ops::RotaryAngles;

/// The angles of rotary embeddings (Su et al. 2021, arXiv:2104.09864) of tokens at `positions`: each axis turns its part of
/// the channels of a head, of which `axes` are the sizes.
pub(super) fn axial_angles<const N: usize>(
    positions: &[[usize; N]],
    axes: &[usize],
    theta: f64,
    like: &Tensor,
) -> Result<RotaryAngles> {
    let frequencies: Vec<Vec<f64>> = axes
        .iter()
        .map(|&size| {
            let exponent = |pair: usize| (2 * pair) as f64 / size as f64;
            (0..size / 2).map(|pair| 1.0 / theta.powf(exponent(pair))).collect()
        })
        .collect();
    let of_token = |position: &[usize; N]| {
        let axes = position.iter().zip(&frequencies);
        let angles = axes.flat_map(|(&place, axis)| axis.iter().map(move |f| place as f64 * f));
        angles.collect::<Vec<_>>()
    };
    let angles: Vec<f64> = positions.iter().flat_map(of_token).collect();
    RotaryAngles::new(&angles, positions.len(), like)
}
