//! The inputs that all blocks of a UNet share.

use candle_core::{Result, Tensor};

use crate::diffusion::{
    Conditioning, DiffusionError, Interrupt,
    adapter::{ActiveAdapters, AdapterError, ImageKeys, PixelMask},
};

/// The inputs that all blocks share in one prediction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass<'a> {
    /// The embedded timestep, `(1, width)`.
    pub(super) time: &'a Tensor,
    /// The tokens of the prompt, `(batch, tokens, width)`.
    pub(super) context: &'a Tensor,
    /// The images beside the prompt.
    pub(super) images: &'a [SeenImage<'a>],
    pub(super) interrupt: &'a Interrupt,
}

/// An image that the cross attentions see beside the prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenImage<'a> {
    keys: &'a ImageKeys,
    weight: f64,
    mask: Option<&'a PixelMask>,
}

/// An image in one cross attention.
#[derive(Clone, Debug)]
pub(super) struct ImageInAttention<'a> {
    pub(super) key: &'a Tensor,
    pub(super) value: &'a Tensor,
    pub(super) weight: f64,
    /// The share of each position, `(1, positions, 1)`.
    pub(super) mask: Option<Tensor>,
}

impl<'a> SeenImage<'a> {
    /// The images of a prediction. Each has keys for all cross attentions of the denoiser, `attentions`.
    pub(super) fn all(
        conditioning: &'a Conditioning,
        adapters: &'a ActiveAdapters,
        attentions: usize,
    ) -> std::result::Result<Vec<Self>, DiffusionError> {
        let images = adapters.images.iter().map(|image| {
            let keys = conditioning.images.get(image.index);
            let found = keys.map_or(0, ImageKeys::len);
            match keys.filter(|_| found == attentions) {
                Some(keys) => {
                    Ok(Self { keys, weight: image.weight.into(), mask: image.mask.as_ref() })
                }
                None => {
                    let (image, expected) = (image.index, attentions);
                    Err(AdapterError::ImageKeys { image, found, expected }.into())
                }
            }
        });
        images.collect()
    }

    /// The image in a cross attention over `rows` times `columns` positions. `None` if it has no keys there.
    pub(super) fn in_attention(
        &self,
        attention: usize,
        (rows, columns): (usize, usize),
    ) -> Option<Result<ImageInAttention<'a>>> {
        let key_value = self.keys.get(attention)?;
        let (key, value) = (&key_value.key, &key_value.value);
        let mask = self.mask.map(|mask| mask.positions(rows, columns, key.device()));
        let image = |mask| ImageInAttention { key, value, weight: self.weight, mask };
        Some(mask.transpose().map(image))
    }
}

/// The features of adapters for a level of the denoiser.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feature<'a> {
    level: usize,
    /// `(1 or batch, channels, height, width)`.
    tensor: &'a Tensor,
}

impl<'a> Feature<'a> {
    /// The features of all levels, in the order of the blocks.
    pub(super) fn all(adapters: Option<&'a ActiveAdapters>) -> impl Iterator<Item = Self> {
        let features = adapters.map_or(&[][..], |adapters| &adapters.features);
        features.iter().enumerate().map(|(level, tensor)| Self { level, tensor })
    }

    /// Adds the features to the output of a block.
    pub(super) fn add_to(self, hidden: &Tensor) -> std::result::Result<Tensor, DiffusionError> {
        let (found, expected) = (self.tensor.dims(), hidden.dims());
        if found.get(1..) != expected.get(1..) {
            let (found, expected) = (found.to_vec(), expected.to_vec());
            return Err(AdapterError::FeatureShape { level: self.level, found, expected }.into());
        }
        Ok(hidden.broadcast_add(self.tensor)?)
    }
}
