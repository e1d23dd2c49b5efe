//! The trait that every test framework implements.
//!
//! The engine defines it and drives it; it must not depend on this crate.

pub use maelstrom_model::framework::*;
