//! Masks of adapters, in the resolutions of the denoiser.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use image::GrayImage;

use crate::mask::Area;

/// Where an adapter acts: a value in 0..=1 for each pixel of the sampled area.
#[derive(Clone, Debug)]
pub struct PixelMask {
    values: Arc<[f32]>,
    width: usize,
}

/// The parameter of PyTorch's bicubic interpolation.
const CUBIC: f32 = -0.75;

impl PixelMask {
    /// A mask from grey pixels: 255 is 1.
    #[must_use]
    pub fn new(pixels: &GrayImage) -> Self {
        let values = pixels.as_raw().iter().map(|value| f32::from(*value) / 255.0).collect();
        Self { values, width: pixels.width() as usize }
    }

    /// The mask in a tile of latents of this height and width, which cover the pixels.
    pub(super) fn in_tile(&self, tile: Area, (height, width): (usize, usize)) -> Self {
        let [across, down] = [(self.width, width), (self.height(), height)]
            .map(|(pixels, latents)| pixels.div_ceil(latents.max(1)));
        let columns = tile.x as usize * across..(tile.right() as usize * across).min(self.width);
        let rows = tile.y as usize * down..(tile.bottom() as usize * down).min(self.height());
        let width = columns.len();
        let values = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        Self { values: values.map(|(x, y)| self.at(x, y)).collect(), width }
    }

    fn height(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// The means of squares with sides of `cell` pixels, (1, 1, rows, columns). At the right and at the bottom, a square
    /// beyond the edges has the mean of its pixels inside.
    pub(in crate::diffusion) fn means(&self, cell: usize, device: &Device) -> Result<Tensor> {
        let (width, height) = (self.width, self.height());
        let (columns, rows) = (width.div_ceil(cell), height.div_ceil(cell));
        let inside = |index: usize, side: usize| index * cell..((index + 1) * cell).min(side);
        let mut means = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            for column in 0..columns {
                let (across, down) = (inside(column, width), inside(row, height));
                let count = across.len() * down.len();
                let pixels = down.flat_map(|y| across.clone().map(move |x| (x, y)));
                let sum: f32 = pixels.map(|(x, y)| self.at(x, y)).sum();
                means.push(sum / count as f32);
            }
        }
        Tensor::from_vec(means, (1, 1, rows, columns), device)
    }

    /// The values at the positions of a cross attention with `rows` times `columns` positions, (1, positions, 1).
    ///
    /// As in diffusers' `IPAdapterMaskProcessor.downsample`, this is PyTorch's bicubic interpolation without
    /// antialiasing. diffusers derives rows and columns from the aspect ratio of the mask, with the same result.
    pub(in crate::diffusion) fn positions(
        &self,
        rows: usize,
        columns: usize,
        device: &Device,
    ) -> Result<Tensor> {
        let (width, height) = (self.width, self.height());
        let across: Vec<_> = (0..columns).map(|column| taps(column, width, columns)).collect();
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            let down = taps(row, height, rows);
            for across in &across {
                let line =
                    |y: usize| -> f32 { across.iter().map(|(x, w)| w * self.at(*x, y)).sum() };
                values.push(down.iter().map(|(y, w)| w * line(*y)).sum::<f32>());
            }
        }
        Tensor::from_vec(values, (1, rows * columns, 1), device)
    }
}

/// The four pixels of bicubic interpolation, with their weights, when a side of `from` pixels gets `to` pixels.
fn taps(index: usize, from: usize, to: usize) -> [(usize, f32); 4] {
    let position = (index as f32 + 0.5) * (from as f32 / to as f32) - 0.5;
    let first = position.floor();
    let offset = position - first;
    std::array::from_fn(|tap| {
        let pixel = first as i64 + tap as i64 - 1;
        let pixel = pixel.clamp(0, from as i64 - 1) as usize;
        (pixel, cubic((tap as f32 - 1.0 - offset).abs()))
    })
}

/// The cubic convolution kernel (Keys 1981) at a distance of 0 to 2 pixels.
fn cubic(distance: f32) -> f32 {
    let x = distance;
    if x <= 1.0 {
        ((CUBIC + 2.0) * x - (CUBIC + 3.0)) * x * x + 1.0
    } else {
        ((CUBIC * x - 5.0 * CUBIC) * x + 8.0 * CUBIC) * x - 4.0 * CUBIC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask of 5 x 3 pixels.
    fn mask() -> PixelMask {
        PixelMask::new(&GrayImage::from_fn(5, 3, |x, y| image::Luma([(51 * ((x + y) % 6)) as u8])))
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn squares_at_the_edges_have_the_means_of_their_pixels() {
        let means = mask().means(2, &Device::Cpu).unwrap();
        assert_eq!(means.dims(), [1, 1, 2, 3]);
        // Rows 0 1 2 3 4, 1 2 3 4 5, 2 3 4 5 0, in fifths.
        let expected = [1.0, 3.0, 4.5, 2.5, 4.5, 0.0].map(|fifths: f32| fifths / 5.0);
        for (found, expected) in values(&means).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn positions_at_the_size_of_the_mask_are_its_pixels() {
        let positions = mask().positions(3, 5, &Device::Cpu).unwrap();
        assert_eq!(positions.dims(), [1, 15, 1]);
        for (found, expected) in values(&positions).into_iter().zip(mask().values.iter()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
