//! Diffusion models on candle.
//!
//! A [`Model`] draws and edits pictures. It has a [`TextEncoder`], a [`Denoiser`] and an
//! [`Autoencoder`], which a [`Family`] loads from a model [`Package`](crate::model::Package).
//! Drawing is the loop [`sample()`]: a [`Scheduler`](scheduler::Scheduler) decides the steps, a
//! [`Guide`](guide::Guide) combines the predictions under prompt and negative prompt, and
//! [`StepHook`]s observe or change the steps.
//!
//! Other crates can implement any of these traits.
//!
//! Names of networks, layers and options are those of diffusers, so that the two can be compared
//! line by line. If a `config.json` has an option that these networks do not support, loading fails
//! with an error that names the field and its value.

mod clip_layer;
mod conditioning;
mod config;
mod device;
mod drawn;
mod edit;
mod error;
mod inpainting;
mod latent_clip;
mod layers;
mod least_squares;
mod loss_networks;
mod memory_budget;
mod model;
mod optimize;
mod pixel_clip;
mod pixels;
mod precision;
mod references;
mod request;
mod resnet;
mod sample;
mod scribble;
mod steering;
mod weights;

pub mod adapter;
pub mod autoencoder;
pub mod denoise;
pub mod family;
pub mod guide;
pub mod hooks;
pub mod lora;
pub mod noise;
pub mod optimizer;
pub mod scheduler;
pub mod text;

pub use crate::control::{Cancelled, Interrupt, Step};
pub use autoencoder::{Autoencoder, LatentSpec};
pub use conditioning::Conditioning;
pub use denoise::{Denoiser, DenoiserInput};
pub use device::DeviceKind;
pub use drawn::Drawn;
pub use edit::EditRequest;
pub use error::{DiffusionError, DrawError};
pub use family::{Family, LoadOptions};
pub use hooks::Trace;
pub use latent_clip::LatentClip;
pub use model::{LoadNetwork, Model, ModelParts, NetworkLoaders};
pub use pixel_clip::PixelClip;
pub(crate) use pixels::tensor_from_rgba;
pub use precision::Precision;
pub use request::{DrawRequest, Noise};
pub use sample::{SampleInputs, State, StepHook, StepInfo, sample};
pub use text::TextEncoder;
