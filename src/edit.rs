//! The arithmetic of edits: pixels and masks, no networks.
//!
//! An edit changes some [`Part`](crate::recipe::Part)s of a picture and no other pixels:
//!
//! 0. If the edit has a [`Canvas`](crate::recipe::Canvas), [`placed()`] puts the picture on it.
//! 1. [`EditPlan`] turns the parts' masks into a blend mask, a denoise mask for each part, and the
//!    crop that the model receives. So a small refinement is fast.
//! 2. [`Crop`] holds the pixels of that crop. [`init_image()`] computes the pixels that denoising
//!    starts from.
//! 3. [`LatentRegions`] is the plan at the resolution of latents.
//! 4. After sampling, [`composite()`] matches the result to the surrounding colours and blends it
//!    into the picture. Pixels where the blend mask is 0 do not change at all.

mod alpha;
mod composite;
mod crop;
mod error;
mod infill;
mod init_image;
mod placed;
mod plan;
mod prompts;
mod redrawn;
mod regions;

pub use alpha::{AlphaPlane, alpha_after};
pub use composite::composite;
pub use crop::{Crop, Grid};
pub use error::EditError;
pub use infill::infill;
pub use init_image::init_image;
pub use placed::placed;
pub use plan::{EditPlan, PlannedPart};
pub use prompts::{PartPrompts, part_prompts};
pub use regions::LatentRegions;
