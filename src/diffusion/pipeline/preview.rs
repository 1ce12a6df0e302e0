//! What latents look like, without decoding them.

use candle_core::{Device, Result, Tensor};
use image::RgbImage;

use super::picture;
use crate::diffusion::{DiffusionError, Interrupt, noise::noise, vae::Autoencoder};

/// Patches along each side of the latents that the colours are learned from.
const PATCHES: usize = 8;
/// Latents along each side of a patch.
const PATCH: usize = 2;

/// A linear map from latents to colours, fitted to the model's own decoder when it is loaded: it
/// decodes patches of noise once, and each patch's mean colour is explained by its latents (least
/// squares). That makes a preview of any model at the price of a small matrix.
#[derive(Clone, Debug)]
pub(super) struct LatentColours {
    /// (3, channels, 1, 1).
    weights: Tensor,
    /// (1, 3, 1, 1).
    bias: Tensor,
}

impl LatentColours {
    /// Learns the colours of an autoencoder.
    pub fn of(vae: &Autoencoder, device: &Device) -> std::result::Result<Self, DiffusionError> {
        let channels = vae.latent_channels();
        let samples = noise(0, channels, PATCHES, PATCHES);
        let patches = Tensor::from_slice(&samples, (1, channels, PATCHES, PATCHES), device)?;
        let side = PATCHES * PATCH;
        let image = vae.decode(&patches.upsample_nearest2d(side, side)?, &Interrupt::default())?;
        let colours: Vec<Vec<f32>> =
            image.avg_pool2d(PATCH * vae.scale())?.squeeze(0)?.flatten_from(1)?.to_vec2()?;

        let count = PATCHES * PATCHES;
        let latent = |channel: usize, patch: usize| f64::from(samples[channel * count + patch]);
        let row =
            |patch| (0..channels).map(|channel| latent(channel, patch)).chain([1.0]).collect();
        let rows: Vec<Vec<f64>> = (0..count).map(row).collect();
        let maps: Vec<Vec<f64>> =
            colours.iter().map(|colour| least_squares(&rows, colour)).collect();
        let weights = maps.iter().flat_map(|map| &map[..channels]).map(|&w| w as f32).collect();
        let bias = maps.iter().map(|map| map[channels] as f32).collect();
        Ok(Self {
            weights: Tensor::from_vec(weights, (3, channels, 1, 1), device)?,
            bias: Tensor::from_vec(bias, (1, 3, 1, 1), device)?,
        })
    }

    /// A picture of latents (1, channels, height, width), one pixel for each.
    pub fn preview(&self, latents: &Tensor) -> Result<RgbImage> {
        let colours = latents.conv2d(&self.weights, 0, 1, 1, 1)?.broadcast_add(&self.bias)?;
        picture::rgb(&colours)
    }
}

/// The weights with which the rows explain the targets best, by the normal equations.
fn least_squares(rows: &[Vec<f64>], targets: &[f32]) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len);
    let dot = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| {
        (0..rows.len()).map(|i| a(i) * b(i)).sum::<f64>()
    };
    let mut equations: Vec<Vec<f64>> = (0..width)
        .map(|row| {
            let left = (0..width).map(|column| {
                // A breath of ridge keeps it solvable whatever the samples are.
                let ridge = if row == column { 1e-6 } else { 0.0 };
                dot(&|i| rows[i][row], &|i| rows[i][column]) + ridge
            });
            left.chain([dot(&|i| rows[i][row], &|i| f64::from(targets[i]))]).collect()
        })
        .collect();
    // Gauss and Jordan; the matrix is positive definite, so that no pivot need be searched.
    for pivot in 0..width {
        let scale = equations[pivot][pivot];
        equations[pivot].iter_mut().for_each(|value| *value /= scale);
        let solved = equations[pivot].clone();
        for (_, equation) in equations.iter_mut().enumerate().filter(|(row, _)| *row != pivot) {
            let share = equation[pivot];
            equation.iter_mut().zip(&solved).for_each(|(value, solved)| *value -= share * solved);
        }
    }
    equations.into_iter().filter_map(|equation| equation.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::least_squares;

    #[test]
    fn least_squares_finds_the_plane_that_the_points_lie_on() {
        let samples = crate::diffusion::noise::noise(3, 1, 20, 2);
        let rows: Vec<Vec<f64>> =
            samples.chunks(2).map(|xy| vec![xy[0].into(), xy[1].into(), 1.0]).collect();
        let targets: Vec<f32> =
            rows.iter().map(|row| (2.0 * row[0] - 0.5 * row[1] + 0.25) as f32).collect();
        let found = least_squares(&rows, &targets);
        for (found, expected) in found.iter().zip([2.0, -0.5, 0.25]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }
}
