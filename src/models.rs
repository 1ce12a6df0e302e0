//! What a model file or folder is, and the model that ships with the crate.

pub mod built_in;
pub mod inspect;
