//! The padding of tokens, and their positions on three axes: place in the text, row and column.

use candle_core::{Result, Tensor};

/// The numbers of tokens of a text and of a picture are multiples of this one.
const MULTIPLE: usize = 32;

/// Fills tokens, `(batch, tokens, width)`, up to a multiple of 32 with copies of `pad`, `(1, width)`, which others attend to.
pub(super) fn padded(tokens: &Tensor, pad: &Tensor) -> Result<Tensor> {
    let (batch, count, width) = tokens.dims3()?;
    match count.next_multiple_of(MULTIPLE) - count {
        0 => Ok(tokens.clone()),
        missing => {
            let pads = pad.unsqueeze(0)?.broadcast_as((batch, missing, width))?;
            Tensor::cat(&[tokens, &pads.contiguous()?], 1)
        }
    }
}

/// The positions of all tokens, with the padding.
#[derive(Debug)]
pub(super) struct Positions {
    /// Those of the text, of which the first is at 1.
    pub(super) text: Vec<[usize; 3]>,
    /// Those of a picture, row by row, whose place in the text is after its last token. Its padding is at 0.
    pub(super) picture: Vec<[usize; 3]>,
}

impl Positions {
    /// `text` is the number of tokens with the padding; `rows` and `columns` are those of the picture.
    pub(super) fn new(text: usize, rows: usize, columns: usize) -> Self {
        let place = text + 1;
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| [place, row, column]));
        let mut picture: Vec<_> = places.collect();
        picture.resize(picture.len().next_multiple_of(MULTIPLE), [0; 3]);
        Self { text: (1..place).map(|place| [place, 0, 0]).collect(), picture }
    }

    /// The positions of the picture, then those of the text.
    pub(super) fn both(&self) -> Vec<[usize; 3]> {
        [self.picture.as_slice(), &self.text].concat()
    }
}
