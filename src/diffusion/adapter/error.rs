//! Errors of adapters.

/// Why a picture cannot be drawn with an adapter.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// A model has an IP-Adapter, but no image encoder.
    #[error(
        "{file} is missing: an IP-Adapter needs the image encoder that it was trained with, a \
         CLIPVisionModelWithProjection; copy it from the repository of the adapter, or download that of most adapters for \
         Stable Diffusion 1 with `illustrate models fetch h94/IP-Adapter --subfolder models/image_encoder --into {folder}`"
    )]
    NoImageEncoder {
        /// The configuration of the image encoder.
        file: String,
        /// The folder of the image encoder.
        folder: String,
    },
    /// A T2I-Adapter reads images of other channels.
    #[error(
        "{adapter}: `in_channels` is {found}, but the image of {usage} has 3, or 1 if it is an outline: \
         this adapter is for other images"
    )]
    Channels {
        /// The configuration of the adapter.
        adapter: String,
        /// The name of the use.
        usage: &'static str,
        /// The channels that the adapter reads.
        found: usize,
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
    /// A file is of a kind that is not supported.
    #[error(
        "{file} is {kind}, which cannot be used here: put a ControlNet or a T2I-Adapter of Stable Diffusion 1 or 2 there, \
         or an IP-Adapter, or remove it to use losses"
    )]
    Kind {
        /// The weight file of the adapter.
        file: String,
        /// What its tensors show.
        kind: String,
    },
    /// A ControlNet or an IP-Adapter is for another denoiser.
    #[error(
        "{adapter}: the width of its {what} is {found:?}, but {expected:?} in the denoiser: this adapter is for another \
         model"
    )]
    OtherModel {
        /// The configuration or the weight file of the adapter.
        adapter: String,
        /// What has the width: latents, tokens of the prompt or skipped feature maps.
        what: &'static str,
        /// The channels in the adapter.
        found: Vec<usize>,
        /// The channels in the denoiser.
        expected: Vec<usize>,
    },
    /// The image encoder is that of another IP-Adapter.
    #[error(
        "{adapter}: it reads {what} of width {expected}, but those of the image encoder have {found} (0: there are none): \
         use the image encoder of this IP-Adapter"
    )]
    ImageEncoder {
        /// The weight file of the adapter.
        adapter: String,
        /// What the adapter reads: hidden states or embeddings.
        what: &'static str,
        /// The width of those of the encoder. 0 if it has no projection to embeddings.
        found: usize,
        /// The width that the adapter reads.
        expected: usize,
    },
    /// An adapter is for latents of another size.
    #[error(
        "{adapter}: it is for latents of {found} x {found} pixels, but those of the model have {expected} x {expected}: this \
         adapter is for another model"
    )]
    Scale {
        /// The configuration or the weight file of the adapter.
        adapter: String,
        /// Pixels along each side of a latent of the adapter.
        found: usize,
        /// The same of the model.
        expected: usize,
    },
    /// A ControlNet cannot read images of this use.
    #[error(
        "{adapter}: a ControlNet cannot follow an image as {usage}: put an IP-Adapter there, or remove it to use losses"
    )]
    NoDrawing {
        /// The configuration of the ControlNet.
        adapter: String,
        /// The name of the use.
        usage: &'static str,
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
         the adapter is for another model, or its input does not have the size of the picture"
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
}
