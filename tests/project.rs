//! Art, studio and project at work together, with generators that draw gradients.

mod common;

#[path = "project/studio.rs"]
mod studio;
