//! Tests of art folder, studio and project together. The generators draw gradients.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod actions;
mod changes;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod edits;
mod enlarged;
mod fixture;
#[path = "../common/held_log.rs"]
mod held_log;
mod loading;
mod old_folder;
mod propagate;
mod reopening;
mod steering;
mod studio;
#[cfg(target_os = "linux")]
#[path = "../common/threads.rs"]
mod threads;
mod trials;
