//! A game with the illustrator in it, without a window.
#![cfg(feature = "plugin")]
