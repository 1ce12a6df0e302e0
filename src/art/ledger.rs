//! What the art folder knows beyond its pictures.

/// Accepted takes, the author's words and style.
#[derive(Clone, Debug, Default)]
pub struct Ledger {}
