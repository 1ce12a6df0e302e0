//! A game with the illustrator in it, without a window.
#![cfg(feature = "plugin")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod async_tasks;
#[path = "../common/mod.rs"]
mod common;
mod pictures;
#[cfg(feature = "gpu_tests")]
mod pixels;
mod schedule;
mod set_up;
mod shipped;
mod story;
mod support;
