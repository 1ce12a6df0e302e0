//! Large latents in overlapping tiles, so that a denoiser sees about as many latents as in training.
//!
//! In each step the predictions of all tiles are blended, so that the picture has no seams (`MultiDiffusion`, Bar-Tal et al.
//! 2023, arXiv:2302.08113, with weights that fall towards the edges of a tile as in Mixture of Diffusers, Jiménez 2023,
//! arXiv:2302.02412).

use candle_core::{Device, Tensor};

use crate::{
    diffusion::{DiffusionError, guide::Predictions},
    mask::Area,
};

/// Latents along each side of the largest cells in the networks. Tiles begin and end between cells.
const CELL: usize = 8;

/// The tiles of latents.
pub(in crate::diffusion) struct Tiles {
    tiles: Vec<Tile>,
}

/// A tile, with the share of its predictions in each of its latents.
struct Tile {
    area: Area,
    /// (1, 1, height, width). At each latent, the weights of all tiles add up to 1.
    weights: Tensor,
}

/// The latents of a tile along one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    length: usize,
}

impl Tiles {
    /// The tiles of `height` times `width` latents, each of at most `tile`, height and width. A wide tile is turned for a high
    /// picture. `None` if one tile has all latents.
    pub(in crate::diffusion) fn new(
        (height, width): (usize, usize),
        tile: (usize, usize),
        device: &Device,
    ) -> candle_core::Result<Option<Self>> {
        let is_turned = (height > width) == (tile.0 < tile.1);
        let (tile_height, tile_width) = if is_turned { (tile.1, tile.0) } else { tile };
        let rows = weighted(spans(height, tile_height), height);
        let columns = weighted(spans(width, tile_width), width);
        if rows.len() == 1 && columns.len() == 1 {
            return Ok(None);
        }
        let mut tiles = Vec::new();
        for (row, down) in &rows {
            for (column, across) in &columns {
                let weights = down.iter().flat_map(|down| across.iter().map(move |it| down * it));
                let shape = (1, 1, row.length, column.length);
                let weights = Tensor::from_vec(weights.collect(), shape, device)?;
                tiles.push(Tile { area: area(*row, *column), weights });
            }
        }
        Ok(Some(Self { tiles }))
    }

    /// Leaves out the tiles in which no latent of a mask, (1, 1, height, width), is above 0. Predictions there are 0.
    pub(in crate::diffusion) fn only_in(&mut self, mask: &Tensor) -> candle_core::Result<()> {
        let is_masked = |tile: &Tile| -> candle_core::Result<bool> {
            Ok(cut(mask, tile.area)?.max_all()?.to_scalar::<f32>()? > 0.0)
        };
        let masked = self.tiles.iter().map(is_masked).collect::<candle_core::Result<Vec<_>>>()?;
        let mut masked = masked.into_iter();
        self.tiles.retain(|_| masked.next() == Some(true));
        Ok(())
    }

    /// Calls `predict` with each area, and blends its predictions of (1, channels, `height`, `width`) latents.
    pub(in crate::diffusion) fn predict(
        &self,
        (height, width): (usize, usize),
        predict: impl Fn(Area) -> Result<Predictions, DiffusionError>,
    ) -> Result<Predictions, DiffusionError> {
        let mut blended: Vec<Option<Tensor>> = Vec::new();
        for Tile { area, weights } in &self.tiles {
            let Area { x, y, .. } = *area;
            let (left, top) = (x as usize, y as usize);
            let (right, bottom) = (area.right() as usize, area.bottom() as usize);
            for (index, prediction) in predict(*area)?.into_iter().enumerate() {
                if blended.len() == index {
                    blended.push(None);
                }
                let (Some(prediction), Some(sum)) = (prediction, blended.get_mut(index)) else {
                    continue;
                };
                let weighted = prediction.broadcast_mul(&weights.to_dtype(prediction.dtype())?)?;
                let rows = weighted.pad_with_zeros(2, top, height - bottom)?;
                let padded = rows.pad_with_zeros(3, left, width - right)?;
                *sum = Some(match sum.take() {
                    Some(sum) => (sum + padded)?,
                    None => padded,
                });
            }
        }
        Ok(blended.into_iter().collect())
    }
}

/// The latents of an area, of (batch, channels, height, width) latents.
pub(in crate::diffusion) fn cut(latents: &Tensor, area: Area) -> candle_core::Result<Tensor> {
    let Area { x, y, width, height } = area;
    let rows = latents.narrow(2, y as usize, height as usize)?;
    rows.narrow(3, x as usize, width as usize)?.contiguous()
}

fn area(rows: Span, columns: Span) -> Area {
    let [x, y, width, height] =
        [columns.start, rows.start, columns.length, rows.length].map(|latents| latents as u32);
    Area { x, y, width, height }
}

/// Spans of at most `most` latents, rounded up to whole cells, that cover `side` latents. About a quarter of a span, and at least
/// a cell, overlaps the next one.
fn spans(side: usize, most: usize) -> Vec<Span> {
    let (side_cells, span_cells) = (side.div_ceil(CELL), most.div_ceil(CELL).max(2));
    if side_cells <= span_cells {
        return vec![Span { start: 0, length: side }];
    }
    let overlap = (span_cells / 4).max(1);
    let count = (side_cells - overlap).div_ceil(span_cells - overlap);
    // The last span may be shorter, so that it begins between cells.
    let span = |index: usize| {
        let start = CELL * (index * (side_cells - span_cells) / (count - 1));
        Span { start, length: (CELL * span_cells).min(side - start) }
    };
    (0..count).map(span).collect()
}

/// The weight of each latent of each span. Towards the inner ends of a span, it falls linearly over the latents that the next
/// span has, too. At each latent of the side, the weights add up to 1.
fn weighted(spans: Vec<Span>, side: usize) -> Vec<(Span, Vec<f32>)> {
    let weights = |index: usize, span: &Span| -> Vec<f32> {
        let before = index.checked_sub(1).and_then(|before| spans.get(before));
        let overlap_before = before.map(|it| (it.start + it.length).saturating_sub(span.start));
        let overlap_after =
            spans.get(index + 1).map(|it| (span.start + span.length).saturating_sub(it.start));
        let rise = |distance: usize, overlap: Option<usize>| match overlap {
            Some(overlap) if overlap > 0 => ((distance as f32 + 0.5) / overlap as f32).min(1.0),
            _ => 1.0,
        };
        let weight =
            |at: usize| rise(at, overlap_before).min(rise(span.length - 1 - at, overlap_after));
        (0..span.length).map(weight).collect()
    };
    let mut all: Vec<_> =
        spans.iter().enumerate().map(|(index, span)| (*span, weights(index, span))).collect();
    let mut totals = vec![0.0; side];
    for (span, weights) in &all {
        let covered = totals.iter_mut().skip(span.start);
        covered.zip(weights).for_each(|(total, weight)| *total += weight);
    }
    for (span, weights) in &mut all {
        let covered = totals.iter().skip(span.start);
        weights.iter_mut().zip(covered).for_each(|(weight, total)| *weight /= total);
    }
    all
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use proptest::prelude::*;

    use super::*;

    const CPU: &Device = &Device::Cpu;

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn latents_that_fit_a_tile_are_not_divided() {
        assert!(Tiles::new((28, 48), (28, 48), CPU).unwrap().is_none());
        // 28 is rounded up to whole cells, and a wide tile is turned.
        assert!(Tiles::new((32, 48), (28, 48), CPU).unwrap().is_none());
        assert!(Tiles::new((48, 28), (28, 48), CPU).unwrap().is_none());
        assert!(Tiles::new((33, 48), (28, 48), CPU).unwrap().is_some());
    }

    #[test]
    fn a_side_has_equal_spans_with_a_quarter_of_overlap() {
        let starts = |side, most| spans(side, most).iter().map(|it| it.start).collect::<Vec<_>>();
        assert_eq!(starts(128, 64), [0, 32, 64]);
        assert_eq!(starts(112, 64), [0, 48]);
        assert_eq!(spans(100, 64)[1], Span { start: 40, length: 60 });
        assert_eq!(starts(40, 16), [0, 8, 16, 24]);
    }

    #[test]
    fn the_weight_of_a_tile_falls_over_its_overlap() {
        let spans = vec![Span { start: 0, length: 8 }, Span { start: 4, length: 8 }];
        let weights = weighted(spans, 12);
        assert_eq!(weights[0].1, [1.0, 1.0, 1.0, 1.0, 0.875, 0.625, 0.375, 0.125]);
        assert_eq!(weights[1].1, [0.125, 0.375, 0.625, 0.875, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn tiles_outside_a_mask_are_left_out() {
        let mut tiles = Tiles::new((8, 32), (16, 16), CPU).unwrap().unwrap();
        let left: Vec<f32> = (0..8 * 32).map(|at| if at % 32 < 3 { 0.5 } else { 0.0 }).collect();
        let all = tiles.tiles.len();
        tiles.only_in(&Tensor::from_vec(left, (1, 1, 8, 32), CPU).unwrap()).unwrap();
        assert!(all > 1);
        assert_eq!(tiles.tiles.len(), 1);
        assert_eq!(tiles.tiles[0].area, Area { x: 0, y: 0, width: 16, height: 8 });
        let ones = |area: Area| {
            let shape = (1, 2, area.height as usize, area.width as usize);
            Ok([Some(Tensor::ones(shape, DType::F32, CPU)?)].into_iter().collect())
        };
        let blended = values(tiles.predict((8, 32), ones).unwrap().get(0).unwrap());
        assert_eq!((blended[0], blended[16]), (1.0, 0.0));
    }

    proptest! {
        #[test]
        fn tiles_blend_the_same_prediction_to_itself(
            height in 1_usize..70, width in 1_usize..70, tile in (1_usize..40, 1_usize..40),
        ) {
            let count = (2 * height * width) as u32;
            let latents: Vec<f32> = (0..count).map(|at| (at as f32 * 0.7).sin()).collect();
            let latents = Tensor::from_vec(latents, (1, 2, height, width), CPU).unwrap();
            if let Some(tiles) = Tiles::new((height, width), tile, CPU).unwrap() {
                // The second prediction is not read.
                let cut = |area| {
                    let cut = cut(&latents, area)?;
                    Ok([Some(cut.clone()), None, Some((cut * 2.0)?)].into_iter().collect())
                };
                let blended = tiles.predict((height, width), cut).unwrap();
                prop_assert!(blended.get(1).is_err());
                let [once, twice] = [0, 2].map(|index| values(blended.get(index).unwrap()));
                for ((once, twice), expected) in once.iter().zip(twice).zip(values(&latents)) {
                    prop_assert!((once - expected).abs() < 1e-5, "{} {}", once, expected);
                    prop_assert!((twice - 2.0 * expected).abs() < 1e-5, "{} {}", twice, expected);
                }
                for Tile { area, .. } in &tiles.tiles {
                    prop_assert_eq!((area.x as usize % CELL, area.y as usize % CELL), (0, 0));
                    let side = tile.0.max(tile.1).max(2 * CELL).next_multiple_of(CELL);
                    prop_assert!((area.width.max(area.height) as usize) <= side);
                }
            }
        }
    }
}
