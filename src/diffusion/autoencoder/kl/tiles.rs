//! Large pictures in overlapping tiles, so that the memory of an autoencoder is limited.
//!
//! The tiles and their blending are those of `tiled_decode` and `_tiled_encode` in diffusers' `AutoencoderKL`, for tiles of
//! which a quarter overlaps the next one. Their size depends on the picture, so that all tiles of a row are about equal: a
//! narrow last tile would have too little context.

use candle_core::Tensor;

use crate::diffusion::DiffusionError;

/// When an autoencoder divides a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    /// The most pixels of a picture that is not divided.
    pub max_whole: usize,
    /// The longest side of a tile in pixels. Shorter sides of a picture are not divided.
    pub max_side: usize,
}

impl Default for Tiling {
    /// One and a half times the pixels that Stable Diffusion XL is trained for are not divided, so that no picture of a
    /// size that models are trained for is.
    fn default() -> Self {
        Self { max_whole: 3 * 1024 * 1024 / 2, max_side: 1024 }
    }
}

/// The tiles of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiles {
    rows: Spans,
    columns: Spans,
}

/// Equal spans along a side, which begin every `stride`, and reach into the next one by `overlap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spans {
    stride: usize,
    overlap: usize,
}

impl Tiling {
    /// The tiles of a picture of `height` times `width` latents, each `scale` times `scale` pixels. `None` if it is not
    /// divided.
    pub(super) fn tiles(self, height: usize, width: usize, scale: usize) -> Option<Tiles> {
        if height * width * scale * scale <= self.max_whole {
            return None;
        }
        let max_side = (self.max_side / scale).max(4);
        let spans = |side| Spans::new(side, max_side);
        Some(Tiles { rows: spans(height), columns: spans(width) })
    }
}

impl Spans {
    /// Spans of `side` latents that have at most `max` of them.
    fn new(side: usize, max: usize) -> Self {
        if side <= max {
            return Self { stride: side, overlap: 0 };
        }
        // Three quarters of a span are its stride.
        let count = side.div_ceil(3 * (max / 4));
        let overlap = side.div_ceil(3 * count);
        Self { stride: 3 * overlap, overlap }
    }

    fn times(self, scale: usize) -> Self {
        Self { stride: scale * self.stride, overlap: scale * self.overlap }
    }
}

impl Tiles {
    /// Height and width of the largest tile in latents.
    pub(super) fn largest(self) -> (usize, usize) {
        let size = |spans: Spans| spans.stride + spans.overlap;
        (size(self.rows), size(self.columns))
    }

    fn times(self, scale: usize) -> Self {
        Self { rows: self.rows.times(scale), columns: self.columns.times(scale) }
    }

    /// Encodes a picture, (batch, 3, height, width). `encode` returns `scale` times smaller tensors.
    pub(super) fn encode(
        self,
        image: &Tensor,
        scale: usize,
        encode: impl Fn(&Tensor) -> Result<Tensor, DiffusionError>,
    ) -> Result<Tensor, DiffusionError> {
        run(image, self.times(scale), self, encode)
    }

    /// Decodes latents, (batch, channels, height, width). `decode` returns `scale` times larger tensors.
    pub(super) fn decode(
        self,
        latents: &Tensor,
        scale: usize,
        decode: impl Fn(&Tensor) -> Result<Tensor, DiffusionError>,
    ) -> Result<Tensor, DiffusionError> {
        run(latents, self, self.times(scale), decode)
    }
}

/// Runs a network on each tile of `x`, and blends the results, which have the tiles `to`.
fn run(
    x: &Tensor,
    from: Tiles,
    to: Tiles,
    network: impl Fn(&Tensor) -> Result<Tensor, DiffusionError>,
) -> Result<Tensor, DiffusionError> {
    let (_, _, height, width) = x.dims4()?;
    let part = |x: &Tensor, dim: usize, start: usize, Spans { stride, overlap }: Spans| {
        x.narrow(dim, start, (stride + overlap).min(x.dim(dim)? - start))
    };
    let (mut rows, mut above) = (Vec::new(), Vec::<Tensor>::new());
    for top in (0..height).step_by(from.rows.stride) {
        let strip = part(x, 2, top, from.rows)?;
        let mut row = Vec::<Tensor>::new();
        for left in (0..width).step_by(from.columns.stride) {
            let mut tile = network(&part(&strip, 3, left, from.columns)?.contiguous()?)?;
            if let Some(above) = above.get(row.len()) {
                tile = blended(above, &tile, 2, to.rows.overlap)?;
            }
            if let Some(before) = row.last() {
                tile = blended(before, &tile, 3, to.columns.overlap)?;
            }
            row.push(tile);
        }
        let kept = row.iter().map(|tile| {
            let rows = tile.narrow(2, 0, to.rows.stride.min(tile.dim(2)?))?;
            rows.narrow(3, 0, to.columns.stride.min(tile.dim(3)?))
        });
        rows.push(Tensor::cat(&kept.collect::<candle_core::Result<Vec<_>>>()?, 3)?);
        above = row;
    }
    Ok(Tensor::cat(&rows, 2)?)
}

/// `tile`, whose first rows (`dim` 2) or columns (`dim` 3) pass linearly from the last ones of the tile `before`.
fn blended(
    before: &Tensor,
    tile: &Tensor,
    dim: usize,
    overlap: usize,
) -> candle_core::Result<Tensor> {
    let (length, end) = (tile.dim(dim)?, before.dim(dim)?);
    let overlap = overlap.min(length).min(end);
    let shares = (0..overlap).map(|at| at as f32 / overlap as f32).collect::<Vec<_>>();
    let shape = if dim == 2 { (1, 1, overlap, 1) } else { (1, 1, 1, overlap) };
    let shares = Tensor::from_vec(shares, shape, tile.device())?.to_dtype(tile.dtype())?;
    let old = before.narrow(dim, end - overlap, overlap)?;
    let new = tile.narrow(dim, 0, overlap)?;
    let passing = (old.broadcast_mul(&(1.0 - &shares)?)? + new.broadcast_mul(&shares)?)?;
    Tensor::cat(&[passing, tile.narrow(dim, overlap, length - overlap)?], dim)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::recipe::MAX_SIDE;

    #[test]
    fn pictures_of_the_sizes_that_models_are_trained_for_are_not_divided() {
        let tiles = |width: usize, height: usize| Tiling::default().tiles(height / 8, width / 8, 8);
        for (width, height) in [(512, 512), (768, 768), (1024, 1024), (1536, 640), (2048, 512)] {
            assert_eq!(tiles(width, height), None, "{width} x {height}");
        }
        let whole = |side| Spans { stride: side, overlap: 0 };
        let wide = Tiles { rows: whole(128), columns: Spans { stride: 87, overlap: 29 } };
        assert_eq!(tiles(2048, 1024), Some(wide));
    }

    #[test]
    fn tiles_are_at_most_as_long_as_allowed_and_the_last_one_is_not_narrow() {
        for side in 129..=MAX_SIDE as usize / 2 {
            let Spans { stride, overlap } = Spans::new(side, 128);
            assert!(stride + overlap <= 128 && stride == 3 * overlap, "{side}");
            let last = side - (side - 1) / stride * stride;
            assert!(last > stride / 2 && last > overlap, "{side}: {last}");
        }
    }

    fn numbers() -> Tensor {
        let values: Vec<f32> = (0..2 * 19 * 13).map(|at| (at as f32 * 0.7).sin()).collect();
        Tensor::from_vec(values, (1, 2, 19, 13), &Device::Cpu).unwrap()
    }

    fn apart(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn tiles_of_a_pointwise_network_are_the_whole() {
        let (x, tiling) = (numbers(), Tiling { max_whole: 0, max_side: 16 });
        let tiles = tiling.tiles(19, 13, 2).unwrap();
        let larger =
            tiles.decode(&x, 2, |x| Ok(x.upsample_nearest2d(2 * x.dim(2)?, 2 * x.dim(3)?)?));
        let whole = x.upsample_nearest2d(38, 26).unwrap();
        assert!(apart(&larger.unwrap(), &whole) < 1e-6);
        let smaller = tiles.encode(&whole, 2, |x| Ok(x.avg_pool2d(2)?)).unwrap();
        assert!(apart(&smaller, &x) < 1e-6);
    }

    #[test]
    fn gradients_pass_through_tiles() {
        let x = Var::from_tensor(&numbers()).unwrap();
        let tiles = Tiling { max_whole: 0, max_side: 8 }.tiles(19, 13, 1).unwrap();
        let squares = tiles.decode(&x, 1, |x| Ok(x.sqr()?)).unwrap();
        let gradients = squares.sum_all().unwrap().backward().unwrap();
        let gradient = gradients.get(&x).unwrap();
        assert!(apart(gradient, &(x.as_tensor() * 2.0).unwrap()) < 1e-5);
    }
}
