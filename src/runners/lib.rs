//! The test frameworks: how each builds, lists and runs its tests.
//!
//! A framework turns a project into [`maelstrom_model::job::TestCase`]s; the engine runs them.

// Private modules say `pub` for what the rest of this package uses.
#![allow(unreachable_pub)]

pub mod cargo;
pub mod framework;
pub mod go;
pub mod lines;
pub mod process;
pub mod pytest;
pub mod run;
pub mod sandbox;
