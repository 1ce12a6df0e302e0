//! The prompt encoder: points and boxes as embeddings for the mask decoder.

use std::f64::consts::TAU;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{CHANNELS, GRID, SIDE, input_size};
use crate::mask::objects::SelectionPrompt;

/// Encodes points and boxes: the position as random Fourier features (Tancik et al. 2020), plus a learned vector
/// for each kind of point.
#[derive(Debug)]
pub(super) struct PromptEncoder {
    /// `(2, 128)`
    frequencies: Tensor,
    /// `(1, 256)` each: an excluded point, an included point, and the two corners of a box.
    kinds: [Tensor; 4],
    /// `(1, 256)`: replaces a missing box.
    no_point: Tensor,
    /// `(1, 256)`: replaces a missing mask prompt.
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

    /// The embeddings of a prompt for a picture of `size`, `(1, points, 256)`. A box is clipped to the picture.
    pub fn sparse(&self, prompt: &SelectionPrompt, size: (u32, u32)) -> Result<Tensor> {
        let input = input_size(size);
        let across = f64::from(input.0) / f64::from(size.0);
        let down = f64::from(input.1) / f64::from(size.1);
        let mut vectors = Vec::new();
        let included = prompt.include.iter().map(|&point| (point, INCLUDED));
        let excluded = prompt.exclude.iter().map(|&point| (point, EXCLUDED));
        let corners = prompt.area.into_iter().flat_map(|area| {
            let inside = |x: u32, y: u32| (x.min(size.0), y.min(size.1));
            let (start, end) = (inside(area.x, area.y), inside(area.right(), area.bottom()));
            [(start, CORNERS[0]), (end, CORNERS[1])]
        });
        for ((x, y), kind) in included.chain(excluded).chain(corners) {
            // The centre of an input pixel, as in SAM.
            let position = |at: u32, scale: f64| (f64::from(at) * scale + 0.5) / SIDE as f64;
            let position = self.encode(&[position(x, across), position(y, down)])?;
            vectors.push((position + &self.kinds[kind])?);
        }
        if prompt.area.is_none() {
            vectors.push(self.no_point.clone());
        }
        Tensor::cat(&vectors, 0)?.unsqueeze(0)
    }

    /// The positional encoding of each cell of the image embedding, `(1, 256, 64, 64)`.
    pub fn positions(&self) -> Result<Tensor> {
        let position = |at: usize| (at as f64 + 0.5) / GRID as f64;
        let positions: Vec<f64> =
            (0..GRID * GRID).flat_map(|i| [position(i % GRID), position(i / GRID)]).collect();
        self.encode(&positions)?.t()?.reshape((1, CHANNELS, GRID, GRID))
    }

    /// The dense embedding for a missing mask prompt, `(1, 256, 64, 64)`.
    pub fn no_mask(&self) -> Result<Tensor> {
        self.no_mask.reshape((1, CHANNELS, 1, 1))?.expand((1, CHANNELS, GRID, GRID))
    }

    /// Encodes positions, given as pairs of coordinates from 0 to 1, as `(positions, 256)`.
    fn encode(&self, positions: &[f64]) -> Result<Tensor> {
        let centred: Vec<f32> = positions.iter().map(|at| (2.0 * at - 1.0) as f32).collect();
        let shape = (centred.len() / 2, 2);
        let centred = Tensor::from_slice(&centred, shape, self.frequencies.device())?;
        let angles = (centred.matmul(&self.frequencies)? * TAU)?;
        Tensor::cat(&[angles.sin()?, angles.cos()?], 1)
    }
}
