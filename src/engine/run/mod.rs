//! One run: from the first test found to the program's exit code.
//!
//! ```text
//!   framework ──found──▶ ┌─────────┐ ──submit, stop──▶ backend
//!   commands, signals ─▶ │ machine │ ◀──started, output, finished──
//!                        └─────────┘ ──Event──▶ user interface, recording
//!                             │
//!                          history
//! ```
//!
//! - [`driver`]: carries happenings to the machine and does what it says.
//! - [`machine`]: every decision, pure; [`message`]: what goes in and comes out.
//! - [`tally`]: what a round's attempts add up to, pure.
//! - [`ending`]: what a job's end means for its test, pure.
//! - [`describe`]: what a detail screen shows of a job, pure. [`shells`]: how to look around in its
//!   container.
//! - [`attempt`]: attempts and helpers as jobs of a backend. [`chronicle`]: a run in the log.
//! - [`host`]: the framework's side; [`outlet`]: the watcher's; [`signals`]: the outside's.
//! - [`watch`]: which files changed.
//! - [`history`]: what earlier runs tell; [`notebook`]: that, and what this one adds.
//! - [`discarded`]: what tests have written in vain.
//! - [`tail`]: the end of what a running test wrote.

pub mod attempt;
mod chronicle;
pub mod describe;
mod discarded;
pub mod driver;
pub mod ending;
pub mod history;
pub mod host;
pub mod machine;
pub mod message;
pub mod notebook;
pub mod outlet;
mod shells;
pub mod signals;
pub mod tail;
pub mod tally;
pub mod watch;
