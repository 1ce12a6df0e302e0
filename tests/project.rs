//! Art, studio and project at work together, with generators that draw gradients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

#[path = "project/actions.rs"]
mod actions;
#[path = "project/bench.rs"]
mod bench;
#[path = "project/changes.rs"]
mod changes;
#[path = "project/edits.rs"]
mod edits;
#[path = "project/reopening.rs"]
mod reopening;
#[path = "project/studio.rs"]
mod studio;
