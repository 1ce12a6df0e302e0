//! Step hooks, which observe or change the sampling loop.

mod differential;
mod preview;
mod steering;
mod trace;

pub use differential::{Differential, Surroundings};
pub use preview::{LatentColours, Preview, PreviewBase};
pub use steering::{LossDecoders, SteeredPart, Steering};
pub use trace::Trace;
