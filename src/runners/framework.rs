//! The trait that every test framework implements, under the name it has in this room.
//!
//! It is defined in the engine, which drives it and may not import this room.

pub use maelstrom_model::framework::*;
