//! The positions of tokens on four axes: picture, row, column, and place in the text.

use candle_core::{Result, Tensor};

use crate::{diffusion::denoise::position::axial_angles, ops::RotaryAngles};

/// The step of the first axis from one reference picture to the next. The drawn picture is at 0.
const REFERENCE_STEP: usize = 10;

/// The positions of all tokens.
#[derive(Debug, Default)]
pub(super) struct Positions(Vec<[usize; 4]>);

impl Positions {
    /// Adds the tokens of a text.
    pub(super) fn text(&mut self, tokens: usize) {
        self.0.extend((0..tokens).map(|token| [0, 0, 0, token]));
    }

    /// Adds the tokens of a picture, row by row.
    pub(super) fn picture(&mut self, picture: usize, height: usize, width: usize) {
        let places = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        self.0.extend(places.map(|(row, column)| [picture, row, column, 0]));
    }

    /// Adds the tokens of a reference picture, whose index counts from 0.
    pub(super) fn reference(&mut self, index: usize, height: usize, width: usize) {
        self.picture(REFERENCE_STEP * (index + 1), height, width);
    }

    /// The angles of rotary embeddings, as those of [`axial_angles`].
    pub(super) fn angles(&self, axes: &[usize], theta: f64, like: &Tensor) -> Result<RotaryAngles> {
        axial_angles(&self.0, axes, theta, like)
    }
}
