//! The runner for Go packages, `maelstrom-go-test`.
//!
//! ```text
//! options ─▶ toolchain ─▶ packages ─▶ build ─▶ collector ─▶ discovery ─▶ TestCase ─▶ reader
//!                          sandbox::container ──────────────────┘
//! ```
//!
//! - [`options`]: parses the command line, by the table of Go's flags in [`peer_flags`].
//!   [`run_pattern`]: parses `-run`, `-skip`, `-bench` and `-fuzz`.
//! - [`toolchain`], [`packages`]: find the toolchain and the packages. [`order`]: sorts packages
//!   for the build. [`changed`]: selects packages by the files that changed.
//! - [`build`], [`collector`], [`report`]: run `go test`, which builds everything and passes each
//!   test binary to this program instead of running it.
//! - [`binaries`]: stores test binaries during a run. [`links`]: caches linked binaries.
//! - [`discovery`], [`listing`], `test_choice`, `cases`, `sharing`, [`jobs`]: turn test binaries into
//!   tests and their jobs.
//! - [`reader`], [`location`]: parse a test's output. `divider`: divides that of tests that share a
//!   process.
//! - [`framework`]: implements the interface that the engine drives. [`error`]: its errors.
//!
//! The engine is responsible for slots, order, repeats and results. Coverage and profiles are not
//! supported, since they need many tests in one process.

pub mod binaries;
pub mod build;
mod cases;
mod changed;
pub mod collector;
pub mod discovery;
mod divider;
pub mod error;
pub mod framework;
pub mod jobs;
pub mod links;
pub mod listing;
pub mod location;
mod notices;
pub mod options;
pub mod order;
mod overrides;
pub mod packages;
pub mod peer_flags;
mod project;
pub mod reader;
pub mod report;
pub mod run_pattern;
mod sharing;
mod test_choice;
pub mod toolchain;

pub use self::error::GoError;
pub use self::framework::GoFramework;
pub use self::options::{GoAction, GoOptions, GoOptionsError, GoSettings};
