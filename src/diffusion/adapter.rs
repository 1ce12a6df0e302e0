//! Adapters: networks that give a denoiser a picture besides the prompt.
//!
//! A [`T2iAdapter`] turns a drawing of the picture's size, such as an outline, into features, which are added to those of
//! the denoiser. An [`IpAdapter`] turns an image of any size into tokens. The cross attentions of the denoiser attend to
//! them separately from the prompt (decoupled cross-attention).
//!
//! The work is done in two places:
//!
//! - Once for each picture: [`PictureAdapters`] has the features, and the keys and values of the tokens. The latter belong
//!   to the [`Conditioning`](crate::diffusion::Conditioning)s, because a negative prompt has others than a prompt.
//! - In each step: [`PictureAdapters::at`] returns the [`ActiveAdapters`], with their weights and masks, for the
//!   [`DenoiserInput`](crate::diffusion::DenoiserInput).
//!
//! The built-in model has adapters for all [`AdapterKind`]s.

mod built_in;
mod error;
mod input;
mod ip_adapter;
mod mask;
mod picture;
mod projection;
mod t2i_adapter;
mod vision;

use std::{fmt, sync::Arc};

use image::RgbaImage;

use crate::{mask::Mask, recipe::Size};

pub(super) use built_in::BuiltInAdapters;
pub use error::AdapterError;
pub use ip_adapter::{ImageKeys, IpAdapter};
pub use mask::PixelMask;
pub use picture::{ActiveAdapters, ActiveImage, AdapterSchedule, PictureAdapters};
pub use t2i_adapter::T2iAdapter;
pub use vision::ClipVisionModel;

/// The kinds of image that an adapter reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdapterKind {
    /// The lines of the picture: dark on light, or opaque on transparent.
    Outline,
    /// Rough colours of the picture. Where it is transparent, the picture is free.
    Scribble,
    /// An image of the same style.
    Style,
    /// An image with the same content.
    Content,
}

/// An image for an adapter.
#[derive(Clone, Debug)]
pub struct AdapterInput {
    /// What the image shows.
    pub kind: AdapterKind,
    /// The image. An outline and a scribble are resized to the picture, without keeping their aspect ratio. Images of a
    /// style and of a content may have any size.
    pub image: Arc<RgbaImage>,
    /// When and how much the adapter acts.
    pub schedule: AdapterSchedule,
    /// Where the adapter acts: a mask of the whole picture. `None`: everywhere.
    pub mask: Option<Mask>,
}

/// The places of a denoiser in which adapters act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterPlaces {
    /// The channels of the features: of the output of each down block, then of the middle block.
    pub features: Vec<usize>,
    /// The width of each cross attention, in the order of IP-Adapter: down blocks, up blocks, middle block.
    pub attentions: Vec<usize>,
}

impl AdapterKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Outline, Self::Scribble, Self::Style, Self::Content];
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outline => "outline",
            Self::Scribble => "scribble",
            Self::Style => "style image",
            Self::Content => "content image",
        })
    }
}

impl AdapterInput {
    /// Checks the input for a picture of this size.
    fn check(&self, picture: Size) -> Result<(), AdapterError> {
        let (kind, AdapterSchedule { weight, from, to }) = (self.kind, self.schedule);
        if !weight.is_finite() {
            return Err(AdapterError::Weight { kind, weight });
        }
        if !(from >= 0.0 && from < to && to <= 1.0) {
            return Err(AdapterError::Range { kind, from, to });
        }
        if self.image.is_empty() {
            return Err(AdapterError::EmptyImage { kind });
        }
        if let Some(mask) = &self.mask {
            mask.check_size((picture.width, picture.height))?;
        }
        Ok(())
    }
}
