//! Differentiable tensor operations for the networks.
//!
//! Three of candle's operations have wrong gradients: layer norm and softmax over the last dimension
//! silently drop them, and nearest-neighbour upsampling overwrites them instead of adding them up. Losses on
//! pictures need correct gradients. Each operation here therefore has a *definition*, built from
//! primitives with correct gradients. The CPU runs a fused kernel with the same values in the forward pass and
//! differentiates the definition in the backward pass (see `fused`), unless a kernel for the gradient needs less. Other
//! devices run the definition. The tests in each file compare the kernel with the definition, and gradients with finite
//! differences in f64.
//!
//! Shapes are `(batch, channels, height, width)` for images and `(batch, tokens, channels)` for sequences.

mod activation;
mod add;
mod attention;
mod chain;
mod checkpoint;
mod column_major;
mod fused;
mod group_norm;
mod half;
mod layer_norm;
mod linear;
mod norm;
mod product;
mod resample;
mod rms_norm;
mod rotary;
mod silu;
mod time_embedding;
mod turn;
mod unfold;
mod widen;

#[cfg(test)]
pub(crate) mod check;

pub use activation::{Activation, geglu};
pub use add::{add, add_channels};
pub use attention::{AttentionMask, attention, key_mask};
pub use chain::{Chain, Differentiable};
pub use column_major::column_major;
pub use group_norm::{group_norm, group_norm_silu, group_norm_silu_gradient};
pub(crate) use half::is_half;
pub use layer_norm::layer_norm;
pub use linear::{conv2d, conv2d_gradient, conv2d_with_turned, linear, linear_with};
pub use resample::{box_blur, resize, upsample_nearest, upsample_nearest_gradient};
pub use rms_norm::rms_norm;
pub use rotary::{RotaryAngles, RotaryPairs, rotary};
pub use silu::silu;
pub use time_embedding::time_embedding;
pub use turn::turned;
pub use widen::{dequantized, widened};
