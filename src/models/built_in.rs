//! The model that ships with the crate.
