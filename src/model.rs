//! Models: their files, inspection and downloads.
//!
//! A [`Package`] gives access to a model's configuration, tensors and other files, independent of
//! its layout. [`detect`] is the one table of the components and pipeline classes that run here:
//! the loader, the [inspector](inspect) and the hub use it. This module does not depend on the networks.

mod base;
pub mod card;
mod catalogue;
mod component_file;
pub mod detect;
mod error;
mod finetune;
#[cfg(feature = "hub")]
pub mod hub;
pub mod inspect;
mod json;
pub mod ldm;
pub mod library;
pub mod licence;
pub mod package;
mod qwen3_file;
pub mod tensors;
mod text_encoder_file;
mod transformer_file;
mod vae_file;

pub use base::BaseModel;
pub(crate) use base::EMBEDDINGS_OF_XL;
pub use card::{Abilities, ModelCard, ModelDefaults};
pub use catalogue::CatalogueEntry;
pub use component_file::{ComponentPlace, with_component};
pub use error::ModelError;
pub use finetune::Finetune;
pub use json::parse_json;
pub use package::{EmbeddedPackage, FolderPackage, Package};
pub use qwen3_file::with_qwen3;
pub use tensors::TensorSource;
pub use text_encoder_file::with_text_encoders;
pub use transformer_file::{TransformerFile, with_transformer};
pub(crate) use transformer_file::{flux2_original_layer, z_image_original_layer};
pub use vae_file::with_vae;
