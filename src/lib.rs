//! Illustrates the story of a Bevy game while it runs, with the author in charge of every picture.
#![forbid(unsafe_code)]

pub mod art;
pub mod contact_sheet;
pub mod diffusion;
pub mod generator;
pub mod models;
pub mod ops;
pub mod project;
pub mod recipe;
pub mod story;
pub mod storyboard;
pub mod studio;
