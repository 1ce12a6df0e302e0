//! Extensions of the crate, one in each file, without changes to the crate itself.

mod family;
mod hook;
mod scheduler;
mod story_format;
