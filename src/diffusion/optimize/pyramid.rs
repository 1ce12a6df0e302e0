//! Colours as a sum of maps at several resolutions.

use candle_core::{Device, Result, Tensor};

/// Colours, (1, 3, height, width), as a sum of maps, each with half of the rows and columns of the one before.
///
/// A step of an optimizer then changes large areas more than single pixels, as in pictures, whose amplitudes fall with
/// the frequency (Olah, Mordvintsev and Schubert 2017, "Feature Visualization", section on preconditioning). If it
/// changed latents one by one, networks would be satisfied by textures that show nothing.
pub(super) struct Pyramid {
    /// From the coarsest level to the finest one.
    levels: Vec<Level>,
}

struct Level {
    rows: usize,
    columns: usize,
    /// Interpolates rows, (height, rows).
    down: Tensor,
    /// Interpolates columns, (columns, width).
    across: Tensor,
    amplitude: f64,
}

/// The shorter side of the coarsest map has at most this many pixels.
const COARSEST: usize = 4;

impl Pyramid {
    /// The pyramid for colours of a size.
    pub fn new(height: usize, width: usize, device: &Device) -> Result<Self> {
        let mut sizes = vec![(height, width)];
        while let Some(&(rows, columns)) = sizes.last()
            && rows.min(columns) > COARSEST
        {
            sizes.push((rows.div_ceil(2), columns.div_ceil(2)));
        }
        let levels = sizes.into_iter().rev().enumerate().map(|(level, (rows, columns))| {
            Ok(Level {
                rows,
                columns,
                down: interpolation(rows, height, device)?,
                across: interpolation(columns, width, device)?.t()?.contiguous()?,
                amplitude: 0.5_f64.powi(level as i32),
            })
        });
        Ok(Self { levels: levels.collect::<Result<_>>()? })
    }

    /// The number of values of all maps.
    pub fn len(&self) -> usize {
        self.levels.iter().map(Level::len).sum()
    }

    /// The sum of all maps. `maps` has their values, one level after the other. Differentiable.
    pub fn colours(&self, maps: &Tensor) -> Result<Tensor> {
        let mut start = 0;
        let mut sum: Option<Tensor> = None;
        for level in &self.levels {
            let map = level.colours(&maps.narrow(0, start, level.len())?)?;
            start += level.len();
            sum = Some(match sum {
                Some(sum) => (sum + map)?,
                None => map,
            });
        }
        sum.map_or_else(|| maps.reshape((1, 3, 0, 0)), |sum| sum.unsqueeze(0))
    }
}

impl Level {
    fn len(&self) -> usize {
        3 * self.rows * self.columns
    }

    /// The map at the size of the colours, (3, height, width).
    fn colours(&self, map: &Tensor) -> Result<Tensor> {
        let across = map.reshape((3 * self.rows, self.columns))?.matmul(&self.across)?;
        let across = across.reshape((3, self.rows, ()))?;
        self.down.unsqueeze(0)?.broadcast_matmul(&across)? * self.amplitude
    }
}

/// The matrix, (to, from), that interpolates linearly between the centres of pixels.
fn interpolation(from: usize, to: usize, device: &Device) -> Result<Tensor> {
    let mut weights = vec![0.0_f32; to * from];
    for (row, weights) in weights.chunks_mut(from).enumerate() {
        let place = (row as f32 + 0.5) * from as f32 / to as f32 - 0.5;
        let place = place.clamp(0.0, (from - 1) as f32);
        let (left, share) = (place as usize, place.fract());
        weights[left] += 1.0 - share;
        weights[(left + 1).min(from - 1)] += share;
    }
    Tensor::from_vec(weights, (to, from), device)
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    #[test]
    fn each_level_has_half_of_the_sides_and_of_the_amplitude() {
        let pyramid = Pyramid::new(14, 24, &Device::Cpu).unwrap();
        let sizes: Vec<_> = pyramid.levels.iter().map(|it| (it.rows, it.columns)).collect();
        assert_eq!(sizes, [(4, 6), (7, 12), (14, 24)]);
        let ones = Tensor::ones(pyramid.len(), candle_core::DType::F32, &Device::Cpu).unwrap();
        let colours = pyramid.colours(&ones).unwrap();
        assert_eq!(colours.dims(), [1, 3, 14, 24]);
        for value in colours.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
            assert!((value - 1.75).abs() < 1e-5, "{value}");
        }
    }

    #[test]
    fn colours_are_interpolated_and_all_maps_have_a_gradient() {
        let matrix = interpolation(2, 4, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(matrix, [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]);
        let pyramid = Pyramid::new(8, 8, &Device::Cpu).unwrap();
        let maps = Var::zeros(pyramid.len(), candle_core::DType::F32, &Device::Cpu).unwrap();
        let gradients = pyramid.colours(&maps).unwrap().sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&maps).unwrap().to_vec1::<f32>().unwrap();
        // Each value of the coarse map covers four pixels, on average.
        let (coarse, fine) = gradient.split_at(3 * 4 * 4);
        assert!((coarse.iter().sum::<f32>() - 3.0 * 64.0).abs() < 1e-3, "{coarse:?}");
        assert!(fine.iter().all(|&value| value == 0.5), "{fine:?}");
    }
}
