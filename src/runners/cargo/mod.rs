//! The runner for Rust projects, `cargo maelstrom`.
//!
//! ```text
//! options ─▶ metadata ─▶ selection ─▶ build ─▶ discovery ─▶ listing ─▶ TestCase
//!               toolchain ─▶ environment ──────────┘
//!               sandbox::container ──────────────┘
//! ```
//!
//! - [`options`]: parses the command line. [`peer_flags`]: the flags of the tools that it replaces.
//! - [`metadata`], [`manifest`], [`toolchain`], [`target`]: describe the workspace and the
//!   toolchain.
//! - [`selection`]: selects packages and tests; [`filterset`]: by filtersets of nextest.
//!   [`changed`]: by the files that changed.
//! - [`build`], [`progress`]: run cargo and read its output. [`output_directory`]: where it puts what
//!   it builds.
//! - [`discovery`], [`listing`], [`cases`], [`programs`], [`jobs`]: turn built programs into tests
//!   and their jobs. [`titles`]: names tests. [`doctests`]: compiles doctests and keeps their
//!   programs.
//! - [`environment`]: builds a test's environment as under `cargo test`; [`super::sandbox`] adds
//!   what is the same for tests of every language.
//! - [`reader`], [`transcript`]: read a test's output and determine its result. [`divider`]: divides
//!   the output of tests that share a process.
//! - [`unresponsive`]: remembers programs that did not answer when asked to list their tests.
//! - [`location`]: finds the source location of a failure. [`notices`]: notices to the user.
//! - [`framework`]: implements the interface that the engine drives. [`error`]: its errors.
//!
//! The engine is responsible for slots, order, repeats and results.

pub mod build;
pub mod cases;
mod changed;
mod diagnostics;
pub mod discovery;
mod divider;
pub mod doctests;
pub mod environment;
pub mod error;
mod filterset;
pub mod framework;
mod framing;
pub mod jobs;
mod listed;
pub mod listing;
pub mod location;
pub mod manifest;
pub mod metadata;
mod nextest_config;
pub mod notices;
pub mod options;
mod output_directory;
mod overrides;
pub mod peer_flags;
pub mod programs;
pub mod progress;
pub mod project;
mod reader;
pub mod selection;
pub mod target;
pub mod titles;
pub mod toolchain;
mod transcript;
mod unresponsive;
mod watchlist;

pub use self::error::CargoError;
pub use self::framework::CargoFramework;
pub use self::options::{CargoAction, CargoOptions, CargoOptionsError, CargoSettings};
pub use super::sandbox::invocation::{ColorMode, Invocation};
