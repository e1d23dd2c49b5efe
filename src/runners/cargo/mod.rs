//! `cargo maelstrom`: Rust projects.
//!
//! ```text
//! options ─▶ metadata ─▶ selection ─▶ build ─▶ discovery ─▶ listing ─▶ TestCase
//!               toolchain ─▶ environment ──────────┘
//!               sandbox::container ──────────────┘
//! ```
//!
//! - [`options`]: the command line.
//! - [`metadata`], [`manifest`], [`toolchain`], [`target`]: what there is.
//! - [`selection`]: what of it is wanted.
//! - [`build`], [`progress`]: cargo at work.
//! - [`discovery`], [`listing`], [`cases`], [`programs`], [`jobs`]: from built programs to tests.
//!   [`titles`]: how these are called.
//! - [`environment`]: what a test finds around it, as under `cargo test`, besides what
//!   [`super::sandbox`] has for tests of every language.
//! - [`reader`], [`transcript`]: whether a test has said that it ran.
//! - [`unresponsive`]: which programs do not answer when they are asked for their tests.
//! - [`location`]: where a test failed. [`notices`]: what a user should know about the run.
//! - [`framework`]: all of it together, as the engine drives it. [`error`]: why it gives up.
//!
//! Deliberately absent: slots, order, repeats and results, which are the engine's, and doctests,
//! which are counted and named, not run.

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
