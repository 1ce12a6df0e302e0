//! Step hooks, which observe or change the sampling loop.

mod differential;
mod preview;
mod trace;

pub use differential::{Differential, Surroundings};
pub use preview::{LatentColours, Preview, PreviewBase};
pub use trace::Trace;
