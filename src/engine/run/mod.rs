//! Runs tests: from the first test found to the program's exit code.
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
//! - [`machine`]: makes every decision, pure; [`message`]: its inputs and effects.
//! - [`partition`]: divides the tests into parts, pure.
//! - [`tally`]: sums up the attempts of a round, pure.
//! - [`ending`]: maps a job's end to its test's outcome, pure.
//! - [`debug_shell`]: builds the commands that open a shell in a container.
//! - [`attempt`]: maps attempts and helper jobs to job ids. [`trace`]: logs a run.
//! - [`attempt_environment`]: the variables that number a retry.
//! - [`host`]: the run from the framework's point of view; [`event_sink`]: sends events;
//!   [`signals`]: receives the signals that end the run.
//! - [`watch`]: reports changed files.
//! - [`history`]: stores the results of earlier runs; [`history_recorder`]: collects the results of
//!   this run.
//! - [`discarded`]: collects the files that tests wrote in vain.
//! - [`reminders`]: keeps notices that every run would repeat to one a day.
//! - [`output_tail`]: keeps the end of a running test's output.

pub mod attempt;
mod attempt_environment;
mod debug_shell;
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
pub mod partition;
mod reminders;
pub mod signals;
pub mod tally;
mod trace;
pub mod watch;
