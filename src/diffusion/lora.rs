//! Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): changes of a model's weights in a file of their own.
//!
//! A weight `W` becomes `W + weight * alpha / rank * up * down`: when it is loaded, for the networks of Stable Diffusion. Networks
//! that keep their weights as they are stored add the product of the small matrices to the output of a layer: the transformers
//! of FLUX.2 and Z-Image, and the UNet in [little memory](super::LoadOptions::low_memory). The files have the names of kohya's sd-scripts, of diffusers, of peft, or of the original programs.

mod file;
mod hash;
mod loras;
mod low_rank;
mod metadata;
mod names;

pub use file::LoraFile;
pub(super) use hash::hash_files;
pub use loras::Loras;
pub(super) use low_rank::{LowRank, LowRankConv};
pub(super) use names::{of_flux2, of_unet, of_z_image};
