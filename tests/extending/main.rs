//! Extensions of the crate: one file each, with no change to the crate itself.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod family;
mod hook;
mod scheduler;
mod story_format;
