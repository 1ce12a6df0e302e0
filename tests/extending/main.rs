//! Extensions of the crate: one file each, with no change to the crate itself.

mod family;
mod hook;
mod scheduler;
mod story_format;
