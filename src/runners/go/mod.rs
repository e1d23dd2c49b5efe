//! `maelstrom-go-test`: Go packages.
//!
//! ```text
//! options ─▶ toolchain ─▶ packages ─▶ build ─▶ collector ─▶ discovery ─▶ TestCase ─▶ reader
//!                          sandbox::container ──────────────────┘
//! ```
//!
//! - [`options`]: the command line. [`run_pattern`]: `-run` and `-skip`.
//! - [`toolchain`], [`packages`]: the toolchain and the packages. [`order`]: their build order.
//! - [`build`], [`collector`], [`report`]: runs `go test`, which builds everything and passes each
//!   test binary to this program instead of running it.
//! - [`binaries`]: where test binaries are kept during a run. [`links`]: reuses linked binaries.
//! - [`discovery`], [`listing`], [`jobs`]: from test binaries to tests.
//! - [`reader`], [`location`]: parses a test's output.
//! - [`framework`]: the framework that the engine drives. [`error`]: its errors.
//!
//! Slots, order, repeats and results are the engine's concern. Benchmarks, fuzzing, coverage and
//! profiles are not supported, since they need many tests in one process.

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
