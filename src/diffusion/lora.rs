//! Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): changes of a model's weights in a file of their own.
//!
//! A weight `W` becomes `W + weight * alpha / rank * up * down` when it is loaded. The files have the names of kohya's
//! sd-scripts, of diffusers, or of peft.

mod file;
mod hash;
mod loras;
mod names;

pub use file::LoraFile;
pub(super) use hash::hash_files;
pub use loras::Loras;
