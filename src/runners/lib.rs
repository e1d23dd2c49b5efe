//! The test frameworks, which build, list and run the tests of each language.
//!
//! A framework finds the [`maelstrom_model::job::TestCase`]s of a project; the engine runs them.

pub mod cargo;
pub mod changed;
pub mod framework;
pub mod go;
pub mod lines;
pub mod options;
mod past;
pub mod peers;
pub mod process;
pub mod pytest;
pub mod run;
pub mod sandbox;
pub mod sharing;
