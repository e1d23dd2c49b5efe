//! `cargo maelstrom`: Rust projects.
//!
//! ```text
//! options ─▶ metadata ─▶ selection ─▶ build ─▶ discovery ─▶ listing ─▶ TestCase
//!               toolchain ─▶ environment ──────────┘
//!               sandbox::container ──────────────┘
//! ```
//!
//! - [`options`]: the command line.
//! - [`metadata`], [`manifest`], [`toolchain`], [`target`]: the workspace.
//! - [`selection`]: which packages and tests are selected.
//! - [`build`], [`progress`]: runs cargo.
//! - [`discovery`], [`listing`], [`cases`], [`programs`], [`jobs`]: from built programs to tests.
//!   [`titles`]: the names of tests.
//! - [`environment`]: a test's environment, as under `cargo test`; [`super::sandbox`] adds what
//!   tests of every language get.
//! - [`reader`], [`transcript`]: whether a test reported that it ran.
//! - [`unresponsive`]: programs that do not answer when asked for their tests.
//! - [`location`]: where a test failed. [`notices`]: notices to the user.
//! - [`framework`]: the framework that the engine drives. [`error`]: its errors.
//!
//! Slots, order, repeats and results are the engine's concern. Doctests are counted and named, but
//! not run.

pub mod build;
pub mod cases;
mod diagnostics;
pub mod discovery;
pub mod environment;
pub mod error;
pub mod framework;
mod framing;
pub mod jobs;
mod listed;
pub mod listing;
pub mod location;
pub mod manifest;
pub mod metadata;
pub mod notices;
pub mod options;
mod overrides;
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
