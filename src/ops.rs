//! The tensor operations that the networks need, each differentiable.
//!
//! candle's own layer norm and last-dimension softmax cut the gradient without a word, and its
//! nearest upsampling overwrites gradients that it should add up, so losses on pictures would
//! steer wrongly. Here each operation has one *definition*, made of primitives whose gradients
//! are right. Devices other than the processor run the definition; the processor runs a fused
//! kernel that gives the same values, and differentiates the definition on the way back (see
//! `fused`). A test at the end of each file compares kernel with definition, and gradients with
//! finite differences in f64.
//!
//! Shapes are written as `(batch, channels, height, width)` for pictures and
//! `(batch, tokens, channels)` for sequences.

mod activation;
mod add;
mod attention;
mod fused;
mod linear;
mod norm;
mod product;
mod resample;
mod time_embedding;
mod unfold;

#[cfg(test)]
mod check;

pub use activation::{Activation, geglu};
pub use add::{add, add_channels};
pub use attention::attention;
pub use linear::{arranged, conv2d, linear};
pub use norm::{group_norm, group_norm_silu, layer_norm};
pub use resample::upsample_nearest;
pub use time_embedding::time_embedding;
