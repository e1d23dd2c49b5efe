//! The trait that every test framework implements.
//!
//! The engine's crates define and drive it, and must not depend on this crate.

pub use maelstrom_model::framework::*;
