//! How long a frame of a game takes, with and without drawing.
fn main() {}
