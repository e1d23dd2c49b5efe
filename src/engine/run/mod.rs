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
//! - [`driver`]: feeds inputs to the machine and runs its effects.
//! - [`machine`]: every decision, pure; [`message`]: its inputs and effects.
//! - [`tally`]: sums up a round's attempts, pure.
//! - [`ending`]: maps a job's end to its test's outcome, pure.
//! - [`describe`]: describes a job for a detail screen, pure. [`debug_shell`]: opens a shell in its
//!   container.
//! - [`attempt`]: attempts and helper jobs as jobs of a backend. [`trace`]: logs a run.
//! - [`host`]: the run as a framework sees it; [`event_sink`]: emits events; [`signals`]: signals
//!   that end the run.
//! - [`watch`]: which files changed.
//! - [`history`]: the results of earlier runs; [`history_recorder`]: those, and what this run adds.
//! - [`discarded`]: what tests wrote and was discarded.
//! - [`output_tail`]: the end of a running test's output.

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
