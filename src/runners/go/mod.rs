//! `maelstrom-go-test`: Go packages.
//!
//! ```text
//! options ─▶ toolchain ─▶ packages ─▶ build ─▶ collector ─▶ discovery ─▶ TestCase ─▶ reader
//!                          sandbox::container ──────────────────┘
//! ```
//!
//! - [`options`]: the command line. [`run_pattern`]: `-run` and `-skip`.
//! - [`toolchain`], [`packages`]: what there is. [`order`]: what of it comes first.
//! - [`build`], [`collector`], [`report`]: `go test` at work, building everything and running
//!   nothing: each test binary that it would run is handed to us.
//! - [`binaries`]: where test binaries live while they are needed. [`links`]: those that need not be
//!   linked again.
//! - [`discovery`], [`listing`], [`jobs`]: from test binaries to tests.
//! - [`reader`], [`location`]: what a test says while it runs.
//! - [`framework`]: all of it together, as the engine drives it. [`error`]: why it gives up.
//!
//! Deliberately absent: slots, order, repeats and results, which are the engine's; benchmarks,
//! fuzzing, coverage and profiles, which need many tests in one process.

pub mod binaries;
pub mod build;
pub mod collector;
pub mod discovery;
pub mod error;
pub mod framework;
pub mod jobs;
pub mod links;
pub mod listing;
pub mod location;
pub mod options;
pub mod order;
mod overrides;
pub mod packages;
pub mod reader;
pub mod report;
pub mod run_pattern;
pub mod toolchain;

pub use self::error::GoError;
pub use self::framework::GoFramework;
pub use self::options::{GoAction, GoOptions, GoOptionsError, GoSettings};
