//! Adapters: networks that give a denoiser a picture besides the prompt.
//!
//! A [`T2iAdapter`] turns a drawing of the picture's size, such as an outline, into features, which are added to those of
//! the denoiser. A [`ControlNet`] reads such a drawing, the latents and the prompt in each step. Its residuals are added to
//! the feature maps of the denoiser. An [`IpAdapter`] turns an image of any size into tokens. The cross attentions of the
//! denoiser attend to them separately from the prompt (decoupled cross-attention).
//!
//! The work is done in two places:
//!
//! - Once for each picture: [`PictureAdapters`] has the features, the embeddings of the drawings, and the keys and values of
//!   the tokens. The latter belong to the [`Conditioning`](crate::diffusion::Conditioning)s, because a negative prompt has
//!   others than a prompt.
//! - In each step: [`PictureAdapters::at`] returns the [`ActiveAdapters`], with their weights and masks, for the
//!   [`DenoiserInput`](crate::diffusion::DenoiserInput).
//!
//! A model package may have an adapter for each use of an image: see [`ADAPTERS`](crate::model::package::ADAPTERS). The
//! images of inspirations then act through them instead of through losses. An adapter without a configuration is a
//! [`SingleFile`].
//!
//! In some of the cross attentions, an image acts by its style only, in others by its layout only (`InstantStyle`, Wang
//! et al. 2024, arXiv:2404.02733): see [`AdapterPlaces`] and [`IpAdapter::only_in`].

mod error;
mod input;
mod ip_adapter;
mod mask;
mod package;
mod picture;
mod projection;
mod single_file;
mod t2i_adapter;
mod vision;

pub use super::denoise::unet::{ControlNet, ControlType};
pub use error::AdapterError;
pub use ip_adapter::{ImageKeys, IpAdapter};
pub use mask::PixelMask;
pub(super) use package::{ModelAdapters, PartInspirations};
pub use picture::{ActiveAdapters, ActiveControl, ActiveImage, AdapterSchedule, PictureAdapters};
pub use single_file::SingleFile;
pub use t2i_adapter::T2iAdapter;
pub use vision::ClipVisionModel;
pub(super) use vision::clip_normalized;

/// The places of a denoiser in which adapters act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterPlaces {
    /// The channels of the features: of the output of each down block, then of the middle block.
    pub features: Vec<usize>,
    /// Latents along each side of a cell of each of the features.
    pub cells: Vec<usize>,
    /// The width of each cross attention. They are numbered in the order of IP-Adapter: down blocks, up blocks, middle
    /// block.
    pub attentions: Vec<usize>,
    /// The numbers of the cross attentions in which an image acts by its style only.
    pub style: Vec<usize>,
    /// The numbers of the cross attentions in which an image acts by its layout only.
    pub layout: Vec<usize>,
    /// The channels of the latents that the denoiser reads.
    pub latents: usize,
    /// The width of a token of the prompt.
    pub tokens: usize,
    /// The channels of the feature maps that skip the middle of the denoiser, the largest maps first.
    pub skips: Vec<usize>,
}
