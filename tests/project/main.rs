//! Art, studio and project at work together, with generators that draw gradients.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod bench;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod edits;
mod loading;
mod old_folder;
mod propagate;
mod reopening;
mod studio;
#[cfg(target_os = "linux")]
#[path = "../common/threads.rs"]
mod threads;
