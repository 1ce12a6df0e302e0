//! The licences of models: their names, and what they allow.

mod name;
mod terms;

pub(super) use name::licence;
pub use terms::{Sale, Terms};
