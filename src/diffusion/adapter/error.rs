//! Errors of adapters.

use super::AdapterKind;
use crate::mask::MaskError;

/// Why a picture cannot be drawn with an adapter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// The model has no adapter of this kind.
    #[error("this model cannot use a {kind}: use the built-in model, or remove it")]
    NoAdapter {
        /// The kind.
        kind: AdapterKind,
    },
    /// The features of a T2I-Adapter and those of the denoiser have different channels.
    #[error(
        "{adapter}: its features have {found:?} channels, but those of the denoiser have {expected:?}: \
         this adapter is for another model"
    )]
    Features {
        /// The configuration of the adapter.
        adapter: String,
        /// The channels of its features.
        found: Vec<usize>,
        /// The channels of the denoiser's features.
        expected: Vec<usize>,
    },
    /// The keys of an IP-Adapter and those of the denoiser have different widths.
    #[error(
        "{adapter}: its cross attentions have the widths {found:?}, but those of the denoiser have {expected:?}: \
         this adapter is for another model"
    )]
    Attentions {
        /// The file of the adapter.
        adapter: String,
        /// The width of each of its cross attentions.
        found: Vec<usize>,
        /// The width of each of the denoiser's.
        expected: Vec<usize>,
    },
    /// Features have another size than those of the denoiser.
    #[error(
        "the features of an adapter at level {level} have the shape {found:?}, but those of the denoiser {expected:?}: \
         the input of the adapter must have the size of the picture"
    )]
    FeatureShape {
        /// The index of the denoiser's block.
        level: usize,
        /// The shape of the features.
        found: Vec<usize>,
        /// The shape of the block's output.
        expected: Vec<usize>,
    },
    /// A conditioning has no keys for an image, or those of another number of cross attentions.
    #[error(
        "the conditioning has keys for {found} cross attentions of image {image}, but the denoiser has {expected}"
    )]
    ImageKeys {
        /// The index of the image.
        image: usize,
        /// The number of cross attentions with keys.
        found: usize,
        /// The number of the denoiser's cross attentions.
        expected: usize,
    },
    /// A weight is not a finite number.
    #[error("the weight {weight} of a {kind} cannot be used: give a number such as 1")]
    Weight {
        /// The kind.
        kind: AdapterKind,
        /// The weight.
        weight: f32,
    },
    /// A range of steps is empty, or outside 0..=1.
    #[error(
        "a {kind} cannot act from {from} to {to} of the steps: give two numbers from 0 to 1, the smaller one first"
    )]
    Range {
        /// The kind.
        kind: AdapterKind,
        /// The start, as a share of the steps.
        from: f32,
        /// The end.
        to: f32,
    },
    /// An image has no pixels.
    #[error("the {kind} has no pixels")]
    EmptyImage {
        /// The kind.
        kind: AdapterKind,
    },
    /// A mask does not have the size of the picture.
    #[error(transparent)]
    Mask(#[from] MaskError),
}
