//! What is pointed at, as the mask decoder reads it.

use std::f64::consts::TAU;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{CHANNELS, GRID, SIDE, looked_at};
use crate::mask::objects::Pointing;

/// Turns points and boxes into vectors: their place by random Fourier features (Tancik et al. 2020), plus a
/// learned vector for each kind of point.
#[derive(Debug)]
pub(super) struct PromptEncoder {
    /// `(2, 128)`
    frequencies: Tensor,
    /// `(1, 256)` each: of a point that is not meant, of one that is, and of the two corners of a box.
    kinds: [Tensor; 4],
    /// `(1, 256)`: there is no box.
    no_point: Tensor,
    /// `(1, 256)`: there is no mask from before.
    no_mask: Tensor,
}

const EXCLUDED: usize = 0;
const INCLUDED: usize = 1;
const CORNERS: [usize; 2] = [2, 3];

impl PromptEncoder {
    pub fn new(weights: &VarBuilder<'_>) -> Result<Self> {
        let vector = |name: &str| weights.get((1, CHANNELS), &format!("{name}.weight"));
        let kind = |kind: usize| vector(&format!("point_embeddings.{kind}"));
        Ok(Self {
            frequencies: weights
                .get((2, CHANNELS / 2), "pe_layer.positional_encoding_gaussian_matrix")?,
            kinds: [kind(0)?, kind(1)?, kind(2)?, kind(3)?],
            no_point: vector("not_a_point_embed")?,
            no_mask: vector("no_mask_embed")?,
        })
    }

    /// The vectors of what is pointed at in a picture of `size`, `(1, points, 256)`. What of a box reaches
    /// beyond the picture is cut off.
    pub fn sparse(&self, pointing: &Pointing, size: (u32, u32)) -> Result<Tensor> {
        let looked_at = looked_at(size);
        let across = f64::from(looked_at.0) / f64::from(size.0);
        let down = f64::from(looked_at.1) / f64::from(size.1);
        let mut vectors = Vec::new();
        let included = pointing.include.iter().map(|&point| (point, INCLUDED));
        let excluded = pointing.exclude.iter().map(|&point| (point, EXCLUDED));
        let corners = pointing.area.into_iter().flat_map(|area| {
            let inside = |x: u32, y: u32| (x.min(size.0), y.min(size.1));
            let (start, end) = (inside(area.x, area.y), inside(area.right(), area.bottom()));
            [(start, CORNERS[0]), (end, CORNERS[1])]
        });
        for ((x, y), kind) in included.chain(excluded).chain(corners) {
            // The middle of a pixel of what the encoder looked at, as SAM counts.
            let place = |at: u32, scale: f64| (f64::from(at) * scale + 0.5) / SIDE as f64;
            let place = self.encoded(&[place(x, across), place(y, down)])?;
            vectors.push((place + &self.kinds[kind])?);
        }
        if pointing.area.is_none() {
            vectors.push(self.no_point.clone());
        }
        Tensor::cat(&vectors, 0)?.unsqueeze(0)
    }

    /// The vector of each place of the embedding, `(1, 256, 64, 64)`.
    pub fn places(&self) -> Result<Tensor> {
        let place = |at: usize| (at as f64 + 0.5) / GRID as f64;
        let places: Vec<f64> =
            (0..GRID * GRID).flat_map(|i| [place(i % GRID), place(i / GRID)]).collect();
        self.encoded(&places)?.t()?.reshape((1, CHANNELS, GRID, GRID))
    }

    /// What stands for a mask from before where there is none, `(1, 256, 64, 64)`.
    pub fn no_mask(&self) -> Result<Tensor> {
        self.no_mask.reshape((1, CHANNELS, 1, 1))?.expand((1, CHANNELS, GRID, GRID))
    }

    /// Places, as pairs of numbers from 0 to 1, as vectors, `(places, 256)`.
    fn encoded(&self, places: &[f64]) -> Result<Tensor> {
        let places: Vec<f32> = places.iter().map(|place| (2.0 * place - 1.0) as f32).collect();
        let places = Tensor::from_slice(&places, (places.len() / 2, 2), self.frequencies.device())?;
        let angles = (places.matmul(&self.frequencies)? * TAU)?;
        Tensor::cat(&[angles.sin()?, angles.cos()?], 1)
    }
}
