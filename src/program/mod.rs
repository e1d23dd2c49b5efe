//! The programs, assembled from the other crates: only wiring, no decisions of their own.
//!
//! - [`test_program`]: every program that runs tests, from its command line to its exit code.
//!   [`cargo`], [`go`] and [`pytest`] are `cargo maelstrom`, `maelstrom-go-test` and
//!   `maelstrom-pytest`.
//! - [`interactive`]: one test on the terminal, under a debugger for example.
//! - [`run`]: `maelstrom-run`, from its command line to its exit code.
//! - [`broker`]: `maelstrom-broker`. [`worker`]: `maelstrom-worker`.
//! - [`startup`]: what they share before a run. [`ui_choice`]: chooses a run's user interface.
//! - [`session`]: one run with its backend, user interface, signals and recording.
//! - [`session_options`]: a program's options for its run. [`report_files`]: the files that it writes.
//!   [`partition`]: the part of the tests that it takes.
//! - [`ui_thread`]: the thread of the user interface.
//! - [`specification`]: creates and explains files that describe containers.
//! - [`systemd`], [`descriptors`]: what services report to, and need from, the system.
//! - [`help`]: help topics, completion of command lines, and schemas.
//! - [`failure`]: reports why a program ends before its run.

mod backend;
pub mod broker;
pub mod cargo;
mod descriptors;
pub mod failure;
pub mod go;
pub mod help;
mod interactive;
mod logging;
mod partition;
pub mod pytest;
pub mod report_files;
pub mod run;
pub mod session;
pub mod session_options;
pub mod specification;
pub mod startup;
mod systemd;
mod test_program;
pub mod ui_choice;
pub mod ui_thread;
pub mod worker;
