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
//! - [`describe`]: what a detail screen shows of a job, pure. [`debug_shell`]: how to look around in its
//!   container.
//! - [`attempt`]: attempts and helpers as jobs of a backend. [`trace`]: a run in the log.
//! - [`host`]: the framework's side; [`event_sink`]: the watcher's; [`signals`]: the outside's.
//! - [`watch`]: which files changed.
//! - [`history`]: what earlier runs tell; [`history_recorder`]: that, and what this one adds.
//! - [`discarded`]: what tests have written in vain.
//! - [`output_tail`]: the end of what a running test wrote.

pub mod attempt;
mod debug_shell;
pub mod describe;
mod discarded;
pub mod driver;
pub mod ending;
pub mod event_sink;
pub mod history;
pub mod history_recorder;
pub mod host;
pub mod machine;
pub mod message;
pub mod output_tail;
pub mod signals;
pub mod tally;
mod trace;
pub mod watch;
