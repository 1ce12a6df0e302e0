//! Losses: numbers that say how far a picture, or a part of it, is from what the author wants.
//!
//! A [`Loss`] of a recipe names a kind and its target. [`build`] makes a [`LossFunction`] of it, whose gradient
//! [`Steering`](crate::diffusion::hooks::Steering) follows while the picture is drawn. Each kind is a file here. Other
//! crates can [`register`] more kinds.
//!
//! Losses see the latents, the picture at a quarter of its width and height, which a linear map decodes (see
//! [`LinearAutoencoder`](crate::diffusion::autoencoder::LinearAutoencoder)), or the whole picture, which an autoencoder
//! decodes. Those of meaning, style and content read them by a [`LossEncoder`].

mod colours;
mod content;
mod encoder;
mod input;
mod latents;
mod lightness;
mod outline;
mod palette;
mod registry;
mod saturation;
mod score;
mod style;
mod target;
mod text;
mod total_variation;

#[cfg(test)]
mod check;

use candle_core::Tensor;

use crate::{
    diffusion::DiffusionError,
    recipe::{BlobId, Loss, LossError, LossKind, Size},
};

pub use encoder::{FeatureMap, LossEncoder, View};
pub(crate) use input::Decoded;
pub use input::{LossInput, PartMasks};
pub(crate) use outline::ink;
pub use registry::{LossClass, classes, register};
pub use score::{FinalLoss, best_first, is_never_better, loss_of_part, loss_of_prompt, scores};
pub(crate) use target::image_of;
pub use target::{Frame, LossTargets};

/// A loss with its target.
pub trait LossFunction: Send {
    /// The value, a tensor without dimensions. It must be differentiable, and at least 0.
    ///
    /// # Errors
    /// If candle fails.
    fn value(&self, input: &LossInput<'_>) -> candle_core::Result<Tensor>;

    /// How far a loss of weight 1 moves a picture, compared with the other kinds. 1 by default.
    fn strength(&self) -> f64 {
        1.0
    }

    /// Whether [`Self::value`] reads a view. Only [`View::Colours`] by default. What no loss reads is not set up, but for
    /// the latents.
    fn reads(&self, view: View) -> bool {
        view == View::Colours
    }

    /// How often the gradient with respect to the latents is averaged over 3 x 3 latents before it moves them. 0 by
    /// default.
    ///
    /// A network that judges the whole picture does not care which latents change. Its gradient changes single ones, and
    /// the picture gets spots instead of what the network reads from them. A smooth gradient changes whole areas.
    fn smoothing(&self) -> usize {
        0
    }
}

/// The values of a loss while a picture is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LossValues {
    /// The index of the part in its edit. `None` for the whole picture.
    pub part: Option<usize>,
    /// The index of the loss in its part.
    pub index: usize,
    /// The name of its kind.
    pub kind: String,
    /// Whether its gradient goes through the denoiser.
    pub strict: bool,
    /// The value in each step before it was steered.
    pub values: Vec<f32>,
    /// The time that the loss takes, as a share of a step without losses. `None` until two steps are measured.
    pub cost: Option<f32>,
}

/// An error of setting up a loss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LossSetupError {
    /// The loss has an invalid value.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// No kind has this name.
    #[error("the loss `{name}` is unknown: {known}")]
    UnknownKind {
        /// The requested name.
        name: String,
        /// The known names, or the reason why there are none.
        known: String,
    },
    /// The image of a loss or an inspiration is missing.
    #[error("the image {id} of {kind} is missing: choose the image again")]
    MissingImage {
        /// The kind.
        kind: String,
        /// The id of the image.
        id: BlobId,
    },
    /// The image has another aspect ratio than the picture.
    #[error(
        "the image of {kind} has the aspect ratio {:.2}, the picture {:.2}: \
         crop the image to the shape of the picture",
        image.aspect_ratio(),
        picture.aspect_ratio()
    )]
    Aspect {
        /// The kind.
        kind: String,
        /// The size of the image.
        image: Size,
        /// The size of the picture.
        picture: Size,
    },
    /// The model has no encoder for its latents.
    #[error(
        "{kind} needs a CLIP model, which this model does not have: download one with `illustrate models fetch \
         openai/clip-vit-large-patch14 --into MODEL/{folder}`, where MODEL is the folder of the model, or use another loss",
        folder = crate::model::package::LOSS_ENCODER
    )]
    NoEncoder {
        /// The kind.
        kind: String,
    },
    /// A score needs at least one loss.
    #[error(
        "a score needs a loss, such as Palette: add one. Without losses, a picture is scored by its prompt or by the words \
         of a part, which needs the built-in model, or a CLIP model in the folder `{folder}` of the model",
        folder = crate::model::package::LOSS_ENCODER
    )]
    NothingToScore,
    /// The two texts of a direction mean the same.
    #[error(
        "\"{from}\" and \"{to}\" mean the same to the model: name the difference with other words"
    )]
    SameTexts {
        /// The first text.
        from: String,
        /// The second text.
        to: String,
    },
    /// An outline has no lines, or none inside the part.
    #[error(
        "the outline has no lines here: draw dark lines on a light ground, or opaque lines on a transparent one"
    )]
    EmptyOutline,
    /// The value of a kind of another crate is invalid.
    #[error("the loss {kind} cannot use `{value}`: {reason}")]
    Custom {
        /// The kind.
        kind: String,
        /// The value.
        value: String,
        /// The reason.
        reason: String,
    },
    /// A network failed, or the work was cancelled.
    #[error(transparent)]
    Network(Box<DiffusionError>),
}

impl LossSetupError {
    /// The error with the name of the inspiration whose loss this is.
    pub(crate) fn of_inspiration(mut self, name: &str) -> Self {
        if let Self::MissingImage { kind, .. }
        | Self::Aspect { kind, .. }
        | Self::NoEncoder { kind } = &mut self
        {
            name.clone_into(kind);
        }
        self
    }
}

impl From<DiffusionError> for LossSetupError {
    fn from(error: DiffusionError) -> Self {
        Self::Network(Box::new(error))
    }
}

impl From<candle_core::Error> for LossSetupError {
    fn from(error: candle_core::Error) -> Self {
        DiffusionError::from(error).into()
    }
}

/// Sets up a loss.
///
/// # Errors
/// If the loss has an invalid value, if its image is missing or has another aspect ratio than the picture, or if no
/// kind has its name.
pub fn build(
    loss: &Loss,
    targets: &LossTargets<'_>,
) -> Result<Box<dyn LossFunction>, LossSetupError> {
    loss.check()?;
    Ok(match &loss.kind {
        LossKind::Text(text) => Box::new(text::Text::new(text, targets)?),
        LossKind::Direction { from, to } => Box::new(text::Text::between(from, to, targets)?),
        LossKind::Colours(image) => Box::new(colours::Colours::new(image, targets)?),
        LossKind::Palette(colours) => Box::new(palette::Palette::new(colours)),
        LossKind::TotalVariation => Box::new(total_variation::TotalVariation),
        LossKind::Saturation(target) => Box::new(saturation::Saturation::new(*target)),
        LossKind::Lightness(target) => Box::new(lightness::Lightness::new(*target)),
        LossKind::Outline(image) => Box::new(outline::Outline::new(image, targets)?),
        LossKind::Latents(image) => Box::new(latents::Latents::new(image, targets)?),
        LossKind::Style(image) => Box::new(style::Style::new(image, targets)?),
        LossKind::Content(image) => Box::new(content::Content::new(image, targets)?),
        LossKind::Custom { name, value } => registry::build(name, value, targets)?,
    })
}
