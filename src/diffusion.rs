//! The Stable Diffusion family on candle, driven by the `config.json` files of a diffusers folder.
//!
//! [`ModelFiles`] is such a folder, on disk or embedded in the crate. Each network reads its own
//! `config.json` and weights from it: [`clip::ClipTextModel`] turns the ids of
//! [`tokenizer::ClipTokenizer`] into a context, [`unet::UNet2DConditionModel`] removes noise from
//! latents under that context, and [`vae::Autoencoder`] turns latents into a picture and back.
//!
//! Names of networks, layers and options are those of diffusers, so that a reader can lay both
//! side by side. What a `config.json` asks for and these networks cannot do is an error that names
//! the field and its value, never something that is passed over.

mod config;
mod device;
mod error;
mod files;
mod layers;
mod pipeline;
mod resnet;
mod weights;

pub mod clip;
pub mod noise;
pub mod scheduler;
pub mod tokenizer;
pub mod unet;
pub mod vae;

pub use crate::control::Step;
pub use crate::control::{Cancelled, Interrupt};
pub use device::DeviceKind;
pub use error::DiffusionError;
pub use files::ModelFiles;
pub use pipeline::{
    DrawError, DrawRequest, EditError, EditPlan, EditRequest, Grid, MAX_SIDE, MIN_SIDE, Noise,
    StableDiffusion, Trace,
};
